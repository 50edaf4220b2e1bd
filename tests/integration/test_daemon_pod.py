"""The daemon with a real sshd, a real keeper and a real kernel behind it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import NotConnected
from tests.faults.mixed import Plain, mixed, of
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.place import Place, whole_place
from tests.support.proxy import DOWN, UP

LONG = pytest.mark.long
COUNT = "import time\nfor i in range({n}):\n    print(i, flush=True)\n    time.sleep({pause})"


def lines(n: int) -> str:
    return "".join(f"{i}\n" for i in range(n))


def gate_at(place: Place, name: str) -> tuple[str, Path]:
    """Code that waits for a file in the pod's home, and that file."""
    path = place.sshd.home / name
    code = f"import os\nwhile not os.path.exists({str(path)!r}): time.sleep(0.01)\n"
    return code, path


def the_same_bytes(place: Place, kernel: str) -> bytes:
    """Wait until the mirror has all of the journal, byte for byte; the bytes (rule 4).

    The kernel must say nothing more. What is written last may still be on its way.
    """
    folders = (
        place.pod_kernel(kernel) / "journal",
        place.daemon.folder / "mirrors" / kernel / "log",
    )

    def both() -> list[bytes]:
        return [b"".join(p.read_bytes() for p in sorted(f.glob("*.seg"))) for f in folders]

    def same() -> bytes:
        journal, mirror = both()
        return journal if journal == mirror else b""

    try:
        found: bytes = until(same, "the journal's bytes in the mirror")
    except AssertionError:
        journal, mirror = both()
        pairs = enumerate(zip(journal, mirror, strict=False))
        at = next((n for n, (a, b) in pairs if a != b), min(len(journal), len(mirror)))
        sizes = f"{len(mirror)} bytes for {len(journal)}"
        pytest.fail(f"the mirror is not the journal: {sizes}, the same up to {at}")
    return found


