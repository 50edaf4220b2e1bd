"""The log: a row of segment files whose bytes are the wire format.

The keeper's journal and the daemon's mirror are both a `Log`. One process writes it;
any number of readers in that process follow it, each with a cursor of its own, and
cost no memory while they stand still, because they read the files.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..errors import WireError
from .frames import BEGIN, END, HEAD, MIDDLE, WHOLE
from .overflow import Overflow
from .reader import LogReader
from .records import MAX_RECORD, check_size, frame_range
from .segments import Row, Segment, scan_segment, segment_path
from .tail import Tail

SEGMENT_BYTES = 8 << 20
MEMORY_BYTES = 32 << 20
RETRY_SECONDS = 1.0


class Log(Row):
    """An append-only, numbered log in a folder.

    Parameters
    ----------
    folder : Path
        Made 0700 if missing. A torn record at its end is cut off.
    segment_bytes : int
        A segment is closed at the first record boundary beyond this size.
    memory_bytes : int
        How much is held in memory while the disk takes nothing.
    on_closed : callable, optional
        Called with each segment that is complete and will not grow any more.

    Attributes
    ----------
    last : int
        Number of the newest complete record; 0 in an empty log.
    trouble : str or None
        Why nothing can be written at the moment; what came since is in memory only.
    congested : bool
        The memory is full as well: whoever can wait should stop appending.
    cuts : int
        How often it was cut: a reader's place may be gone.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        memory_bytes: int = MEMORY_BYTES,
        on_closed: Callable[[Segment], None] | None = None,
    ) -> None:
        super().__init__(folder)
        self.last = 0
        self.cuts = 0
        self.trouble: str | None = None
        self.memory = Overflow(memory_bytes)
        self.segment_bytes = segment_bytes
        self._on_closed = on_closed
        self._partial: tuple[int, int] | None = None
        self._partial_size = 0
        self._partial_memory: list[bytes] | None = None
        self._retry_at = 0.0
        self._tail = self._recover()

    def _recover(self) -> Tail:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self.folder.glob("*.new"):
            path.unlink()  # of an owner that was killed while a segment was rewritten
        self.find()
        if not self.segments:
            return self._add_segment(1)
        newest = self.segments[-1]
        with newest.path.open("r+b", buffering=0) as file:
            good, last = scan_segment(file.fileno())
            if good < newest.size:  # else its time stays, which tells how old it is
                file.truncate(good)
        newest.size = good
        self.last = last or newest.first - 1
        return Tail(newest.path, good)

    def _add_segment(self, first: int) -> Tail:
        path = segment_path(self.folder, first)
        tail = Tail(path)
        tail.create()
        self.segments.append(Segment(first, path))
        return tail

    def close(self) -> None:
        """Close the file that is written; readers keep what they have open."""
        self._tail.close()

    @property
    def congested(self) -> bool:
        held = sum(len(raw) for raw in self._partial_memory or ())
        return self.memory.size + held > self.memory.bound

    # -- appending

    def append(self, data: bytes, first: int, last: int) -> None:
        """Append the frames of one or more whole records that stand for ``first..last``.

        Raises
        ------
        WireError
            If the numbers do not continue the log.
        """
        if not first <= self.last + 1 <= last:
            raise WireError(f"record {first}..{last} does not follow {self.last}")
        if self.memory or self.trouble is not None:
            self.retry()
        if self.memory or not self._write(data):
            self.memory.add(first, last, data)
        else:
            self.segments[-1].size = self._tail.size
        self.last = last
        self._roll()

    def append_frame(self, kind: int, raw: bytes) -> bool:
        """Copy one frame of a record; True when it made a record complete.

        Raises
        ------
        WireError
            If the frame is out of order, the numbers do not continue the log, or the record is
            larger than one may be.
        """
        if kind in (WHOLE, BEGIN):
            if self._partial is not None:
                raise WireError("a record begins inside another one")
            first, last = frame_range(raw)
            if kind == WHOLE:
                self.append(raw, first, last)
                return True
            if not first <= self.last + 1 <= last:
                raise WireError(f"record {first}..{last} does not follow {self.last}")
            self._partial, self._partial_size = (first, last), 0
            if self.memory or self.trouble is not None:
                self.retry()
            self._partial_memory = [] if self.memory else None
        elif kind not in (MIDDLE, END) or self._partial is None:
            raise WireError("the frames of a record are out of order")
        self._partial_size += len(raw) - HEAD.size
        check_size(self._partial_size, MAX_RECORD)
        if self._partial_memory is None and not self._write(raw):
            # What was written of this record is behind the last whole one: take it back.
            begun = self._tail.read(self._complete)
            self._tail.cut(self._complete)
            self._partial_memory = [begun]
        if self._partial_memory is not None:
            self._partial_memory.append(raw)
        if kind != END:
            return False
        assert self._partial is not None
        first, last = self._partial
        if self._partial_memory is not None:
            self.memory.add(first, last, b"".join(self._partial_memory))
        else:
            self.segments[-1].size = self._tail.size
        self._partial = self._partial_memory = None
        self.last = last
        self._roll()
        return True

    def rollback(self) -> None:
        """Drop the incomplete record at the end, if there is one (its link was cut)."""
        if self._partial is not None:
            if self._tail.size > self._complete:
                self._tail.cut(self._complete)
            self._partial = self._partial_memory = None

    def retry(self, force: bool = False) -> bool:
        """Try to write what waits in memory; at most once a second unless forced.

        Returns
        -------
        bool
            Whether everything is on the disk.
        """
        if not self.memory and self.trouble is None:
            return True
        now = time.monotonic()
        if not force and now < self._retry_at:
            return False
        self._retry_at = now + RETRY_SECONDS
        while self.memory:
            first, last, data = self.memory.take()
            if not self._write(data):
                self.memory.put_back(first, last, data)
                return False
            self.segments[-1].size = self._tail.size
            if self._complete >= self.segment_bytes:
                self._close_segment(last + 1)
        if self._partial_memory is not None:
            if not self._write(b"".join(self._partial_memory)):
                return False
            self._partial_memory = None
        self.trouble = None
        return True

    @property
    def _complete(self) -> int:
        return self.segments[-1].size

    def _write(self, data: bytes) -> bool:
        try:
            self._tail.write(data)
        except OSError as e:
            self._in_trouble(e)
            return False
        return True

    def _in_trouble(self, error: OSError) -> None:
        # Whatever it is (no room, a network disk that is away): it may pass, and must end nothing.
        self.trouble = f"{error.strerror or error} ({self.folder})"
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _roll(self) -> None:
        if not self.memory and self._complete >= self.segment_bytes:
            self.close_segment()

    def close_segment(self) -> None:
        """Close the segment that is written, whatever its size."""
        self._close_segment(self.last + 1)

    def _close_segment(self, next_first: int) -> None:
        closed = self.segments[-1]
        try:
            tail = self._add_segment(next_first)
        except OSError as e:
            self._in_trouble(e)  # the old segment simply goes on until a new file can be made
            return
        self._tail.close()
        self._tail = tail
        if self._on_closed is not None:
            self._on_closed(closed)

    def cut(self, first: int) -> None:
        """Drop the segment that begins with record `first` and all that follows.

        Whoever cuts has it again, and appends it: readers that were further wait for that.

        Raises
        ------
        OSError
            If the disk does not let it. Nothing may be appended before another `cut` did it.
        """
        self.rollback()
        self.cuts += 1
        self.last = first - 1
        self.memory.clear()
        self._tail.close()
        # The newest goes first: what is left by a daemon that is killed meanwhile has no hole.
        while self.segments and self.segments[-1].first >= first:
            self.segments[-1].path.unlink(missing_ok=True)
            self.segments.pop()
        self._tail = self._add_segment(first)
        self.damage = None

    def reader(self, cursor: int) -> LogReader:
        """A reader of what follows `cursor`; `WireError` (code ``cursor``) beyond the end."""
        if cursor < 0 or cursor > self.last:
            raise WireError(f"cursor {cursor} is beyond record {self.last}", code="cursor")
        return LogReader(self, cursor)
