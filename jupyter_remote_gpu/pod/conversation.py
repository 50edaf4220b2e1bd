"""What is said between a kernel and those who ask: requests in, numbered records out."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from typing import Any

from ..errors import NotFound, WireError
from ..models import Outcome
from ..wire.records import DURABLE, EPHEMERAL, PROGRESS, Record, check_id
from .executions import Execution, Queue, Requests
from .journal import Journal
from .kernel import KernelProcess
from .messages import KernelSockets, dump, without_subshell
from .peers import Peer, reject

_CHANNEL_OF = {
    "execute_request": "shell",
    "complete_request": "shell",
    "inspect_request": "shell",
    "is_complete_request": "shell",
    "history_request": "shell",
    "comm_info_request": "shell",
    "comm_open": "shell",
    "comm_msg": "shell",
    "comm_close": "shell",
    "input_reply": "stdin",
}
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
_NO_LIMIT = """\
def _jrg_no_limit():
    import zmq
    thread = get_ipython().kernel.iopub_thread
    thread.schedule(lambda: thread.socket.setsockopt(zmq.SNDHWM, 0))
try:
    _jrg_no_limit()
finally:
    del _jrg_no_limit
"""


class Conversation:
    """The kernel's side of the keeper: no file descriptors but the kernel's sockets."""

    def __init__(self, kernel: KernelProcess, journal: Journal) -> None:
        self._kernel = kernel
        self._journal = journal
        self._zmq = KernelSockets(kernel)
        self._queue = Queue()
        self._requests = Requests()
        self._ready = False
        # ipykernel 7 welcomes a subscription; others show on iopub that they answer a
        # request, but only once the subscription has reached them: asked until they do.
        self._probes = {self._zmq.send_new("shell", "kernel_info_request", {})}
        self._held: list[tuple[str, list[bytes]]] = []
        self._input: int | None = None
        self._over = False

    @property
    def sockets(self) -> Mapping[str, Any]:
        return self._zmq.sockets

    @property
    def busy(self) -> bool:
        """Whether an execution runs or waits."""
        return bool(self._queue.all())

    def close(self) -> None:
        self._zmq.close()

    # -- the beginning: requests are held until our subscription is known to be in place

    def _became_ready(self) -> None:
        if not self._ready:
            self._ready = True
            if self._kernel.is_ipykernel:
                content = {"code": _NO_LIMIT, "silent": True, "store_history": False}
                self._probes.add(self._zmq.send_new("shell", "execute_request", content))
            for channel, parts in self._held:
                self._zmq.send(channel, parts)
            self._held.clear()
            self._hand_over()

    # -- from the kernel

    def receive(self, channel: str) -> bool:
        """Journal what has arrived on `channel`; whether there was anything."""
        spoke = False
        for parts in self._zmq.receive(channel):
            spoke = True
            try:
                header, parent = json.loads(parts[0]), json.loads(parts[1])
                kind, asked_by = str(header["msg_type"]), parent.get("msg_id")
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # not a Jupyter message; nobody could show it
            if kind == "iopub_welcome":
                if json.loads(parts[3]).get("subscription", "").encode() == self._zmq.topic:
                    self._became_ready()
            elif asked_by in self._probes:
                self._on_probe(channel)
            else:
                self._record(channel, kind, asked_by, parent, parts)
        return spoke

    def _on_probe(self, channel: str) -> None:
        if channel == "iopub":
            self._became_ready()
        elif not self._ready:
            self._probes.add(self._zmq.send_new("shell", "kernel_info_request", {}))

    def _record(
        self, channel: str, kind: str, asked_by: object, parent: Any, parts: list[bytes]
    ) -> None:
        owner = self._queue.owner(asked_by)
        head = {
            "channel": channel,
            "type": kind,
            "class": _CLASS_OF.get(kind, DURABLE),
            "execution": owner,
            "client": None,
        }
        number = self._journal.add(head, parts)
        if channel == "stdin" and kind == "input_request":
            self._input = number
        current = self._queue.current
        if current is None or owner != current.id or asked_by != current.msg_id:
            return
        if channel == "iopub" and kind == "status":
            state = json.loads(parts[3]).get("execution_state")
            if state == "busy" and not current.running:
                current.running = True
                self._journal.note("running", {"execution": current.id}, execution=current.id)
                if current.silent:
                    self._has_begun(current)
            elif state == "idle" and current.running:
                current.idle = True
        elif kind == "execute_input":
            self._has_begun(current)
        elif kind == "execute_reply":
            current.reply, current.reply_record = json.loads(parts[3]), number
        if current.complete:
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
        self._journal.note("ended", content, execution=done.id, client=done.client)
        done.outcome = content["outcome"]
        self._queue.current = None
        self._input = None
        self._hand_over()

    def died(self, status: int, asked: bool, stderr: str) -> None:
        """The process is gone: end what it had, and say how it ended."""
        self._over = True
        number = -status if status < 0 else None
        name = None
        if number is not None:
            try:
                name = signal.Signals(number).name
            except ValueError:
                name = str(number)
        note = {"code": status if status >= 0 else None, "signal": name, "asked": asked}
        self._journal.note("died", {**note, "stderr": stderr})
        for execution in self._queue.all():
            content = {"execution": execution.id, "outcome": str(Outcome.DIED), "count": None}
            self._journal.note(
                "ended", {**content, **note}, execution=execution.id, client=execution.client
            )
        self._queue = Queue()

    # -- to the kernel

    def on_request(self, peer: Peer, record: Record) -> None:
        """Take a request: recorded before it is handed over, handed over at most once.

        Raises
        ------
        WireError
            If it is not of the protocol's form.
        """
        head = record.head
        client = check_id(head.get("client"), "the client")
        channel = _CHANNEL_OF.get(record.type)
        header = record.json(0)
        msg_id = header.get("msg_id")
        if channel is None or len(record.parts) < 4 or not isinstance(msg_id, str):
            raise WireError(f"a request of type {record.type!r:.40} is not taken")
        known = self._requests.seen(client, record.first)
        if known is not None:
            self._ack(peer, client, record.first, *known, duplicate=True)
            return
        if self._over:
            reject(peer, record, NotFound("the kernel has ended", code="kernel-ended"))
            return
        execution = None
        if record.type == "execute_request":
            execution = check_id(head.get("execution"), "the execution")
        answers = head.get("answers")
        if channel == "stdin" and (answers is None or answers != self._input):
            # Somebody else answered first, or the question is over.
            self._requests.take(client, record.first, 0, None)
            self._ack(peer, client, record.first, None, None, duplicate=False)
            return
        content = record.json(3)
        note: dict[str, Any] = {
            "client": client,
            "number": record.first,
            "type": record.type,
            "msg_id": msg_id,
            "execution": execution,
            "meta": head.get("meta") or {},
        }
        if execution is not None:
            note["code"] = content.get("code", "")
        if channel == "stdin":
            note["answers"] = answers  # never the value: it may be a password
            self._input = None
        number = self._journal.note("request", note, execution=execution, client=client)
        self._requests.take(client, record.first, number, execution)
        self._journal.flush()
        self._ack(peer, client, record.first, number, execution, duplicate=False)
        if execution is not None:
            content["stop_on_error"] = False  # the local kernel does the aborting
        parts = [
            dump(without_subshell(header, self._zmq.session)),
            record.parts[1],
            record.parts[2],
            dump(content) if execution is not None else record.parts[3],
            *record.parts[4:],
        ]
        if execution is None:
            self._send(channel, parts)
            return
        silent = bool(content.get("silent"))
        self._queue.add(
            Execution(execution, client, record.first, number, msg_id, silent, parts=parts)
        )
        self._hand_over()

    def _ack(
        self,
        peer: Peer,
        client: str,
        number: int,
        record: int | None,
        execution: str | None,
        duplicate: bool,
    ) -> None:
        peer.send(
            {
                "type": "ack",
                "client": client,
                "number": number,
                "record": record,
                "execution": execution,
                "duplicate": duplicate,
            }
        )

    def _send(self, channel: str, parts: list[bytes]) -> None:
        if self._ready:
            self._zmq.send(channel, parts)
        else:
            self._held.append((channel, parts))

    def _hand_over(self) -> None:
        if self._ready and (following := self._queue.next()) is not None:
            self._zmq.send("shell", following.parts)
            following.parts = []

    def interrupt(self, execution: str | None, client: str) -> bool:
        """Interrupt an execution; False (void) when it does not run any more."""
        target = self._queue.find(execution)
        done = target is not None
        if target is not None and target is not self._queue.current:
            self._queue.waiting.remove(target)
            content = {"execution": target.id, "outcome": str(Outcome.ABORTED), "count": None}
            self._journal.note("ended", content, execution=target.id, client=target.client)
        elif target is not None and not target.begun:
            # It was sent but its code does not run yet: an idle kernel ignores a signal.
            target.interrupt_wanted = True
        elif target is not None:
            self._interrupt_now()
        note = {"execution": execution, "client": client, "done": done}
        self._journal.note("interrupt", note, execution=execution)
        return done

    def _has_begun(self, current: Execution) -> None:
        current.begun = True
        if current.interrupt_wanted:
            current.interrupt_wanted = False
            self._interrupt_now()

    def _interrupt_now(self) -> None:
        if self._kernel.interrupt_mode == "message":
            self._zmq.send_new("control", "interrupt_request", {})
        else:
            self._kernel.interrupt()

    def shutdown(self) -> None:
        """Ask the kernel to end."""
        self._zmq.send_new("control", "shutdown_request", {"restart": False})
