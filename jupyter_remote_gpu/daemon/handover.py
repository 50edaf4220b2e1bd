"""What faces ask of a kernel: handed to its keeper, answered from the journal, or rejected."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import RemoteGPUError
from ..models import ExecutionInfo
from ..wire.records import Record
from .audience import Audience
from .executions import Executions
from .outbox import Outbox, asked_execution, check_request, interrupt_frame


class Handover:
    """The way of one kernel's requests and interrupts.

    Parameters
    ----------
    audience : Audience
        Who is answered.
    executions : callable
        Gives what the mirror knows of the kernel's cells.

    Attributes
    ----------
    send : callable
        Writes a frame to the keeper now; False when there is no bridge.
    on_need : callable
        Called when something waits for a bridge.
    """

    def __init__(self, audience: Audience, executions: Callable[[], Executions]) -> None:
        self.outbox = Outbox()
        self.send: Callable[[bytes], bool] = lambda frame: False
        self.on_need: Callable[[], None] = lambda: None
        self._audience = audience
        self._executions = executions

    def request(self, client: str, record: Record, obstacle: RemoteGPUError | None) -> None:
        """Hand a face's request over, or reject it because of `obstacle`.

        One that the journal has is acknowledged, however the kernel stands: it ran.

        Raises
        ------
        WireError
            If no keeper would take it.
        """
        check_request(record, client)
        known = self._known(asked_execution(record), client)
        if known is not None:
            self._acknowledge(client, record.first, known)
            return
        data = None
        if obstacle is None:
            try:
                data = self.outbox.add(client, record)
            except RemoteGPUError as e:
                obstacle = e
        if obstacle is not None:
            self._audience.reject(client, record.first, obstacle)
            return
        if data is not None and self.send(data):
            self.outbox.sent(client, record.first)
        self.on_need()

    def interrupt(
        self, client: str, tag: str, execution: str | None, obstacle: RemoteGPUError | None
    ) -> None:
        """Pass an interrupt on now, or when the link is back."""
        # Sent later or again, "whatever runs" may only be what runs now.
        target = execution or self._executions().running()
        sent = obstacle is None and self.send(interrupt_frame(tag, execution))
        if obstacle is not None or (target is None and not sent):
            self._audience.tell(client, {"type": "interrupted", "tag": tag, "done": False})
            return
        self.outbox.interrupts[tag] = (client, target)
        self.on_need()

    def settle(self) -> None:
        """Acknowledge what the journal has: the keeper's own word may be lost with a bridge."""
        for (client, number), waiting in list(self.outbox.requests.items()):
            known = self._known(waiting.execution, client)
            if known is not None:
                self.outbox.done(client, number)
                self._acknowledge(client, number, known)

    def unbridged(self) -> None:
        """No bridge any more: an interrupt that named no cell is void, the rest waits."""
        waiting = self.outbox.interrupts.items()
        self._void(tag for tag, (_, execution) in waiting if execution is None)

    def give_up(self, error: RemoteGPUError, sent: bool = False) -> None:
        """Reject what waits; with `sent` also what a keeper may have. Interrupts are void.

        Who sent that is told so (``sent`` in the details): it may have run.
        """
        for key in self.outbox.take_unsent():
            self._audience.reject(*key, error)
        if sent:
            details = {**error.details, "sent": True}
            maybe = type(error)(error.message, code=error.code, details=details)
            for key in self.outbox.take_all():
                self._audience.reject(*key, maybe)
        self._void(self.outbox.interrupts)

    def _known(self, execution: str | None, client: str) -> ExecutionInfo | None:
        info = self._executions().all.get(execution or "")
        return info if info is not None and info.client == client else None

    def _acknowledge(self, client: str, number: int, known: ExecutionInfo) -> None:
        answer = {"type": "ack", "client": client, "number": number, "record": known.first}
        self._audience.tell(client, {**answer, "execution": known.id, "duplicate": True})

    def _void(self, tags: Iterable[str]) -> None:
        for tag in list(tags):
            client, _ = self.outbox.interrupts.pop(tag)
            self._audience.tell(client, {"type": "interrupted", "tag": tag, "done": False})
