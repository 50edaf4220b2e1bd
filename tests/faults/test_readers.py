"""Readers are independent: one that is away, or reads nothing, costs the others nothing."""

from __future__ import annotations

import uuid

import psutil

from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.wire.frames import CONTROL
from jupyter_remote_gpu.wire.records import RecordAssembler
from tests.faults.mixed import Plain, mixed, of
from tests.support.daemon import RawFace
from tests.support.face import KernelFace
from tests.support.place import Place

DAEMON_OVER_IDLE = 30 << 20
"""What a reader that does not read may cost, in bytes: half of what it leaves unread."""


def test_an_absent_reader_reads_all_later_and_the_other_one_does_not_wait(
    place: Place, other: Face, plain: Plain
) -> None:
    present = KernelFace(place.face, "pod")
    cell = present.submit(mixed(150, 0.02))
    absent = KernelFace(other, "pod", opened=present.opened)
    absent.until_text(cell, "out 20\n")
    absent.close()
    cursor = absent.channel.cursor
    assert present.ended(cell)["outcome"] == "ok"
    present.run("print('and another cell')")
    assert cursor < present.channel.cursor
    back = KernelFace(other, "pod", opened=present.opened, cursor=cursor)
    back.until(lambda: back.channel.cursor >= present.channel.cursor, "all of the rest")
    for face in (present, absent, back):
        face.in_order()
    assert back.records[0].first == cursor + 1
    plain.check(of(present.records, cell), 150)
    plain.check(of(absent.records + back.records, cell), 150)


def test_a_reader_that_stands_still_costs_no_memory_and_no_line(place: Place) -> None:
    present = KernelFace(place.face, "pod")
    present.run("1")
    daemon, lines = psutil.Process(place.daemon.pid), 600
    before = daemon.memory_info().rss
    with RawFace() as still:
        hello = {"client": uuid.uuid4().hex, "pod": "pod"}
        hello["identity"] = present.opened["identity"]
        assert still.hello(f"kernel:{present.kernel}", **hello)["type"] == "welcome"
        # 60 MB, and none of it is read by `still`.
        code = f"for i in range({lines}): print(i, 'x' * 100_000, flush=True)"
        cell = present.submit(code)
        assert present.ended(cell)["outcome"] == "ok"
        assert present.text(cell).count("\n") == lines
        assert daemon.memory_info().rss - before < DAEMON_OVER_IDLE
        assembler, numbers, text = RecordAssembler(), [], ""
        while not numbers or numbers[-1][1] < present.channel.cursor:
            data = still.sock.recv(1 << 20)
            assert data, "the daemon gave the slow reader up"
            for kind, payload in [*still.frames, *still.decoder.feed(data)]:
                record = None if kind == CONTROL else assembler.feed(kind, payload)
                if record is not None:
                    numbers.append((record.first, record.last))
                    if record.execution == cell and record.type == "stream":
                        text += record.content["text"]
            still.frames.clear()
    firsts = [first for first, _ in numbers]
    assert firsts == [1, *(last + 1 for _, last in numbers[:-1])]
    assert [int(line.split()[0]) for line in text.splitlines()] == list(range(lines))
