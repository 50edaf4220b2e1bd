"""More output than the bounds let live, and nobody who reads it: the counts are exact."""

from __future__ import annotations

import os

import psutil
import pytest

from tests.faults.conftest import OpenPlace
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.notebook import LocalKernel
from tests.support.place import Place

MEGA = 1_000_000
LINE = 100
"""Bytes of a line; several are flushed together as one message."""
TIDY_SECONDS = 60.0
"""Within this time after its last line a log is within its bound."""
KEEPER_OVER_IDLE = 100 << 20
FLUSHED_SECONDS = 0.001
"""At most, for a flushed print, here; its local kernel takes a quarter."""
LONG = pytest.mark.long


def _size(folder: os.PathLike[str]) -> int:
    return sum(e.stat().st_size for e in os.scandir(folder) if e.name.endswith(".seg"))


@pytest.mark.parametrize(
    ("size", "bound", "lines"),
    [(10 * MEGA, 2 * MEGA, 10), pytest.param(500 * MEGA, 50 * MEGA, 50, marks=LONG)],
)
def test_what_is_dropped_of_a_flood_is_counted_exactly(
    open_place: OpenPlace, size: int, bound: int, lines: int
) -> None:
    place = open_place(journal_bytes=bound, mirror_bytes=bound)
    face = KernelFace(place.face, "pod")
    face.run("import os, sys, time")
    keeper = psutil.Process(place.keeper_info(face.kernel)["keeper_pid"])
    idle = keeper.memory_info().rss
    messages = size // (LINE * lines)
    done, go_on = place.sshd.home / "done", place.sshd.home / "go-on"
    cell = face.submit(
        f"time.sleep(1)\nfor i in range(0, {messages * lines}, {lines}):\n"
        f"    sys.stdout.write(''.join(f'{{k:0{LINE - 1}}}\\n' for k in range(i, i + {lines})))\n"
        "    sys.stdout.flush()\n"
        f"open({str(done)!r}, 'w').close()\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.05)"
    )
    face.until(lambda: any(r.type == "running" for r in face.of(cell)), "the cell's beginning")
    # Nobody reads: no face, and no daemon that copies.
    face.close()
    place.face.request("pod.disconnect", name="pod")
    until(done.exists, "the end of the flood", 5 * (5 + messages * FLUSHED_SECONDS))
    journal = place.pod_kernel(face.kernel) / "journal"
    until(lambda: _size(journal) <= 1.1 * bound, "a journal within its bound", 5 * TIDY_SECONDS)
    assert keeper.memory_info().rss - idle < KEEPER_OVER_IDLE
    place.connect()
    late = KernelFace(place.face, "pod", opened=face.opened)
    go_on.touch()
    assert late.ended(cell, 60)["outcome"] == "ok"
    late.in_order()
    _check(late, cell, messages, lines)
    log = place.daemon.folder / "mirrors" / face.kernel / "log"
    until(lambda: _size(log) <= 1.1 * bound, "a mirror within its bound", 5 * TIDY_SECONDS)
    late.close()
    # Both bounds together: what a second reader finds in the thinned mirror.
    again = KernelFace(place.face, "pod", opened=face.opened)
    again.ended(cell, 60)
    again.in_order()
    _check(again, cell, messages, lines)


def _check(face: KernelFace, cell: str, messages: int, lines: int) -> None:
    """All lines that came are right and in order; the rest is what the gaps say."""
    numbers = [int(line) for line in face.text(cell).splitlines()]
    gaps = [r for r in face.of(cell) if r.type == "gap"]
    missing = sum(int(g.content["messages"]) for g in gaps)
    assert missing > messages // 2
    assert len(numbers) + lines * missing == lines * messages
    assert sorted(set(numbers)) == numbers
    assert (numbers[0], numbers[-1]) == (0, lines * messages - 1), "the ends stay"
    lost = LINE * lines * missing
    assert sum(int(g.content["bytes"]) for g in gaps) >= lost
    assert all("bound" in g.content["reason"] for g in gaps)


@pytest.mark.long
def test_one_print_of_50_mb_reaches_the_notebook_whole(place: Place, notebook: LocalKernel) -> None:
    code = "%%gpu\ntext = ''.join(f'{i:09}\\n' for i in range(5_000_000))\nprint(text, end='')"
    # The face paces to what a Jupyter Server lets through: 0.7 MB/s.
    cell = notebook.run(code, patience=5 * 50 / 0.7)
    assert cell.reply["status"] == "ok"
    assert cell.text() == "".join(f"{i:09}\n" for i in range(5_000_000))
    assert notebook.run("%%gpu\n1").result == "1"
