"""A second reader of one cell, from its first line (attach)."""

from __future__ import annotations

import logging
import uuid
from concurrent.futures import Future
from typing import Any

from ..client.aio import Channel
from ..client.threaded import ThreadedChannel
from ..errors import error_from_json
from ..wire.compact import trim
from ..wire.records import Record
from .delivery import COMMS, deliver, take_news
from .execution import Execution
from .kernels import RemoteKernel
from .messages import Message
from .pacing import Item

__all__ = ["Follower"]

log = logging.getLogger(__name__)


class Follower:
    """A second reader of one execution, from its first line (attach).

    While it reads, this execution's comms come from here and not from the kernel's own
    channel, so that what belongs together (an `ipywidgets.Output` and what it catches)
    comes in one row.

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
        self._handover = remote.seen
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
                if record.execution != execution.id:
                    continue
                items += execution.missing(record)
                if record.channel == "iopub" and record.type in COMMS:
                    items += self._comm(record)
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
            self.execution.events.put(("link", self._link))
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

    def _comm(self, record: Record) -> list[Item]:
        hub, execution = self._remote.hub, self.execution
        sink = execution.comm_sink
        if hub is None or sink is None:
            return []
        message = Message.of(record)
        if record.first <= self._handover and not (
            execution.swap is not None and hub.toggles_capture(message, execution.swap[0].decode())
        ):
            return []  # the front ends have it
        admitted = hub.admit(message, execution.swap, number=record.last)
        return [] if admitted is None else [*execution.release_error(), (sink, admitted)]

    def _channel_ended(self, done: Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self.execution.events.put(("broken", error))

    def close(self) -> None:
        """Stop reading."""
        if self._remote.followers.get(self.execution.id) is self:
            del self._remote.followers[self.execution.id]
        self.channel.close()
