"""The link is cut: in mid-cell, just before the reply, with an answer on its way."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.faults.mixed import Plain, mixed, of, without_notices
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.notebook import LocalKernel
from tests.support.place import Place
from tests.support.proxy import DOWN

NEXT_LINE_SECONDS = 4.0
"""The worst time from the network's return to the next line (section 8)."""
PAUSE = 0.05


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.long)])
def test_a_cut_in_mid_cell_leaves_the_outputs_of_a_plain_kernel(
    place: Place, notebook: LocalKernel, plain: Plain, seconds: int
) -> None:
    rounds = int((seconds + 4) / PAUSE)
    fired: list[threading.Timer] = []
    accepted = place.proxy.accepted
    healed = threading.Event()

    def heal() -> None:
        place.proxy.heal()
        healed.set()

    def on(kind: str, content: dict[str, Any]) -> None:
        if "out 20\n" in content.get("text", "") and not fired:
            place.proxy.cut()
            fired.append(threading.Timer(seconds, heal))
            fired[0].start()

    cell = notebook.run(
        f"%%gpu\n{mixed(rounds, PAUSE)}",
        on=on,
        patience=2 * rounds * PAUSE + 5 * NEXT_LINE_SECONDS,
    )
    assert healed.is_set(), "the cell ended before the network came back"
    assert place.proxy.accepted > accepted
    assert cell.reply["status"] == "ok"
    plain.check(without_notices(cell.shown), rounds, paced=True)


def _gate(place: Place) -> tuple[str, str]:
    """Code that waits, at a cell's end, for a file in the pod's home; and the file."""
    path = place.sshd.home / "go-on"
    code = f"import os\nwhile not os.path.exists({str(path)!r}): time.sleep(0.01)\n"
    return code, str(path)


def test_a_cut_just_before_the_reply(place: Place, plain: Plain) -> None:
    face = KernelFace(place.face, "pod")
    gate, path = _gate(place)
    cell = face.submit(mixed(60, 0, gate))
    face.until_text(cell, "out 59\n")
    place.proxy.cut()
    with open(path, "w"):
        pass  # now the cell ends
    journal = place.pod_kernel(face.kernel) / "journal"

    def written() -> bool:
        return any(b'"type":"ended"' in p.read_bytes() for p in journal.glob("*.seg"))

    until(written, "the cell's end in the journal")
    assert not any(r.type in ("execute_reply", "ended") for r in face.of(cell))
    place.proxy.heal()
    assert face.ended(cell, 5 * NEXT_LINE_SECONDS)["outcome"] == "ok"
    face.in_order()
    plain.check(of(face.records, cell), 60)


def test_a_request_whose_answers_are_lost_runs_once(place: Place) -> None:
    """It reaches the pod; nothing comes back, and what was on its way is reset."""
    face = KernelFace(place.face, "pod")
    face.run("n = 0")
    ran = place.sshd.home / "ran"
    place.proxy.dead(DOWN)
    code = f"n += 1; print('run', n)\nwith open({str(ran)!r}, 'a') as f: f.write('x')"
    cell = face.submit(code)
    until(ran.exists, "the run on the pod")
    assert face.of(cell) == []
    place.proxy.heal(reset=True)
    assert face.ended(cell, 5 * NEXT_LINE_SECONDS)["outcome"] == "ok"
    assert face.text(cell) == "run 1\n"
    assert face.run("print(n)")["outcome"] == "ok"
    assert face.text(face.records[-1].execution or "") == "1\n"
    assert ran.read_text() == "x"
    face.in_order()
