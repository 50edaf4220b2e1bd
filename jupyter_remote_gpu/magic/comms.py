"""Stand-ins in the local kernel for the comms (widgets) that live in a remote one."""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from comm import get_comm_manager
from comm.base_comm import BaseComm

from .messages import Message, load, new_message
from .sink import KernelSink

__all__ = ["CommHub", "StandIn", "is_widget_target"]

Submit = Callable[..., int]
_REQUESTS = 1000
_CONTROL = "jupyter.widget.control"


def is_widget_target(target: object) -> bool:
    """Whether comms to this target pass: only widgets' do, in either direction."""
    return target in ("jupyter.widget", _CONTROL, "jupyter.widget.version")


def plain_header(header: dict[str, Any]) -> dict[str, Any]:
    """A front end's header as JSON, without the subshell, which is of the local kernel."""
    return {
        k: v.isoformat() if isinstance(v, datetime) else v
        for k, v in header.items()
        if k != "subshell_id"
    }


class StandIn(BaseComm):
    """What the local comm manager finds under a remote comm's id; it passes things on.

    Parameters
    ----------
    relay : callable
        Takes ``(msg_type, msg)`` for each message of a front end.
    """

    def __init__(self, comm_id: str, target: str, relay: Callable[[str, Any], None]) -> None:
        super().__init__(target_name=target, comm_id=comm_id, primary=False)
        self._relay = relay

    def handle_msg(self, msg: Any) -> None:
        self._relay("comm_msg", msg)

    def handle_close(self, msg: Any) -> None:
        self._relay("comm_close", msg)

    def publish_msg(self, *args: Any, **keys: Any) -> None:
        """Nothing: what the remote says goes through iopub as it came."""

    def close(self, *args: Any, **keys: Any) -> None:
        """Nothing: only the remote closes its comm (collecting garbage does not)."""


class CommHub:
    """The comms of one remote kernel, open in the local one.

    Parameters
    ----------
    kernel : ipykernel.kernelbase.Kernel
        The local kernel.
    submit : callable
        `ThreadedChannel.submit` of the remote kernel's channel.
    """

    def __init__(self, kernel: Any, submit: Submit) -> None:
        self._kernel = kernel
        self._submit = submit
        self.open: dict[str, StandIn] = {}
        self._merged: dict[str, int] = {}
        self._requests: OrderedDict[str, dict[str, Any]] = OrderedDict()
        # Front ends ask here for the state of all widgets; ipywidgets, where it is imported
        # in the local kernel too, takes the place and answers for its own only.
        get_comm_manager().targets.setdefault(_CONTROL, self.adopt)

    def admit(
        self, message: Message, swap: tuple[bytes, bytes] | None = None, *, number: int
    ) -> Message | None:
        """Take note of a comm message of the remote; None if it does not pass.

        Parameters
        ----------
        message : Message
            A `comm_open`, `comm_msg` or `comm_close`.
        swap : (bytes, bytes), optional
            A cell's msg_id and the one to put in its place: an `ipywidgets.Output`
            catches by it, and an attached cell shows under another one.
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
        if swap is not None and swap[0] in message.content:
            return message.with_content(message.content.replace(*swap))
        return message

    def toggles_capture(self, message: Message, msg_id: str) -> bool:
        """Whether a comm message switches an `ipywidgets.Output` on for this cell, or off."""
        if message.type != "comm_msg" or b"msg_id" not in message.content:
            return False
        data = message.parse().get("data")
        state = data.get("state") if isinstance(data, dict) else None
        return isinstance(state, dict) and state.get("msg_id") in (msg_id, "")

    def stop_capture(self, comm_ids: Iterable[str]) -> list[Message]:
        """Messages with which these Outputs stop to catch what is shown."""
        update = {"method": "update", "state": {"msg_id": ""}, "buffer_paths": []}
        session = self._kernel.session.session
        return [
            new_message("comm_msg", {"comm_id": c, "data": update}, session=session)
            for c in comm_ids
            if c in self.open
        ]

    def reopen(
        self, comms: Iterable[tuple[str, str, dict[str, Any], Sequence[bytes]]], upto: int
    ) -> None:
        """Open stand-ins for comms of which the merged state is known, in their order.

        Parameters
        ----------
        comms : iterable of (comm_id, target_name, data, buffers)
            What a `comm_open` of each would hold now.
        upto : int
            The newest record that is merged in them.
        """
        sink = KernelSink(self._kernel, {})
        for comm_id, target, data, buffers in comms:
            if comm_id in self.open or not is_widget_target(target):
                continue
            self._register(comm_id, target)
            self._merged[comm_id] = upto
            content = {"comm_id": comm_id, "target_name": target, "data": data}
            session = self._kernel.session.session
            sink.emit(
                new_message(
                    "comm_open",
                    content,
                    session=session,
                    metadata={"version": "2.1.0"},
                    buffers=list(buffers),
                )
            )

    def close_all(self, *, tell: bool) -> None:
        """Forget every stand-in; with `tell` the front ends hear that the comms ended."""
        sink = KernelSink(self._kernel, {})
        for comm_id in list(self.open):
            self._forget(comm_id)
            if tell:
                content = {"comm_id": comm_id, "data": {}}
                sink.emit(new_message("comm_close", content, session=self._kernel.session.session))

    def close(self, *, tell: bool) -> None:
        """Let go of the comms and of what front ends would open."""
        self.close_all(tell=tell)
        targets = get_comm_manager().targets
        if targets.get(_CONTROL) == self.adopt:
            del targets[_CONTROL]

    def parent_of(self, parent: bytes) -> dict[str, Any] | None:
        """The front end's header to whose comm message the remote answers, if it is ours."""
        if not self._requests:
            return None
        return self._requests.get(str(load(parent, "a parent header").get("msg_id")))

    def adopt(self, comm: Any, msg: Any) -> None:
        """Pass on a comm that a front end opened (`CommManager` calls this as a target)."""
        comm._closed = True  # or its end as garbage would tell the front end that it is closed
        content = msg["content"]
        self._register(content["comm_id"], content["target_name"])
        self.relay("comm_open", msg)

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
