"""Reading segment files: from a cursor on, in whole frames."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

from ..errors import WireError
from .frames import BEGIN, END, HEAD, WHOLE, check_head
from .records import RANGE, frame_range
from .segments import Segment

if TYPE_CHECKING:
    from .log import Log

CHUNK = 256 << 10


def _passed(data: bytes, cursor: int) -> int:
    """How many bytes at the beginning of `data` are records up to `cursor`."""
    at = 0
    while True:
        size, kind, _ = HEAD.unpack_from(data, at)
        if kind in (WHOLE, BEGIN) and frame_range(data, at)[1] > cursor:
            return at
        at += HEAD.size + size


class LogReader:
    """Follows a log from a cursor on.

    Attributes
    ----------
    cursor : int
        ``last`` of the newest record that was read whole.
    """

    def __init__(self, log: Log, cursor: int) -> None:
        self.cursor = cursor
        self._log = log
        self._segment: Segment | None = None
        self._fd = -1
        self._offset = 0
        self._open_last = 0
        self._ahead = False
        self._cuts = log.cuts

    @property
    def inside(self) -> bool:
        """Whether the beginning of a record was read, and its end was not."""
        return self._open_last > self.cursor

    def read(self, max_bytes: int = CHUNK) -> bytes:
        """The next whole frames, about `max_bytes` of them; ``b""`` at the end.

        Raises
        ------
        WireError
            If a segment file is damaged; the log then knows of it.
        """
        if self._cuts != self._log.cuts:
            if self.inside:
                raise WireError("the log was cut inside the record that is being read")
            self.close()
            self._cuts = self._log.cuts
        try:
            return self._read(max_bytes)
        except WireError:
            self._log.found_damage(self.cursor + 1)
            raise

    def _read(self, max_bytes: int) -> bytes:
        if self.cursor > self._log.last:
            return b""  # it was cut, and what we have read is still to come again
        while True:
            if self._segment is None:
                self._locate()
            assert self._segment is not None
            newest = self._segment is self._log.segments[-1]
            limit = self._segment.size if newest else os.fstat(self._fd).st_size
            if self._ahead:
                self._pass_by(limit)  # what was read from memory lies in the file by now
            if self._offset < limit:
                self._ahead = False
                return self._read_file(limit, max_bytes)
            following = self._log.segment_after(self._segment.first)
            if following is None:
                return self._read_memory()
            if self.cursor + 1 < following.first:
                raise WireError(f"record {self.cursor + 1} is missing in {self._log.folder}")
            self._open(following)

    def close(self) -> None:
        """Let go of the open file; the cursor stays."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
        self._segment = None
        self._ahead = False

    def __del__(self) -> None:
        self.close()

    def _open(self, segment: Segment) -> None:
        ahead = self._ahead
        self.close()
        try:
            self._fd = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError as e:
            raise WireError(f"{segment.path} is gone") from e
        self._segment = segment
        self._offset = 0
        self._ahead = ahead

    def _locate(self) -> None:
        segment = self._log.segment_with(self.cursor + 1) or self._log.segment_with(self.cursor)
        if segment is None:
            raise WireError(f"record {self.cursor + 1} is no longer in {self._log.folder}")
        self._open(segment)
        self._pass_by(segment.size)

    def _pass_by(self, limit: int) -> None:
        """Move on to the first record beyond the cursor, at most to `limit`."""
        while self._offset < limit:
            raw = os.pread(self._fd, HEAD.size + RANGE.size, self._offset)
            if len(raw) < HEAD.size:
                raise WireError(f"{self._log.folder} has a segment that is cut short")
            size, kind, _ = HEAD.unpack_from(raw)
            check_head(size, kind)
            if kind in (WHOLE, BEGIN) and frame_range(raw)[1] > self.cursor:
                return
            self._offset += HEAD.size + size

    def _read_memory(self) -> bytes:
        """What the disk has not taken yet. It will lie in the file behind our place there."""
        self._ahead = bool(self._log.memory)
        found = self._log.memory.after(self.cursor)
        if found is None:
            return b""
        first, last, data = found
        # Several records were written together; we may have the first of them.
        at = _passed(data, self.cursor) if first <= self.cursor else 0
        self.cursor = last
        return data[at:]

    def _read_file(self, limit: int, max_bytes: int) -> bytes:
        want = min(max(max_bytes, HEAD.size), limit - self._offset)
        data = os.pread(self._fd, want, self._offset)
        at = 0
        while len(data) - at >= HEAD.size:
            size, kind, crc = HEAD.unpack_from(data, at)
            stop = at + HEAD.size + size
            try:
                check_head(size, kind)
                if stop > len(data):
                    if at:
                        break
                    data += os.pread(self._fd, stop - len(data), self._offset + len(data))
                    if stop > len(data) or self._offset + stop > limit:
                        raise WireError(f"{self._log.folder} has a segment that is cut short")
                if zlib.crc32(memoryview(data)[at + HEAD.size : stop]) != crc:
                    raise WireError(f"{self._log.folder} has a damaged segment")
                if kind in (WHOLE, BEGIN):
                    self._open_last = frame_range(data, at)[1]
            except WireError:
                if at:
                    break  # what is good before it comes first
                raise
            if kind in (WHOLE, END):
                self.cursor = self._open_last
            at = stop
        if not at:
            raise WireError(f"{self._log.folder} has a segment that is cut short")
        self._offset += at
        return data[:at]
