"""What a kernel says, as numbered records; and which of its executions runs."""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from typing import Any

from ..models import Outcome
from ..wire.records import DURABLE, EPHEMERAL, PROGRESS, loads
from ..wire.retention import Retention
from .executions import Execution, Queue
from .journal import Journal
from .kernel import KernelProcess
from .messages import KernelSockets
from .saying import say

LATE_SECONDS = 60.0
"""How long after its ``idle`` a kernel's reply is waited for: they come on two sockets."""
INTERRUPTED_SECONDS = 1.0
"""The same after an interrupt, which can have taken the reply away."""

_CLASS_OF = {
    "update_display_data": PROGRESS,
    "clear_output": PROGRESS,
    "comm_msg": PROGRESS,
    "complete_reply": EPHEMERAL,
    "inspect_reply": EPHEMERAL,
    "is_complete_reply": EPHEMERAL,
    "history_reply": EPHEMERAL,
}


# ipykernel's own iopub socket drops what exceeds 1000 waiting messages, and a keeper that
# the system left waiting for 0.2 s was enough to lose some. The option takes effect on open
# connections; it is set in the thread that owns the socket, ahead of the first cell's output.
# The 0.5 ms for which ipykernel sleeps after each cell let clients put two sockets in order;
# here reply and idle are both waited for.
_PRELUDE = """\
def _jrg_prelude():
    import zmq
    kernel = get_ipython().kernel
    thread = kernel.iopub_thread
    thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, 0))
    kernel._execute_sleep = 0
try:
    _jrg_prelude()
finally:
    del _jrg_prelude
"""


