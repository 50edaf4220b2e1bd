"""A second reader of one cell, from its first line (attach)."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any

from ..client.aio import Channel
from ..client.threaded import ThreadedChannel
from ..errors import error_from_json
from ..wire.compact import closed_comms, trim
from ..wire.records import Record
from .capture import Capture
from .delivery import COMMS, deliver, take_news
from .execution import Execution
from .kernels import RemoteKernel
from .messages import Message
from .pacing import Item

__all__ = ["Follower"]

log = logging.getLogger(__name__)


class Follower:
    """A second reader of one execution, from its first line (attach).

    Comms come by the kernel's own channel, always. Here come what the cell showed, and the
    toggles by which an `ipywidgets.Output` catches it, so that they stay in one row; and
    nothing comes here before it has come there, since it may show a widget.

    Parameters
    ----------
    first, last : int
        Range of the execution's records, as far as it is known. That the pod is gone is
        told only after these: what had arrived is shown first.
    """

    def __init__(self, remote: RemoteKernel, execution: Execution, first: int, last: int) -> None:
        self._remote, self.execution = remote, execution
        self._last = last
        self._link: dict[str, Any] | None = None
        self._capture: Capture | None = None
        if remote.hub is not None and execution.swap is not None:
            old, new = execution.swap
            self._capture = Capture(remote.hub.open, old.decode(), new.decode())
        self._seen = max(0, first - 1)
        # A client of its own, or it would supersede the kernel's own channel.
        channel = Channel(
            pod=remote.pod,
            kernel=remote.id,
            identity=remote.identity,
            client=uuid.uuid4().hex,
            cursor=self._seen,
            on_batch=self.on_batch,
            on_control=self.on_control,
        )
        remote.followers[execution.id] = self
        self.channel = ThreadedChannel(channel, remote.face)
        self.channel.done.add_done_callback(self._channel_ended)

    async def on_batch(self, records: list[Record]) -> None:
        """Show what belongs to the execution, leave out the rest."""
        await self._remote.caught_up(records[-1].last)
        items: list[Item] = []
        execution, pacer = self.execution, self._remote.pacer
        for whole in records:
            try:
                record = trim(whole, self._seen)
                self._seen = max(self._seen, whole.last)
                if record is None:
                    continue
                if execution.outcome is not None:
                    continue
                if record.channel == "keeper" and record.execution is None:
                    items += execution.missing(record)
                    take_news(record, execution)
                    if self._capture and record is not whole and record.type == "superseded":
                        items += self._under(self._capture.stop(closed_comms(record)))
                if record.execution != execution.id:
                    continue
                items += execution.missing(record)
                if record.channel == "iopub" and record.type in COMMS:
                    items += execution.release_error()
                    items += self._under(self._capture.replay(record) if self._capture else ())
                elif record.channel == "iopub":
                    items += execution.take(record)
                else:
                    await deliver(pacer, record, execution, items)
            except Exception as e:  # one odd record costs no other one
                log.warning("record %d of kernel %s", whole.last, self._remote.id, exc_info=True)
                execution.leave_out(e)
        await pacer.flush(items)
        execution.due_questions(self._seen)
        self._tell_link()

    def _tell_link(self) -> None:
        if self._link is not None and self._seen >= self._last:
            self.execution.tell(("link", self._link))
            self._link = None

    async def on_control(self, message: dict[str, Any]) -> None:
        """Take the daemon's word."""
        kind = message.get("type")
        if kind == "link":
            self._link = message
            self._tell_link()
        elif kind == "rejected":
            error = error_from_json(message.get("error"))
            self.execution.events.put(("rejected", message.get("number"), error))

    def _under(self, messages: Iterable[Message]) -> list[Item]:
        sink = self.execution.comm_sink
        return [] if sink is None else [(sink, message) for message in messages]

    def beside(self, message: Message) -> Message | None:
        """What of a comm message of the cell the kernel's own channel shows."""
        if self._capture is None or self.execution.outcome is not None:
            return message
        return self._capture.beside(message)

    def _channel_ended(self, done: Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self.execution.tell(("broken", error))

    def close(self) -> None:
        """Stop reading."""
        if self._remote.followers.get(self.execution.id) is self:
            del self._remote.followers[self.execution.id]
        self.channel.close()
        if self._capture is not None and self.execution.comm_sink is not None:
            for message in self._capture.stop():  # a few: the cell was left in mid-replay
                self.execution.comm_sink.emit(message)
