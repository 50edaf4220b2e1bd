"""The log on disk: bytes are exact, readers are independent, a torn end is cut off."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.wire.frames import WHOLE, FrameDecoder
from jupyter_remote_gpu.wire.log import Log
from jupyter_remote_gpu.wire.reader import LogReader
from jupyter_remote_gpu.wire.records import RecordAssembler, encode_record

HEADER = {"channel": "iopub", "type": "stream"}


def record(number: int, size: int = 100) -> bytes:
    return encode_record(number, number, HEADER, [b"%d " % number, b"x" * size])


def fill(log: Log, count: int, size: int = 100) -> bytes:
    written = []
    for number in range(log.last + 1, log.last + 1 + count):
        data = record(number, size)
        log.append(data, number, number)
        written.append(data)
    return b"".join(written)


def rest(reader: LogReader, max_bytes: int = 5000) -> bytes:
    pieces = []
    while data := reader.read(max_bytes):
        pieces.append(data)
    return b"".join(pieces)


def numbers(data: bytes) -> list[int]:
    decoder, assembler = FrameDecoder(verify=True), RecordAssembler()
    found = [assembler.feed(kind, payload) for kind, payload in decoder.feed(data)]
    return [r.first for r in found if r is not None]


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """The system itself refuses to let files grow: as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_reading_gives_the_bytes_that_were_written(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=3000)
    written = fill(log, 200)
    assert len(log.segments) > 5
    assert rest(log.reader(0)) == written
    assert b"".join(s.path.read_bytes() for s in log.segments) == written


def test_each_cursor_gets_exactly_what_follows(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=3000)
    fill(log, 120)
    for cursor in range(121):
        assert numbers(rest(log.reader(cursor))) == list(range(cursor + 1, 121))


def test_a_reader_follows_the_tail_and_others_do_not_disturb_it(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=2000)
    early, late = log.reader(0), log.reader(0)
    seen = b""
    for _ in range(50):
        written = fill(log, 3)
        now = rest(early)
        assert now == written
        seen += now
    assert rest(late) == seen
    assert late.cursor == early.cursor == log.last == 150


def test_reopened_it_goes_on_where_it_was(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=3000)
    written = fill(log, 40)
    log.close()
    again = Log(tmp_path, segment_bytes=3000)
    assert again.last == 40
    written += fill(again, 40)
    assert rest(again.reader(0)) == written


@pytest.mark.parametrize("segment_bytes", [3000, 1 << 20], ids=["several segments", "one"])
def test_a_whole_log_is_not_damaged(tmp_path: Path, segment_bytes: int) -> None:
    log = Log(tmp_path, segment_bytes=segment_bytes)
    fill(log, 40)
    log.close()
    assert Log(tmp_path, segment_bytes=segment_bytes).damage is None


