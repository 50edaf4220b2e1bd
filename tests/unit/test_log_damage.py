"""A log whose files were damaged: it says so, is cut, appended again, or mended with a gap."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.pod.mending import mend
from jupyter_remote_gpu.wire.frames import HEAD
from jupyter_remote_gpu.wire.log import Log
from jupyter_remote_gpu.wire.records import decode_records
from jupyter_remote_gpu.wire.segments import mended
from tests.unit.test_log import fill, numbers, record, rest

COUNT = 90


def damaged(folder: Path, spoil: Callable[[Path], None], which: int) -> tuple[Log, int, int]:
    """A reopened log, the first number of its spoilt segment, and that of the next one."""
    log = Log(folder, segment_bytes=3000)
    fill(log, COUNT)
    log.close()
    spoilt, following = log.segments[which], log.segment_after(log.segments[which].first)
    assert following is not None
    spoil(spoilt.path)
    return Log(folder, segment_bytes=3000), spoilt.first, following.first


def shorten(path: Path) -> None:
    """At a boundary: each frame that is left is good."""
    os.truncate(path, 10 * len(record(10)))


def zero(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) // 2))


SPOILT = [shorten, zero, Path.unlink]


@pytest.mark.parametrize("spoil", SPOILT)
def test_damage_is_found_and_what_is_before_it_can_be_read(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    log, first, _ = damaged(tmp_path, spoil, 1)
    assert log.damage is None  # only the newest are looked at
    reader, pieces = log.reader(0), b""
    with pytest.raises(WireError):
        while data := reader.read(500):
            pieces += data
    assert log.damage is not None
    assert log.damage <= first
    seen = numbers(pieces)
    assert seen == list(range(1, reader.cursor + 1))
    assert len(seen) >= log.damage - 1


@pytest.mark.parametrize("spoil", [shorten, zero])
def test_a_power_cut_that_took_the_newest_file_and_more(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    log = Log(tmp_path, segment_bytes=3000)
    fill(log, COUNT)
    log.close()
    os.truncate(log.segments[-1].path, 0)
    spoil(log.segments[-2].path)
    assert Log(tmp_path).damage == log.segments[-2].first


def test_the_first_file_is_missing(tmp_path: Path) -> None:
    log, _, following = damaged(tmp_path, Path.unlink, 0)
    assert log.damage == 1
    with pytest.raises(WireError):
        log.reader(0).read()
    assert numbers(rest(log.reader(following - 1))) == list(range(following, COUNT + 1))


def test_what_was_cut_is_appended_again_and_readers_go_on(tmp_path: Path) -> None:
    log, first, _ = damaged(tmp_path, shorten, 2)
    early, late, middle = log.reader(0), log.reader(COUNT - 5), log.reader(first + 3)
    seen = numbers(early.read(600))
    assert numbers(late.read(300))
    assert late.cursor > first
    at = late.cursor
    log.cut(first)
    assert (log.last, log.damage) == (first - 1, None)
    assert late.read() == middle.read() == b""
    fill(log, 10)
    assert late.read() == b""
    assert numbers(rest(middle)) == list(range(first + 4, first + 10))
    fill(log, COUNT + 7 - log.last)
    assert numbers(rest(late)) == list(range(at + 1, COUNT + 8))
    seen += numbers(rest(early))
    assert seen == list(range(1, COUNT + 8))
    log.close()
    again = Log(tmp_path, segment_bytes=3000)
    assert (again.last, again.damage) == (COUNT + 7, None)


def test_a_cut_drops_what_is_in_memory_and_what_is_half(tmp_path: Path) -> None:
    log = Log(tmp_path, segment_bytes=3000)
    fill(log, 60)
    large = record(61, 3 << 20)
    size = HEAD.size + HEAD.unpack_from(large)[0]
    assert not log.append_frame(HEAD.unpack_from(large)[1], large[:size])
    log.memory.add(62, 62, record(62))
    log.cut(log.segments[1].first)
    written = fill(log, 40)
    assert rest(log.reader(log.last - 40)) == written


def test_a_reader_inside_a_record_is_told_of_the_cut(tmp_path: Path) -> None:
    log = Log(tmp_path)
    large = record(1, 3 << 20)
    log.append(large, 1, 1)
    reader = log.reader(0)
    reader.read(1000)
    assert reader.inside
    log.cut(1)
    log.append(large, 1, 1)
    with pytest.raises(WireError, match="cut"):
        reader.read()
    assert log.damage is None


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_mended_segment_says_what_is_missing(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    log, first, following = damaged(tmp_path, spoil, 1)
    whole = log.segments[0]
    assert mended(whole.path, whole.first, first, "") is None
    data = mended(log.segments[1].path, first, following, "why")
    if spoil is Path.unlink:  # its neighbour takes its numbers too
        (segment,) = [s for s in log.segments if s.first == 1]
        data = mended(segment.path, 1, following, "why")
        first = 1
    assert data is not None
    records = list(decode_records(data))
    assert [r.first for r in records[:-1]] == list(range(first, records[-1].first))
    gap = records[-1]
    assert gap.last == following - 1
    assert gap.content["messages"] == gap.last - gap.first + 1
    assert gap.content["reason"] == "why"


def test_a_journal_without_its_first_file_is_mended(tmp_path: Path) -> None:
    _, _, following = damaged(tmp_path, Path.unlink, 0)
    mend(tmp_path)
    log = Log(tmp_path)
    assert log.damage is None
    gap, *others = decode_records(rest(log.reader(0)))
    assert (gap.first, gap.last, gap.type) == (1, following - 1, "gap")
    assert [r.first for r in others] == list(range(following, COUNT + 1))
