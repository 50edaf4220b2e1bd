"""What a log keeps within its bound, and in which order the rest goes (rule 6).

Superseded frames first, then the oldest finished executions, last the middle of a
running one. Decides only; `tidy` does it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .log import Log, Segment
from .tidy import ALL

FINISHED = "the output of finished cells made room: the log has a bound"
MIDDLE = "the middle of a long output made room: the log has a bound"
_SEGMENTS_A_BOUND = 16


def segment_bytes(bound: int, most: int) -> int:
    """A segment's size for a log of `bound` bytes: small enough that dropping one is fine."""
    return max(64 << 10, min(most, bound // _SEGMENTS_A_BOUND))


@dataclass(frozen=True)
class Task:
    """One segment to rewrite; no executions: compact it."""

    segment: Segment
    executions: tuple[str, ...] = ()
    reason: str = ""


class Retention:
    """Watches one log.

    Parameters
    ----------
    log : Log
    bound : int
        Bytes that the log may take.
    """

    def __init__(self, log: Log, bound: int) -> None:
        self._log = log
        self._bound = bound
        self._finished: list[str] = []
        self._running: dict[str, int] = {}
        # By segment (its first number): how it was last rewritten.
        self._compacted: set[int] = set()
        self._thinned: dict[int, int] = {}
        self._emptied: set[int] = set()

    def began(self, execution: str, number: int) -> None:
        """An execution was accepted at record `number`."""
        self._running[execution] = number

    def ended(self, execution: str) -> None:
        """An execution has ended: from now on it may make room."""
        if self._running.pop(execution, None) is not None:
            self._finished.append(execution)

    def next(self) -> Task | None:
        """What is to be done now, if anything; the newest segment is never touched."""
        closed = self._log.segments[:-1]
        for segment in closed:
            if segment.first not in self._compacted:
                return Task(segment)
        if self._log.size <= self._bound:
            return None
        for segment in closed:
            if self._thinned.get(segment.first, 0) < len(self._finished):
                return Task(segment, tuple(self._finished), FINISHED)
        for segment in closed[self._begin_of_running(closed) :]:
            if segment.first not in self._emptied:
                return Task(segment, (ALL,), MIDDLE)
        return None

    def done(self, task: Task) -> None:
        """`task` was carried out, or failed: it is not asked for again."""
        first = task.segment.first
        self._compacted.add(first)
        if ALL in task.executions:
            self._emptied.add(first)
        elif task.executions:
            self._thinned[first] = len(task.executions)

    def _begin_of_running(self, closed: list[Segment]) -> int:
        """Index of the first segment behind the beginning of the oldest running execution."""
        oldest = min(self._running.values(), default=0)
        index = sum(1 for s in closed if s.first <= oldest)
        return max(1, index)
