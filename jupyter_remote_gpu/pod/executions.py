"""What was asked of the kernel: each request once, and one execution at a time."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

SETTLE_SECONDS = 0.3
_REMEMBERED = 10_000


@dataclass
class Execution:
    """An execute_request from its acceptance to its end.

    Attributes
    ----------
    parts : list of bytes
        The message to send; emptied once it was handed over.
    give_up_at : float or None
        The kernel is idle again but has not replied: when (monotonic, s) to stop waiting.
    begun_at : float or None
        When (monotonic, s) the kernel took its code up.
    """

    id: str
    client: str
    number: int
    record: int
    msg_id: str
    silent: bool = False
    parts: list[bytes] = field(default_factory=list)
    running: bool = False
    begun_at: float | None = None
    interrupt_wanted: bool = False
    interrupted: bool = False
    reply: dict[str, Any] | None = None
    reply_record: int | None = None
    idle: bool = False
    give_up_at: float | None = None
    outcome: str | None = None

    def interruptible_at(self) -> float | None:
        """From when (monotonic, s) on an interrupt reaches the cell's own code.

        Earlier, an idle kernel ignores the signal, and IPython's callbacks swallow it.
        """
        return None if self.begun_at is None else self.begun_at + SETTLE_SECONDS

    @property
    def complete(self) -> bool:
        """Reply and idle were both seen, in whichever order they came."""
        return self.reply is not None and self.idle


class Requests:
    """Which requests of which client were taken; a second one is recognised.

    Numbers of one client rise, and hops keep their order, so the newest number tells.
    What became of the newest `_REMEMBERED` requests can still be told.
    """

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self._known: OrderedDict[tuple[str, int], tuple[int | None, str | None]] = OrderedDict()

    def seen(self, client: str, number: int) -> tuple[int | None, str | None] | None:
        """``(record, execution)`` of a request that was taken before; None for a new one."""
        if number > self._newest.get(client, 0):
            return None
        return self._known.get((client, number), (None, None))

    def take(self, client: str, number: int, record: int | None, execution: str | None) -> None:
        self._newest[client] = number
        self._known[client, number] = (record, execution)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


class Queue:
    """Executions in the order in which they were accepted; one is with the kernel.

    The others wait here and not in the kernel, so that a waiting one can be taken back.
    """

    def __init__(self) -> None:
        self.waiting: deque[Execution] = deque()
        self.current: Execution | None = None
        self._by_message: OrderedDict[str, str] = OrderedDict()

    def add(self, execution: Execution) -> None:
        self.waiting.append(execution)

    def next(self) -> Execution | None:
        """Make the first waiting execution current, if none is."""
        if self.current is not None or not self.waiting:
            return None
        self.current = self.waiting.popleft()
        self._by_message[self.current.msg_id] = self.current.id
        self._by_message.move_to_end(self.current.msg_id)
        if len(self._by_message) > _REMEMBERED:
            self._by_message.popitem(last=False)
        return self.current

    def owner(self, msg_id: object) -> str | None:
        """The execution to which a message with this parent belongs.

        Late output of a thread belongs to the newest execution with that msg_id.
        """
        return self._by_message.get(msg_id) if isinstance(msg_id, str) else None

    def find(self, execution: str | None) -> Execution | None:
        """The execution if it waits or runs; None asks for the current one."""
        if execution is None or (self.current is not None and self.current.id == execution):
            return self.current
        return next((e for e in self.waiting if e.id == execution), None)

    def all(self) -> list[Execution]:
        return ([self.current] if self.current is not None else []) + list(self.waiting)
