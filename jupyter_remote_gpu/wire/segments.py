"""The segment files of a log: in a row, replaced one by one, and what is left of a damaged one."""

from __future__ import annotations

import errno
import os
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..errors import WireError
from .frames import BEGIN, END, HEAD, WHOLE, check_head
from .records import RANGE, encode_record, keeper_record

CHUNK = 256 << 10


@dataclass(eq=False)
class Segment:
    """One file of a log: the records from number `first` up to the next segment's."""

    first: int
    path: Path
    size: int = 0


def segment_path(folder: Path, first: int) -> Path:
    """The file of the segment that begins with record `first`."""
    return folder / f"{first:020d}.seg"


def segments_in(folder: Path) -> list[Segment]:
    """The segments in `folder`, oldest first.

    Where the first file is missing it is listed all the same: reading it fails, as reading
    any other that is missing does.

    Raises
    ------
    ValueError
        If there is a file that is none of ours.
    """
    found = [Segment(int(p.stem), p, p.stat().st_size) for p in sorted(folder.glob("*.seg"))]
    if found and found[0].first != 1:
        found.insert(0, Segment(1, segment_path(folder, 1)))
    return found


def damage_in(segments: list[Segment]) -> int | None:
    """The first number of a segment that is not whole; None if none is seen.

    Only the newest closed one is read: it is the one that a power cut may have shortened.
    Of the others a reader finds out.
    """
    if segments and not segments[0].path.exists():
        return segments[0].first
    for segment, following in pairwise(segments[-2:]):
        if _readable(segment.path) != (segment.size, following.first - 1):
            return segment.first
    return None


class Row:
    """The segments of a log, oldest first; there is at least one while the log is open.

    Attributes
    ----------
    damage : int or None
        The first number of a segment that cannot be read, as far as is known: whoever owns the
        log may `Log.cut` there, or put a mended file in its place by `adopt`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.segments: list[Segment] = []
        self.damage: int | None = None

    def find(self) -> None:
        """Look at what is in the folder; raises as `segments_in` does."""
        self.segments = segments_in(self.folder)
        self.damage = damage_in(self.segments)

    @property
    def size(self) -> int:
        """Bytes in all segment files."""
        return sum(s.size for s in self.segments)

    def segment_after(self, first: int) -> Segment | None:
        """The segment that follows the one which begins at `first`."""
        index = bisect_right(self.segments, first, key=lambda s: s.first)
        return self.segments[index] if index < len(self.segments) else None

    def segment_with(self, number: int) -> Segment | None:
        """The segment in which record `number` lies or will lie."""
        index = bisect_right(self.segments, number, key=lambda s: s.first)
        return self.segments[index - 1] if index else None

    def adopt(self, old: Segment, path: Path) -> None:
        """Put the file `path` (frames for the same range) in the place of the closed `old`.

        Readers that have the old file open finish it; later ones see the new.
        """
        index = self.segments.index(old)
        if index == len(self.segments) - 1:
            raise ValueError("the segment that is written cannot be replaced")
        new = Segment(old.first, old.path, path.stat().st_size)
        os.replace(path, old.path)
        self.segments[index] = new
        if self.damage == old.first:
            self.damage = None

    def found_damage(self, number: int) -> None:
        """Record `number`, or what lies before it in its segment, cannot be read."""
        segment = self.segment_with(number)
        first = 1 if segment is None else segment.first
        self.damage = min(first, self.damage or first)


def scan_segment(fd: int) -> tuple[int, int]:
    """Check a segment from its beginning, where `fd` is.

    Returns
    -------
    size, last : int
        Bytes up to the end of the last whole, undamaged record, and its number (0: none).
    """
    at = good = last = 0
    pending: int | None = None
    with open(fd, "rb", CHUNK, closefd=False) as file:
        while len(head := file.read(HEAD.size)) == HEAD.size:
            size, kind, crc = HEAD.unpack(head)
            try:
                check_head(size, kind)
            except WireError:
                break
            payload = file.read(size)
            if len(payload) < size or zlib.crc32(payload) != crc:
                break
            at += HEAD.size + size
            if kind in (WHOLE, BEGIN):
                if size < RANGE.size:
                    break
                pending = RANGE.unpack_from(payload)[1]
            if kind in (WHOLE, END) and pending is not None:
                good, last, pending = at, pending, None
    return good, last


def mended(path: Path, first: int, following: int, reason: str) -> bytes | None:
    """A closed segment for records `first` up to `following`, with a `gap` for what is lost.

    Parameters
    ----------
    path : Path
        The segment's file; it may be missing.
    reason : str
        What the gap says.

    Returns
    -------
    bytes or None
        None if it is whole.
    """
    size = path.stat().st_size if path.exists() else 0
    good, last = _readable(path)
    if last >= following:
        good = last = 0
    last = last or first - 1
    if good == size and last == following - 1:
        return None
    kept = b""
    if good:
        with open(path, "rb") as f:
            kept = f.read(good)
    if last == following - 1:
        return kept
    content = {"messages": following - 1 - last, "bytes": size - good, "reason": reason}
    return kept + encode_record(last + 1, following - 1, *keeper_record("gap", content))


def _readable(path: Path) -> tuple[int, int]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return 0, 0
    try:
        return scan_segment(fd)
    except OSError as e:
        if e.errno == errno.EIO:  # a bad block
            return 0, 0
        raise  # it may be good: nobody must take it for damaged
    finally:
        os.close(fd)
