"""One cell that runs on a pod, as this process sees it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

from ..client.gaps import Gaps
from ..errors import RemoteGPUError
from ..models import PodState
from ..wire.records import Record
from .events import Event, Events
from .messages import Message, new_message
from .pacing import Item, Sink
from .raised import local_counts
from .sink import KernelSink

__all__ = ["DOWN", "SHOWN", "Event", "Execution"]

DOWN = frozenset((str(PodState.DISCONNECTED), str(PodState.FAILED), str(PodState.HOST_KEY)))
"""States of a pod in which nothing is waited for."""

SHOWN = frozenset(
    (
        "stream",
        "display_data",
        "update_display_data",
        "execute_result",
        "clear_output",
        "error",
    )
)
"""The messages that show something. No other one passes, comms apart, which have their own gate."""
_TAIL = 4000


class Execution:
    """What became of one `execute_request`, and where its outputs are shown.

    Parameters
    ----------
    id : str
        32 hex digits.
    msg_id : str
        Of the local cell; two executions may share it.
    count : int
        The local execution count.
    counts : dict
        Remote execution counts and the local ones, of the whole kernel; this one is added.
    catch_up : int
        The newest record when a replay began: before it no question is asked.

    Attributes
    ----------
    sink : Sink or None
        None while nobody looks (detached, or control was given back).
    outcome : str or None
        None while it is queued or runs.
    accepted : threading.Event
        Set when the pod has it in its journal (as `record`), or has rejected it.
    tail : str
        The end of its text, for a handle.
    """

    def __init__(
        self,
        id: str,
        msg_id: str,
        count: int,
        counts: MutableMapping[int, int],
        *,
        catch_up: int = 0,
    ) -> None:
        self.id, self.msg_id, self.count = id, msg_id, count
        self.sink: Sink | None = None
        self.comm_sink: KernelSink | None = None
        self.swap: tuple[bytes, bytes] | None = None
        self.events = Events()
        self.number: int | None = None
        self.withdraw: Callable[[int], None] | None = None
        self.questions: dict[int, tuple[str, bool]] = {}
        self.outcome: str | None = None
        self.ended: dict[str, Any] = {}
        self.died: dict[str, Any] = {}
        self.reply: dict[str, Any] = {}
        self.error: dict[str, Any] | None = None
        self.accepted = threading.Event()
        self.record = 0
        self.rejected: RemoteGPUError | None = None
        self.error_shown = False
        self.requested_at = time.time()
        self.started_at: float | None = None
        self.ended_at: float | None = None
        self.tail = ""
        self.keep_tail = False
        self._counts = counts
        self._catch_up = catch_up
        self._asked: set[int] = set()
        self._held: Message | None = None
        self._left_out = False
        self._gaps = Gaps(id)

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``waiting for an answer``, or how it ended."""
        if self.outcome is not None:
            return self.outcome
        if self.started_at is None:
            return "queued"
        return "waiting for an answer" if self.questions else "running"

    def elapsed(self, ahead: float) -> float:
        """Seconds since the kernel took it up (since it was asked, while it is queued).

        Parameters
        ----------
        ahead : float
            By how much the laptop's clock is ahead of the pod's.
        """
        if self.started_at is None:
            return max(0.0, time.time() - self.requested_at)
        if self.ended_at is not None:  # both by the pod's clock
            return max(0.0, self.ended_at - self.started_at)
        return max(0.0, time.time() - ahead - self.started_at)

    def take(self, record: Record) -> list[Item]:
        """What is to be shown because of an iopub message of this execution, in order."""
        if record.type == "execute_input":
            remote = record.content.get("execution_count")
            if isinstance(remote, int):
                # Attached, it is shown again: its lines are known by the count of then.
                known = self._counts.get(remote) if self._catch_up else None
                self._counts[remote] = self.count if known is None else known
            return []
        if record.type not in SHOWN:
            return []
        message = Message.of(record)
        if message.type == "execute_result":
            message = message.with_content({**message.parse(), "execution_count": self.count})
        if self.keep_tail and message.type == "stream":
            self.tail = (self.tail + str(message.parse().get("text", "")))[-_TAIL:]
        items = self.release_error()
        if message.type == "error":
            self._held, self.error, self.error_shown = message, message.parse(), False
        elif self.sink is not None:
            items.append((self.sink, message))
        return items

    def missing(self, record: Record) -> list[Item]:
        """What tells, before what `record` shows, that something is missing there."""
        text = self._gaps.before(record)
        if not text or self.sink is None:
            return []
        said = new_message("stream", {"name": "stderr", "text": text})
        return [*self.release_error(), (self.sink, said)]

    def release_error(self) -> list[Item]:
        """An error that was held back, now that it turns out not to be the end."""
        held, self._held = self._held, None
        if held is None or self.sink is None:
            return []
        self.error_shown = True
        trace = held.parse().get("traceback")
        if isinstance(trace, list):
            lines = [local_counts(str(line), self._counts) for line in trace]
            held = held.with_content({**held.parse(), "traceback": lines})
        return [(self.sink, held)]

    def finish(self, content: Mapping[str, Any]) -> list[Item]:
        """Take the keeper's `ended`; what is still to be shown before it."""
        items = self.release_error() if content.get("outcome") == "ok" else []
        self._held = None
        self._take_back()
        self.questions.clear()
        self.ended = dict(content)
        self.outcome = str(content.get("outcome"))
        self.ended_at = _time(content)
        return items

    def accept(self, record: object) -> None:
        """Take the keeper's word that the request is in its journal."""
        if isinstance(record, int):
            self.record = record
        self.accepted.set()

    def start(self, content: Mapping[str, Any]) -> None:
        """Take the keeper's `running`."""
        self.started_at = _time(content)

    def ask(self, record: Record) -> None:
        """Take an `input_request`; it is asked by `due_questions`."""
        content = record.content
        self.questions[record.first] = (
            str(content.get("prompt", "")),
            bool(content.get("password")),
        )

    def due_questions(self, seen: int) -> None:
        """Hand the open questions to whoever waits, once a replay has caught up (rule 10)."""
        if not self.questions or seen < self._catch_up or self.outcome is not None:
            return
        for number, (prompt, password) in self.questions.items():
            if number not in self._asked:
                self._asked.add(number)
                self.events.put(("input", number, prompt, password))

    def answered(self, number: int) -> None:
        """The question of record `number` was answered, by whomever."""
        if self.questions.pop(number, None) is not None and self.withdraw is not None:
            self.withdraw(number)

    def tell(self, event: Event) -> None:
        """Tell whoever waits; what ends the waiting ends that for an answer too."""
        self.events.put(event)
        kind, *rest = event
        if kind in ("ended", "broken") or (kind == "link" and rest[0].get("state") in DOWN):
            self._take_back()

    def _take_back(self) -> None:
        for number in list(self.questions):
            if self.withdraw is not None:
                self.withdraw(number)

    def leave_out(self, why: Exception) -> None:
        """A message could not be taken; that is told once, or a broken pod would fill the cell."""
        if not self._left_out:
            self._left_out = True
            self.events.put(("trouble", f"A message of this cell is left out: {why}"))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While somebody reads the events. Afterwards what waited for that waits no more."""
        try:
            yield
        finally:
            if self.outcome is None:
                self.let_go()
            self.events.close()

    def let_go(self) -> None:
        """Nobody looks any more: outputs are kept in the log only."""
        self.sink = None
        self.keep_tail = True


def _time(content: Mapping[str, Any]) -> float:
    value = content.get("time")
    return float(value) if isinstance(value, (int, float)) else time.time()
