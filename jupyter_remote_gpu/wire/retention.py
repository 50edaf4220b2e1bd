"""What a log keeps within its bound, and in which order the rest goes (rule 6).

Superseded frames first, then the oldest finished executions, last the middle of a
running one. Decides only; `tidy` does it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .log import Log
from .segments import Segment

FINISHED = "the output of finished cells made room: the log has a bound"
MIDDLE = "the middle of a long output made room: the log has a bound"
_SEGMENTS_A_BOUND = 16
LARGE_BYTES = 32 << 20
"""A closed segment is so much larger than `log.SEGMENT_BYTES` by one large record only. Compacting
it takes several times its memory, which the kernel may need, and makes it no smaller."""
_OUTRUN = 1.5
"""A log that compaction will not bring below so many times its bound is thinned before it ends."""


def segment_bytes(bound: int, most: int) -> int:
    """A segment's size for a log of `bound` bytes: small enough that dropping one is fine."""
    return max(64 << 10, min(most, bound // _SEGMENTS_A_BOUND))


@dataclass(frozen=True)
class Task:
    """One segment to rewrite.

    Attributes
    ----------
    spared : tuple of (str or None), or None
        The executions whose output stays (None among them: what belongs to none); the rest
        becomes a gap. None: compact it, nothing is lost.
    reason : str
        What the gap says.
    """

    segment: Segment
    spared: tuple[str | None, ...] | None = None
    reason: str = ""


class Retention:
    """Watches one log.

    Parameters
    ----------
    log : Log
    bound : int
        Bytes that the log may take; may be changed.
    """

    def __init__(self, log: Log, bound: int) -> None:
        self._log = log
        self.bound = bound
        self._running: dict[str, int] = {}
        # By segment (its first number): whether it was compacted, whose output is left in it.
        self._compacted: set[int] = set()
        self._shrunk_to = 0.0  # by the newest compaction; before the first one nothing goes
        self._spared: dict[int, tuple[str | None, ...]] = {}

    def began(self, execution: str, number: int) -> None:
        """An execution was accepted at record `number`."""
        self._running[execution] = number

    def ended(self, execution: str) -> None:
        """An execution has ended: from now on it may make room."""
        self._running.pop(execution, None)

    def next(self) -> Task | None:
        """What is to be done now, if anything; the newest segment is never touched."""
        closed = self._log.segments[:-1]
        loose = next((s for s in closed if not self.is_compacted(s)), None)
        # Of large texts a compaction makes nothing smaller, and a flood of them outruns it.
        if self._expected(closed) > _OUTRUN * self.bound and (task := self._thinning(closed)):
            return task
        if loose is not None:
            return Task(loose)
        return self._thinning(closed) if self._log.size > self.bound else None

    def _expected(self, closed: list[Segment]) -> float:
        """The log's size once all of it is compacted, if the rest shrinks as the newest did."""
        loose = sum(s.size for s in closed if not self.is_compacted(s))
        return self._log.size - loose * (1 - self._shrunk_to)

    def _thinning(self, closed: list[Segment]) -> Task | None:
        for segment, following in zip(closed, self._log.segments[1:], strict=True):
            spared = self._spared.get(segment.first)
            if spared is None or any(e and e not in self._running for e in spared):
                running = (e for e, n in self._running.items() if n < following.first)
                return Task(segment, (None, *running), FINISHED)
        # A cell's end stays too, also where its newest segment has only just begun.
        for segment in closed[self._begin_of_running(closed) : -1]:
            if self._spared[segment.first]:
                return Task(segment, (), MIDDLE)
        return None

    def done(self, task: Task) -> None:
        """`task` was carried out, or never can be: it is not asked for again."""
        old, new = task.segment, self._log.segment_with(task.segment.first)
        if task.spared is not None:
            self._spared[old.first] = task.spared
        elif new is not None and new is not old and old.size:
            self._shrunk_to = min(1.0, new.size / old.size)
        if not any(task.spared or ()):  # else a running cell's frames in it may still be superseded
            self._compacted.add(old.first)

    def is_compacted(self, segment: Segment) -> bool:
        """Whether nothing is left in `segment` that a compaction could make smaller."""
        return segment.first in self._compacted or segment.size > LARGE_BYTES

    def failed(self, task: Task) -> None:
        """`task` failed, and may be carried out later (the disk was full).

        Only a compaction can be done without: what would be thinned out next in this
        one's place is younger.
        """
        if task.spared is None:
            self.done(task)

    def _begin_of_running(self, closed: list[Segment]) -> int:
        """Index of the first segment behind the beginning of the oldest running execution."""
        oldest = min(self._running.values(), default=0)
        index = sum(1 for s in closed if s.first <= oldest)
        return max(1, index)