@pytest.mark.parametrize("damage", ["half", "zeros", "flip"])
def test_a_torn_end_is_cut_off(tmp_path: Path, damage: str) -> None:
    log = Log(tmp_path)
    written = fill(log, 10)
    log.close()
    path = log.segments[-1].path
    extra = record(11)
    if damage == "half":
        extra = extra[: len(extra) // 2]
    elif damage == "zeros":
        extra = extra[:20] + b"\0" * (len(extra) - 20)
    else:
        extra = extra[:-1] + b"y"
    with path.open("ab") as f:
        f.write(extra)
    again = Log(tmp_path)
    assert again.last == 10
    assert path.read_bytes() == written
    written += fill(again, 2)
    assert rest(again.reader(0)) == written


def test_numbers_must_continue(tmp_path: Path) -> None:
    log = Log(tmp_path)
    fill(log, 3)
    for number in (2, 3, 5):
        with pytest.raises(WireError, match="follow"):
            log.append(record(number), number, number)
    log.append(encode_record(3, 6, HEADER, [b"", b""]), 3, 6)
    assert log.last == 6


@pytest.mark.parametrize("cursor", [-1, 4, 10**9])
def test_a_cursor_beyond_the_end_is_an_error(tmp_path: Path, cursor: int) -> None:
    log = Log(tmp_path)
    fill(log, 3)
    with pytest.raises(WireError) as caught:
        log.reader(cursor)
    assert caught.value.code == "cursor"


def test_large_records_are_copied_frame_by_frame(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=4000)
    data = record(1) + record(2, 5 << 20) + record(3)
    reader = log.reader(0)
    complete = [log.append_frame(kind, raw) for kind, raw in FrameDecoder().feed_raw(data)]
    assert complete.count(True) == 3
    assert complete.count(False) > 3
    assert rest(reader) == data


def test_an_incomplete_record_is_not_seen_and_can_be_taken_back(tmp_path: Path) -> None:
    log = Log(tmp_path)
    written = fill(log, 1)
    frames = list(FrameDecoder().feed_raw(record(2, 3 << 20)))
    for kind, raw in frames[:2]:
        assert not log.append_frame(kind, raw)
    assert rest(log.reader(0)) == written
    assert log.last == 1
    log.rollback()
    for kind, raw in frames:
        log.append_frame(kind, raw)
    assert rest(log.reader(0)) == written + b"".join(raw for _, raw in frames)


def test_a_full_disk_loses_nothing_while_the_memory_lasts(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=4000)
    reader = log.reader(0)
    written = fill(log, 10)
    with files_no_larger_than(2000):
        written += fill(log, 100)
        assert log.trouble is not None
        assert not log.congested
        assert rest(reader) == written
        assert numbers(rest(log.reader(105))) == [106, 107, 108, 109, 110]
    assert log.retry(force=True)
    assert log.trouble is None
    written += fill(log, 5)
    assert rest(log.reader(0)) == written
    assert numbers(rest(reader)) == [111, 112, 113, 114, 115]
    log.close()
    assert rest(Log(tmp_path).reader(0)) == written


def test_a_line_costs_its_readers_no_search_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = Log(tmp_path)
    fill(log, 2000)
    reader, late = log.reader(2000), log.reader(1990)
    rest(reader)
    looked = 0

    def counted(*args: int) -> bytes:
        nonlocal looked
        looked += 1
        return pread(*args)

    pread = os.pread
    with files_no_larger_than(log.size):
        fill(log, 1)
        assert numbers(rest(late)) == list(range(1991, 2002))
        assert numbers(rest(reader)) == [2001]
        monkeypatch.setattr(os, "pread", counted)
        for number in range(2002, 2100):
            fill(log, 1)
            assert numbers(rest(reader)) == [number]
        assert looked == 0
    # The disk takes some of it, and then nothing again.
    with files_no_larger_than(log.size + 20 * len(record(2000))):
        assert not log.retry(force=True)
        looked = 0
        fill(log, 1)
        assert numbers(rest(reader)) == [2100]
        assert looked <= 21
        assert numbers(rest(late)) == list(range(2002, 2101))
    assert log.retry(force=True)
    fill(log, 1)
    assert numbers(rest(reader)) == numbers(rest(late)) == [2101]
    assert numbers(rest(log.reader(0))) == list(range(1, 2102))


def test_a_disk_that_fills_in_the_middle_of_a_large_record(tmp_path: Path) -> None:
    log = Log(tmp_path)
    data = record(1) + record(2, 4 << 20)
    with files_no_larger_than(2 << 20):
        for kind, raw in FrameDecoder().feed_raw(data):
            log.append_frame(kind, raw)
        assert log.last == 2
        assert rest(log.reader(0)) == data
    assert log.retry(force=True)
    assert rest(log.reader(0)) == data


def test_memory_beyond_its_bound_is_congestion(tmp_path: Path) -> None:
    log = Log(tmp_path, memory_bytes=5000)
    with files_no_larger_than(0):
        fill(log, 60)
        assert log.congested


def test_a_replaced_segment_does_not_disturb_its_readers(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=3000)
    written = fill(log, 60)
    inside = log.reader(0)
    begun = inside.read(500)
    old = log.segments[0]
    last = log.segments[1].first - 1
    new = tmp_path / "new"
    new.write_bytes(encode_record(1, last, {"channel": "keeper", "type": "gap"}, [b"{}"]))
    log.adopt(old, new)
    assert begun + rest(inside) == written
    assert numbers(rest(log.reader(0)))[:2] == [1, last + 1]
    assert numbers(rest(log.reader(2)))[0] == 1
    with pytest.raises(ValueError, match="written"):
        log.adopt(log.segments[-1], new)


def test_damage_inside_a_segment_is_said(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=3000)
    fill(log, 60)
    path = log.segments[0].path
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(WireError, match="cut short"):
        rest(log.reader(0))
    assert {kind for kind, _ in FrameDecoder().feed(rest(log.reader(59)))} == {WHOLE}