@pytest.fixture
def connected(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole_place(short_tmp, pod_python, monkeypatch) as place:
        place.connect()
        yield place


def test_a_cell_runs_and_its_notebook_finds_the_kernel_again(connected: Place) -> None:
    one = KernelFace(connected.face, "pod", local_kernel="local-1")
    assert not one.opened["joined"]
    assert one.run("x = 6; print('hello'); x * 7")["outcome"] == "ok"
    again = KernelFace(connected.face, "pod", notebook="/n/renamed.ipynb", local_kernel="local-1")
    assert (again.kernel, again.opened["joined"]) == (one.kernel, True)
    # After a restart of the local kernel only the name is left, and that is the new one.
    third = KernelFace(connected.face, "pod", notebook="/n/renamed.ipynb", local_kernel="local-2")
    assert third.kernel == one.kernel
    other = KernelFace(connected.face, "pod", notebook="/n/a.ipynb", local_kernel="local-3")
    assert other.kernel != one.kernel
    fresh = KernelFace(
        connected.face, "pod", notebook="/n/renamed.ipynb", local_kernel="local-2", fresh=True
    )
    assert fresh.kernel not in (one.kernel, other.kernel)
    listed = connected.face.request("kernel.list", pod="pod")["kernels"]
    assert {k["id"] for k in listed if k["alive"]} == {one.kernel, other.kernel, fresh.kernel}
    assert all(k["memory"] for k in listed)


def test_the_mirror_has_the_journals_bytes_also_when_it_is_taken_up_again(
    connected: Place,
) -> None:
    face = KernelFace(connected.face, "pod")
    assert face.run("print('x' * (3 << 20)); 1 / 0")["outcome"] == "error"
    assert face.run(COUNT.format(n=500, pause=0))["outcome"] == "ok"
    assert len(the_same_bytes(connected, face.kernel)) > 3 << 20
    connected.daemon.kill()
    assert face.run(COUNT.format(n=500, pause=0))["outcome"] == "ok"
    the_same_bytes(connected, face.kernel)
    assert "copied anew" not in connected.daemon.log(), "a mirror was damaged"
    face.until(lambda: len(face.records) == face.channel.cursor, "all of it")
    assert [r.last for r in face.records] == list(range(1, len(face.records) + 1))


@pytest.mark.parametrize("how", ["cut", "half-open", "dead one way"])
def test_a_link_that_breaks_in_mid_cell_loses_and_doubles_nothing(
    connected: Place, how: str
) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit(COUNT.format(n=100, pause=0.05))
    face.until_text(cell, "10\n")
    if how == "cut":
        connected.proxy.cut()
    elif how == "half-open":
        connected.proxy.half_open()
    else:
        connected.proxy.dead(UP)
    connected.until_state("reconnecting")
    connected.proxy.heal(reset=how != "half-open")
    assert face.ended(cell)["outcome"] == "ok"
    assert face.text(cell) == lines(100)
    face.in_order()
    face.control("link", state="reconnecting")


KILLS = 3
PRINTED = 150
"""Messages of the killed daemon's cell that a seed chooses from; it has a few more."""


@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=LONG) for s in range(1, 8))])
def test_a_daemon_killed_in_mid_cell_loses_and_doubles_nothing(
    connected: Place, plain: Plain, seed: int
) -> None:
    face = KernelFace(connected.face, "pod")
    gate, go_on = gate_at(connected, "go-on")
    cell = face.submit(mixed(100, 0.02, gate))
    for point in sorted(random.Random(seed).sample(range(1, PRINTED), KILLS)):
        face.until(lambda n=point: len(of(face.records, cell)) >= n, f"message {point}")
        connected.daemon.kill()
    go_on.touch()  # the cell ends while there is no daemon
    assert face.ended(cell)["outcome"] == "ok"
    face.in_order()
    plain.check(of(face.records, cell), 100)
    assert len(connected.daemon.processes()) == 1
    # What a mirror that was taken up again has is the journal, also byte for byte.
    the_same_bytes(connected, face.kernel)
    assert "copied anew" not in connected.daemon.log(), "a mirror was damaged"


@pytest.mark.parametrize("how", ["reset", "healed", "only answers are lost"])
def test_a_request_into_a_half_open_link_runs_once(
    connected: Place, plain: Plain, how: str
) -> None:
    """Where only answers are lost it arrives, and arrives again when the link is back."""
    face = KernelFace(connected.face, "pod")
    face.run("n = 0")
    if how == "only answers are lost":
        connected.proxy.dead(DOWN)
    else:
        connected.proxy.half_open()
    cells = [face.submit(mixed(10, 0, "n += 1; print(n)")) for _ in range(3)]
    connected.until_state("reconnecting")
    cells.append(face.submit(mixed(10, 0, "n += 1; print(n)")))
    snapshot = connected.face.request("snapshot")
    assert snapshot["pods"][0]["waiting"] == 4
    connected.proxy.heal(reset=how == "reset")
    for number, cell in enumerate(cells, 1):
        assert face.ended(cell)["outcome"] == "ok"
        plain.check(of(face.records, cell), 10, f"print({number})")
    face.in_order()
    asked = [r.execution for r in face.records if r.type == "request"]
    assert asked[-4:] == cells


def test_an_interrupt_during_a_cut_is_sent_on_return(connected: Place) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit("print('begun', flush=True)\nimport time\ntime.sleep(60)")
    face.until_text(cell, "begun")
    connected.proxy.cut()
    connected.until_state("reconnecting")
    tag = face.channel.interrupt(cell)
    late = face.channel.interrupt(None)
    connected.proxy.heal()
    assert face.control("interrupted", tag=tag)["done"] is True
    assert face.ended(cell)["ename"] == "KeyboardInterrupt"
    face.control("interrupted", tag=late)
    assert face.run("print('goes on')")["outcome"] == "ok"


