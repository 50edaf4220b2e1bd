"""Stand-ins in the local kernel for the comms (widgets) that live in a remote one."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from comm import get_comm_manager

from ..client.comms import CommFold, States
from ..wire.compact import closed_comms
from ..wire.records import Record
from .capture import update
from .control import widget_control
from .execution import SHOWN, Execution
from .messages import Message, load, new_message
from .pacing import Item
from .sink import KernelSink
from .standins import StandIn, is_widget_target, plain_header

if TYPE_CHECKING:
    from .follower import Follower

__all__ = ["CommHub"]

Submit = Callable[..., int]
_REQUESTS = 1000
log = logging.getLogger(__name__)


class CommHub:
    """The comms of one remote kernel, open in the local one.

    Parameters
    ----------
    kernel : ipykernel.kernelbase.Kernel
        The local kernel.
    submit : callable
        `ThreadedChannel.submit` of the remote kernel's channel.
    cursor : int
        The newest record when its channel began.
    """

    def __init__(self, kernel: Any, submit: Submit, cursor: int = 0) -> None:
        self._kernel = kernel
        self._submit = submit
        self._fold = CommFold(cursor)
        self._fold_lock = threading.Lock()
        self.open: dict[str, StandIn] = {}
        self._merged: dict[str, int] = {}
        self._requests: OrderedDict[str, dict[str, Any]] = OrderedDict()
        widget_control.join(self, kernel.shell)

    def note(self, record: Record) -> None:
        """Keep the state of the comms, for a front end that comes later.

        Raises
        ------
        WireError
            If `record` is not what its type says.
        """
        with self._fold_lock:
            self._fold.feed(record)

    def states(self) -> States:
        """All widgets as they are now. Safe from any thread."""
        with self._fold_lock:
            return self._fold.states()

    def comm(
        self, record: Record, execution: Execution | None, follower: Follower | None
    ) -> list[Item]:
        """Show a comm message in the cell that it is of, if it passes.

        Parameters
        ----------
        execution : Execution, optional
            The cell, if it ran here.
        follower : Follower, optional
            Who shows it again: some of it then comes from there.
        """
        message = self.admit(Message.of(record), number=record.last)
        if message is None:
            return []
        held: list[Item] = []
        if follower is not None:
            message, execution = follower.beside(message), follower.execution
        elif execution is not None:
            held = execution.release_error()
        if message is None:
            return []
        sink = None if execution is None else execution.comm_sink
        parent = self.parent_of(record.parts[1]) or record.json(1)
        return [*held, (sink or KernelSink(self._kernel, parent), message)]

    def callback(self, record: Record) -> list[Item]:
        """What a widget's callback shows, outside of any cell: under the front end's message."""
        parent = self.parent_of(record.parts[1]) if record.type in SHOWN else None
        return [] if parent is None else [(KernelSink(self._kernel, parent), Message.of(record))]

    def stop_capture(self, record: Record) -> list[Item]:
        """Outputs whose capture began before our cursor and ended in what was superseded."""
        ended = closed_comms(record) if record.type == "superseded" else []
        return self._under_nothing(update(c, {"msg_id": ""}) for c in ended if c in self.open)

    def _under_nothing(self, messages: Iterable[Message]) -> list[Item]:
        sink = KernelSink(self._kernel, {})
        return [(sink, message) for message in messages]

    def admit(self, message: Message, *, number: int) -> Message | None:
        """Take note of a comm message of the remote; None if it does not pass.

        Parameters
        ----------
        message : Message
            A `comm_open`, `comm_msg` or `comm_close`.
        number : int
            Of the record: what the merged state of a reopened comm holds is left out.
        """
        content = message.parse()
        comm_id = content.get("comm_id")
        if not isinstance(comm_id, str) or number <= self._merged.get(comm_id, 0):
            return None
        if message.type == "comm_open":
            if not is_widget_target(content.get("target_name")):
                return None
            self._register(comm_id, str(content["target_name"]))
        elif comm_id not in self.open:
            return None
        elif message.type == "comm_close":
            self._forget(comm_id)
        return message

    def reopen(self, fold: CommFold) -> list[Item]:
        """Open stand-ins for the comms of a log that was read; what tells front ends of them.

        Parameters
        ----------
        fold : CommFold
            At least as far as the kernel's own channel has come.
        """
        with self._fold_lock:
            self._fold = fold
            comms = list(fold.reopened())
        opened = []
        for comm_id, target, data, buffers in comms:
            if comm_id in self.open or not is_widget_target(target):
                continue
            try:
                self._register(comm_id, target)
            except Exception:  # one odd comm costs no other one
                log.warning("comm %r cannot be opened again", comm_id, exc_info=True)
                continue
            self._merged[comm_id] = fold.cursor
            content = {"comm_id": comm_id, "target_name": target, "data": data}
            version = {"version": "2.1.0"}
            opened.append(new_message("comm_open", content, metadata=version, buffers=buffers))
        return self._under_nothing(opened)

    def close_all(self) -> list[Item]:
        """Forget every stand-in; what tells the front ends that the comms ended."""
        with self._fold_lock:
            self._fold = CommFold(self._fold.cursor)
        closed = []
        for comm_id in list(self.open):
            self._forget(comm_id)
            content = {"comm_id": comm_id, "data": {}}
            closed.append(new_message("comm_close", content))
        return self._under_nothing(closed)

    def close(self) -> list[Item]:
        """`close_all`, for good."""
        widget_control.leave(self, self._kernel.shell)
        return self.close_all()

    def parent_of(self, parent: bytes) -> dict[str, Any] | None:
        """The front end's header to whose comm message the remote answers, if it is ours."""
        if not self._requests:
            return None
        return self._requests.get(str(load(parent, "a parent header").get("msg_id")))

    def relay(self, kind: str, msg: Any) -> None:
        """Send a front end's comm message to the remote comm. Safe from any thread.

        The header goes along (without the local subshell), so that what a callback
        prints comes back under it.
        """
        header = msg.get("header") or {}
        msg_id = str(header.get("msg_id") or uuid.uuid4().hex)
        self._requests[msg_id] = header
        while len(self._requests) > _REQUESTS:
            self._requests.popitem(last=False)
        if kind == "comm_close":
            self.open.pop(msg["content"]["comm_id"], None)
        self._submit(
            kind,
            msg["content"],
            channel="shell",
            msg_id=msg_id,
            buffers=[bytes(b) for b in msg.get("buffers") or ()],
            header=plain_header(header),
        )

    def _register(self, comm_id: str, target: str) -> None:
        stand_in = StandIn(comm_id, target, self.relay)
        self.open[comm_id] = stand_in
        get_comm_manager().register_comm(stand_in)

    def _forget(self, comm_id: str) -> None:
        stand_in = self.open.pop(comm_id)
        stand_in._closed = True
        comms = get_comm_manager().comms
        if comms.get(comm_id) is stand_in:
            del comms[comm_id]
