"""A log whose disk takes nothing for a while, and records that have no end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.wire.frames import END, MIDDLE, FrameDecoder
from jupyter_remote_gpu.wire.log import Log
from tests.unit.test_log import files_no_larger_than, fill, numbers, record, rest


def test_each_cursor_gets_what_follows_also_of_what_was_written_together(tmp_path: Path) -> None:
    log = Log(tmp_path)
    fill(log, 3)
    with files_no_larger_than(0):
        for first, last in ((4, 23), (24, 24), (25, 40)):
            log.append(b"".join(record(n) for n in range(first, last + 1)), first, last)
        for cursor in range(41):
            reader = log.reader(cursor)
            assert numbers(rest(reader)) == list(range(cursor + 1, 41)), f"cursor {cursor}"
            assert reader.cursor == 40


def test_a_large_record_in_memory_is_congestion_until_there_is_room(tmp_path: Path) -> None:
    log = Log(tmp_path, memory_bytes=2 << 20)
    frames = list(FrameDecoder().feed_raw(record(1, 6 << 20)))
    taken = 0
    with files_no_larger_than(1 << 20):
        while not log.congested:
            log.append_frame(*frames[taken])
            taken += 1
        assert taken < len(frames) - 2
        assert not log.retry(force=True)
        assert log.congested
    assert log.retry(force=True)
    assert not log.congested
    assert log.trouble is None
    for kind, raw in frames[taken:]:
        assert log.append_frame(kind, raw) == (kind == END)
    assert rest(log.reader(0)) == b"".join(raw for _, raw in frames)
    log.close()
    assert Log(tmp_path).last == 1


def test_a_record_without_end_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.wire.log.MAX_RECORD", 3 << 20)
    log = Log(tmp_path)
    written = fill(log, 1)
    (kind, first), (_, middle), *_ = FrameDecoder().feed_raw(record(2, 5 << 20))
    log.append_frame(kind, first)
    with pytest.raises(WireError, match="more than"):
        for _ in range(4):
            log.append_frame(MIDDLE, middle)
    log.rollback()
    assert log.segments[-1].path.read_bytes() == written
    written += fill(log, 3)
    assert rest(log.reader(0)) == written


def test_whatever_writing_says_is_trouble_that_may_pass(tmp_path: Path) -> None:
    log = Log(tmp_path)
    written = fill(log, 2)
    # A descriptor that is good for nothing any more: as of a network disk that was away.
    other = os.open("/dev/null", os.O_RDONLY)
    os.dup2(other, log._tail._fd)
    os.close(other)
    written += fill(log, 1)
    assert "Bad file descriptor" in str(log.trouble)
    assert rest(log.reader(0)) == written
    assert log.retry(force=True)
    assert log.segments[-1].path.read_bytes() == written


def test_where_no_new_segment_can_be_made_the_old_one_goes_on(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=1000)
    in_the_way = [tmp_path / f"{n:020d}.seg" for n in range(2, 50)]
    for path in in_the_way:
        path.mkdir()
    written = fill(log, 20)
    assert "Is a directory" in str(log.trouble)
    assert len(log.segments) == 1
    for path in in_the_way:
        path.rmdir()
    written += fill(log, 20)
    assert log.retry(force=True)
    assert len(log.segments) > 1
    assert rest(log.reader(0)) == written


def test_a_log_that_is_closed_takes_nothing(tmp_path: Path) -> None:
    """Another one may have its place meanwhile."""
    log = Log(tmp_path)
    written = fill(log, 2)
    log.close()
    with pytest.raises(WireError, match="closed"):
        fill(log, 1)
    assert log.segments[-1].path.read_bytes() == written