def test_an_interrupt_whose_cell_ends_during_the_cut_stops_no_other(connected: Place) -> None:
    face = KernelFace(connected.face, "pod")
    (first, end_first), (second, end_second) = (gate_at(connected, n) for n in ("one", "two"))
    begun = connected.sshd.home / "begun"
    named = face.submit(f"import time\nprint('named', flush=True)\n{first}")
    other = face.submit(f"open({str(begun)!r}, 'w').close()\n{second}print('to the end')")
    face.until_text(named, "named")
    connected.proxy.cut()
    connected.until_state("reconnecting")
    tag = face.channel.interrupt(named)
    end_first.touch()
    until(begun.exists, "the second cell's begin")
    connected.proxy.heal()
    assert face.control("interrupted", tag=tag)["done"] is False
    assert face.ended(named)["outcome"] == "ok"
    end_second.touch()
    assert face.ended(other)["outcome"] == "ok"
    assert face.text(other) == "to the end\n"


def test_while_disconnected_requests_are_rejected_and_the_mirror_is_read(
    connected: Place,
) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit("print('kept')")
    face.ended(cell)
    connected.face.request("pod.disconnect", name="pod")
    face.control("link", state="disconnected")
    face.submit("print('lost')")
    rejected = face.control("rejected")
    assert "Connect it: %gpu connect pod" in rejected["error"]["message"]
    with pytest.raises(NotConnected):
        KernelFace(connected.face, "pod")
    connected.face.request("pod.remove", name="pod")
    found = connected.face.request("execution.find", id=cell[:8])
    assert (found["kernel"], found["execution"]["outcome"]) == (face.kernel, "ok")
    reader = KernelFace(connected.face, "pod", opened=face.opened)
    reader.until_text(cell, "kept")


def test_a_daemon_killed_during_a_cut_takes_everything_up_again(
    connected: Place, plain: Plain
) -> None:
    face = KernelFace(connected.face, "pod")
    gate, go_on = gate_at(connected, "go-on")
    cell = face.submit(mixed(60, 0.02, gate))
    face.until_text(cell, "out 5\n")
    connected.proxy.cut()
    connected.until_state("reconnecting")
    waiting = face.submit("print('after')")
    connected.daemon.kill()
    connected.until_state("reconnecting")
    late = face.submit("print('later')")
    go_on.touch()
    connected.proxy.heal()
    assert face.ended(late)["outcome"] == "ok"
    plain.check(of(face.records, cell), 60)
    assert [face.text(c) for c in (waiting, late)] == ["after\n", "later\n"]
    face.in_order()


def test_an_opening_waits_for_a_pod_that_reconnects(connected: Place) -> None:
    connected.proxy.cut()
    connected.until_state("reconnecting")
    threading.Timer(1.0, connected.proxy.heal).start()
    face = KernelFace(connected.face, "pod")
    assert face.run("1")["outcome"] == "ok"


def test_a_new_host_key_waits_for_the_users_word(connected: Place) -> None:
    words = connected.sshd.words(connected.proxy.port)
    connected.face.request("pod.add", name="two", ssh=words)
    connected.face.request("pod.connect", name="two")
    connected.until_state("host-key", "two")
    pods = connected.face.request("snapshot")["pods"]
    shown = next(p for p in pods if p["name"] == "two")["host_key"]["fingerprint"]
    with pytest.raises(NotConnected, match="host-key"):
        KernelFace(connected.face, "two")
    connected.face.request("pod.connect", name="two", accept_host_key="SHA256:" + "A" * 43)
    connected.until_state("host-key", "two")
    connected.face.request("pod.connect", name="two", accept_host_key=shown)
    connected.until_state("connected", "two")
    found = connected.face.request("doctor")
    assert found["pods"]["two"]["state"] == "connected"
    assert any(
        "connected" in line for line in connected.face.request("pod.log", name="two")["lines"]
    )
    connected.face.request("pod.remove", name="two")
    assert not (connected.daemon.folder / "known_hosts" / "two").exists()
