"""More output than the bounds let live, and nobody who reads it: the counts are exact."""

from __future__ import annotations

import os

import psutil
import pytest

from jupyter_remote_gpu.wire.log import SEGMENT_BYTES
from jupyter_remote_gpu.wire.retention import segment_bytes
from tests.faults.conftest import OpenPlace
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.notebook import LocalKernel
from tests.support.place import Place

MEGA = 1_000_000
SPREAD = 16
"""Bytes by which the ids and times of two messages may differ in length."""
LINE = 100
"""Bytes of a line; several are flushed together as one message."""
OTHERS = 4
"""A cell's messages beside its output: its input, its reply, busy and idle."""
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
    cut, done, go_on = (place.sshd.home / name for name in ("cut", "done", "go-on"))
    segment = segment_bytes(bound, SEGMENT_BYTES)
    cell = face.submit(
        f"for i in range(0, {messages * lines}, {lines}):\n"
        f"    if i > {segment // LINE} and not os.path.exists({str(cut)!r}): time.sleep(0.05)\n"
        f"    sys.stdout.write(''.join(f'{{k:0{LINE - 1}}}\\n' for k in range(i, i + {lines})))\n"
        "    sys.stdout.flush()\n"
        f"open({str(done)!r}, 'w').close()\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.05)"
    )
    journal = place.pod_kernel(face.kernel) / "journal"

    def in_its_midst() -> bool:
        *closed, newest = sorted(journal.glob("*.seg"))
        copied = face.records and face.records[-1].last > int(newest.stem)
        return bool(closed and copied) and 0.3 < newest.stat().st_size / segment < 0.6

    # The mirror ends in the midst of a segment that will be emptied on the pod.
    until(in_its_midst, "a cell in the midst of a segment", 60)
    # Between the texts alone (joined ones have their ids once) and messages as large as those
    # that came as the kernel sent them, while somebody read.
    largest = SPREAD + max(
        sum(len(part) for part in record.parts)
        for record in face.of(cell)
        if record.type == "stream" and "pieces" not in record.head
    )
    bytes_each = LINE * lines, largest
    # Nobody reads: no face, and no daemon that copies.
    face.close()
    place.face.request("pod.disconnect", name="pod")
    (pod,) = place.face.request("snapshot")["pods"]
    (copied,) = (k["last"] for k in pod["kernels"])
    assert not (journal / f"{copied + 1:020d}.seg").exists(), "the copy ends with a segment"
    cut.touch()
    until(done.exists, "the end of the flood", 5 * (5 + messages * FLUSHED_SECONDS))
    until(lambda: _size(journal) <= 1.1 * bound, "a journal within its bound", 5 * TIDY_SECONDS)
    assert keeper.memory_info().rss - idle < KEEPER_OVER_IDLE
    place.connect()
    late = KernelFace(place.face, "pod", opened=face.opened)
    end = f"{messages * lines - 1:0{LINE - 1}}"
    late.until(lambda: late.records and end in str(late.records[-1].parts[-1:]), "the flood", 60)
    go_on.touch()
    assert late.ended(cell, 60)["outcome"] == "ok"
    late.in_order()
    assert _check(late, cell, messages, bytes_each)[0] == 0, (
        "the beginning stays while the cell runs"
    )
    log = place.daemon.folder / "mirrors" / face.kernel / "log"
    until(lambda: _size(log) <= 1.1 * bound, "a mirror within its bound", 5 * TIDY_SECONDS)
    late.close()
    # Both bounds together: what a second reader finds in the thinned mirror.
    again = KernelFace(place.face, "pod", opened=face.opened)
    again.ended(cell, 60)
    again.in_order()
    _check(again, cell, messages, bytes_each)


def _check(face: KernelFace, cell: str, messages: int, bytes_each: tuple[int, int]) -> list[int]:
    """All lines that came are right and in order, the rest is what the gaps say; the lines."""
    least, most = bytes_each
    lines = least // LINE
    numbers = [int(line) for line in face.text(cell).splitlines()]
    gaps = [r for r in face.of(cell) if r.type == "gap"]
    missing = sum(int(g.content["messages"]) for g in gaps)
    assert missing > messages // 2
    came = {True: 0, False: 0}
    for record in face.of(cell):
        if record.channel != "keeper":
            came[record.type == "stream"] += len(record.head.get("pieces") or "1")
    assert came[True] + came[False] + missing == messages + OTHERS
    assert len(numbers) == lines * came[True]
    assert sorted(set(numbers)) == numbers
    assert numbers[-1] == lines * messages - 1, "the end stays"
    dropped = sum(int(g.content["bytes"]) for g in gaps)
    assert least * (missing - OTHERS) <= dropped <= most * missing
    assert all("bound" in g.content["reason"] for g in gaps)
    return numbers


@pytest.mark.long
def test_one_print_of_50_mb_reaches_the_notebook_whole(place: Place, notebook: LocalKernel) -> None:
    code = "%%gpu\ntext = ''.join(f'{i:09}\\n' for i in range(5_000_000))\nprint(text, end='')"
    # The face paces to what a Jupyter Server lets through: 0.7 MB/s.
    cell = notebook.run(code, patience=5 * 50 / 0.7)
    assert cell.reply["status"] == "ok"
    assert cell.text() == "".join(f"{i:09}\n" for i in range(5_000_000))
    assert notebook.run("%%gpu\n1").result == "1"