class Conversation:
    """The kernel's side of the keeper: no file descriptors but the kernel's sockets.

    Attributes
    ----------
    queue : Queue
        The executions that wait and the one that runs.
    input : int or None
        Record number of the `input_request` that has no answer yet.
    ready : bool
        The kernel has answered, and what it says arrives.
    trouble : str or None
        What is not safe with this kernel, in a sentence for the user.
    over : bool
        The kernel is gone.
    """

    def __init__(self, kernel: KernelProcess, journal: Journal, retention: Retention) -> None:
        self._kernel = kernel
        self.journal = journal
        self.retention = retention
        self._zmq = KernelSockets(kernel)
        self.queue = Queue()
        self.ready = self._subscribed = False
        self.trouble: str | None = None
        self._implementation: str | None = None
        # ipykernel 7 welcomes a subscription; others show on iopub that they answer a
        # request, but only once the subscription has reached them: asked until they do.
        self._probes = {self._zmq.send_new("shell", "kernel_info_request", {})}
        self._held: list[tuple[str, list[bytes]]] = []
        self.input: int | None = None
        self.over = False

    @property
    def sockets(self) -> Mapping[str, Any]:
        return self._zmq.sockets

    @property
    def busy(self) -> bool:
        """Whether an execution runs or waits."""
        return bool(self.queue.all())

    def close(self) -> None:
        self._zmq.close()

    # -- the beginning: requests are held until our subscription is known to be in place

    def _begin(self) -> None:
        if self.ready or not self._subscribed or self._implementation is None:
            return
        self.ready = True
        if self._implementation == "ipython":
            content = {"code": _PRELUDE, "silent": True, "store_history": False}
            self._probes.add(self._zmq.send_new("shell", "execute_request", content))
        else:
            say(f"no ipykernel ({self._implementation}): its output queue may be bounded")
        for channel, parts in self._held:
            self._zmq.send(channel, parts)
        self._held.clear()
        self.hand_over()

    # -- from the kernel

    def receive(self, channel: str) -> bool:
        """Journal what has arrived on `channel`; whether there was anything."""
        spoke = False
        for parts in self._zmq.receive(channel):
            spoke = True
            try:
                header, parent = loads(parts[0]), loads(parts[1])
                kind, asked_by = str(header["msg_type"]), parent.get("msg_id")
                asked_by = asked_by if isinstance(asked_by, str) else None
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                continue  # not a Jupyter message; nobody could show it
            if kind == "iopub_welcome":
                if str(_content(parts).get("subscription")).encode() == self._zmq.topic:
                    self._subscribed = True
                    self._begin()
            elif asked_by in self._probes:
                self._on_probe(channel, kind, _content(parts))
            else:
                self._record(channel, kind, asked_by, parent, parts)
        return spoke

    def _on_probe(self, channel: str, kind: str, content: dict[str, Any]) -> None:
        if channel == "iopub":
            self._subscribed = True
        elif kind == "kernel_info_reply":
            self._implementation = str(content.get("implementation"))
            if not self._subscribed:
                self._probes.add(self._zmq.send_new("shell", "kernel_info_request", {}))
        elif kind == "execute_reply" and content.get("status") != "ok":
            self.trouble = (
                "This kernel keeps only 1000 messages that wait to be sent, and does not let it "
                f"be changed ({content.get('ename')}: {content.get('evalue')}): while its pod is "
                "very busy, lines of its output can be lost."
            )
            say(self.trouble)
        self._begin()

    def _record(
        self, channel: str, kind: str, asked_by: object, parent: Any, parts: list[bytes]
    ) -> None:
        owner = self.queue.owner(asked_by)
        head = {
            "channel": channel,
            "type": kind,
            "class": _CLASS_OF.get(kind, DURABLE),
            "execution": owner,
            "client": None,
        }
        number = self.journal.add(head, parts)
        if channel == "stdin" and kind == "input_request":
            self.input = number
        current = self.queue.current
        if current is None or owner != current.id or asked_by != current.msg_id:
            return
        if channel == "iopub" and kind == "status":
            state = _content(parts).get("execution_state")
            if state == "busy" and not current.running:
                current.running = True
                self.journal.note("running", {"execution": current.id}, execution=current.id)
                if current.silent:
                    current.begun_at = time.monotonic()
            elif state == "idle" and current.running:
                current.idle = True
                patience = INTERRUPTED_SECONDS if current.interrupted else LATE_SECONDS
                current.give_up_at = time.monotonic() + patience
        elif kind == "execute_input":
            current.begun_at = time.monotonic()
        elif kind == "execute_reply":
            current.reply, current.reply_record = _content(parts), number
        if current.complete:
            self._end(current)

    def due(self) -> float | None:
        """When (monotonic, s) `tick` wants to be called, if at all."""
        current = self.queue.current
        if current is None:
            return None
        times = [current.give_up_at]
        if current.interrupt_wanted:
            times.append(current.interruptible_at())
        return min((t for t in times if t is not None), default=None)

    def tick(self, now: float) -> None:
        """Pass on an interrupt that is due; end an execution that will have no reply.

        An interrupt that comes before the first line of the cell can end ipykernel's
        handler without a reply; the kernel is idle and well.
        """
        current = self.queue.current
        if current is None:
            return
        from_when = current.interruptible_at()
        if current.interrupt_wanted and from_when is not None and now >= from_when:
            current.interrupt_wanted, current.interrupted = False, True
            self._interrupt_now()
            if current.give_up_at is not None:
                current.give_up_at = min(current.give_up_at, now + INTERRUPTED_SECONDS)
        if current.give_up_at is not None and now >= current.give_up_at:
            current.reply = {"status": str(Outcome.ABORTED), "ename": "KeyboardInterrupt"}
            self._end(current)

    def _end(self, done: Execution) -> None:
        reply = done.reply or {}
        content: dict[str, Any] = {
            "execution": done.id,
            "outcome": str(reply.get("status", Outcome.ERROR)),
            "count": reply.get("execution_count"),
            "reply": done.reply_record,
        }
        for key in ("ename", "evalue"):
            if key in reply:
                content[key] = reply[key]
        self.journal.note("ended", content, execution=done.id, client=done.client)
        done.outcome = content["outcome"]
        self.retention.ended(done.id)
        self.journal.dirty = True
        self.queue.current = None
        self.input = None
        self.hand_over()

    def died(self, status: int, stderr: str, *, asked: bool, idle: bool) -> None:
        """The process is gone: end what it had, and say how it ended."""
        self.over = True
        number = -status if status < 0 else None
        name = None
        if number is not None:
            try:
                name = signal.Signals(number).name
            except ValueError:
                name = str(number)
        code = status if status >= 0 else None
        note = {"code": code, "signal": name, "asked": asked, "ready": self.ready}
        self.journal.note("died", {**note, "idle": idle, "stderr": stderr})
        for execution in self.queue.all():
            content = {"execution": execution.id, "outcome": str(Outcome.DIED), "count": None}
            self.journal.note(
                "ended", {**content, **note}, execution=execution.id, client=execution.client
            )
        self.queue = Queue()

    # -- to the kernel

    @property
    def session(self) -> str:
        """The keeper's own session id towards the kernel."""
        return self._zmq.session

    def send(self, channel: str, parts: list[bytes]) -> None:
        """Hand a message over, or hold it until the kernel is ready."""
        if self.ready:
            self._zmq.send(channel, parts)
        else:
            self._held.append((channel, parts))

    def hand_over(self) -> None:
        """Give the kernel the next execution, if it has none."""
        if self.ready and (following := self.queue.next()) is not None:
            self._zmq.send("shell", following.parts)
            following.parts = []

    def _interrupt_now(self) -> None:
        if self._kernel.interrupt_mode == "message":
            self._zmq.send_new("control", "interrupt_request", {})
        else:
            self._kernel.interrupt()

    def shutdown(self) -> None:
        """Ask the kernel to end."""
        self._zmq.send_new("control", "shutdown_request", {"restart": False})


def _content(parts: list[bytes]) -> dict[str, Any]:
    try:
        value = loads(parts[3])
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
