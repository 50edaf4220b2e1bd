"""The seams of the magics: a face whose log the test writes, a kernel whose iopub it reads."""

from __future__ import annotations

import asyncio
import json
import queue
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from IPython.core.events import EventManager, available_events
from jupyter_client.session import Session as JupyterSession

from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.kernels import RemoteKernel
from jupyter_remote_gpu.magic.messages import Message, dump
from jupyter_remote_gpu.magic.pacing import Pacer
from jupyter_remote_gpu.wire.records import Record, keeper_record

LOCAL_MSG_ID = "local-cell-1"


def message(kind: str, content: dict[str, Any], buffers: list[bytes] | None = None) -> Message:
    """A message of the remote kernel."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "remote", "version": "5.3"}
    return Message(kind, header, b"{}", dump(content), buffers or [])


def stream(text: str, name: str = "stdout") -> Message:
    return message("stream", {"name": name, "text": text})


class Log:
    """Numbers records as a journal does."""

    def __init__(self, after: int = 0) -> None:
        self.last = after

    def iopub(
        self,
        kind: str,
        content: dict[str, Any],
        execution: str | None = None,
        *,
        channel: str = "iopub",
        parent: str = LOCAL_MSG_ID,
        buffers: list[bytes] | None = None,
    ) -> Record:
        self.last += 1
        m = message(kind, content, buffers)
        head = {"channel": channel, "type": kind, "execution": execution, "class": "durable"}
        parent_header = dump({"msg_id": parent, "session": "remote"})
        parts = [dump(m.header), parent_header, m.metadata, m.content, *m.buffers]
        return Record(self.last, self.last, head, parts)

    def keeper(self, kind: str, execution: str | None = None, **content: Any) -> Record:
        self.last += 1
        head, parts = keeper_record(kind, {"execution": execution, **content}, execution=execution)
        return Record(self.last, self.last, head, parts)

    def ended(self, execution: str, outcome: str = "ok", **content: Any) -> Record:
        return self.keeper("ended", execution, outcome=outcome, **content)


class FakeKernel:
    """An ipykernel of which only the outgoing side is there; its session is real."""

    def __init__(self) -> None:
        self.session = JupyterSession(key=b"local key")
        self.sent: list[list[bytes]] = []
        self.iopub_thread = SimpleNamespace(send_multipart=self.sent.append)
        self.answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.prompts: list[tuple[str, bool]] = []
        self.shell = SimpleNamespace()
        self.shell.events = EventManager(self.shell, available_events)
        self.control: dict[str, Any] = {}
        self._shutdown_message: dict[str, Any] | None = None

    def get_parent(self, channel: str = "shell") -> dict[str, Any]:
        if channel == "control":
            return self.control
        return {"header": {"msg_id": LOCAL_MSG_ID, "session": "lab"}}

    def received(self) -> list[dict[str, Any]]:
        """What a reader of iopub makes of what was sent; it drops what looks like a replay."""
        reader = JupyterSession(key=b"local key")
        out = []
        for frames in self.sent:
            _, rest = reader.feed_identities(frames)
            out.append(reader.deserialize(rest))
        return out

    def raw_input(self, prompt: str = "") -> str:
        return self._ask(prompt, False)

    def getpass(self, prompt: str = "") -> str:
        return self._ask(prompt, True)

    def _ask(self, prompt: str, password: bool) -> str:
        self.prompts.append((prompt, password))
        for _ in range(1000):  # as ipykernel does: a signal gets through between two waits
            try:
                return self.answers.get(timeout=0.01)
            except queue.Empty:
                continue
        raise AssertionError("nobody answered")


class FakeChannel:
    """Remembers what was asked for."""

    def __init__(self) -> None:
        self.submitted: list[dict[str, Any]] = []
        self.interrupts: list[str | None] = []
        self.done: Future[None] = Future()
        self.closed = False
        self.resumed = 0

    def resume(self) -> None:
        self.resumed += 1
        self.done = Future()

    def submit(self, type: str, content: dict[str, Any], **keys: Any) -> int:
        self.submitted.append({"type": type, "content": content, **keys})
        return len(self.submitted)

    def interrupt(self, execution: str | None) -> str:
        self.interrupts.append(execution)
        return f"tag{len(self.interrupts)}"

    def close(self) -> None:
        self.closed = True


class FakeFace:
    """A face whose channel is fed by the test."""

    client = "c" * 32

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = list(pods)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        self.channel = FakeChannel()
        self.on_batch: Callable[[list[Record]], Awaitable[None]]
        self.on_control: Callable[[dict[str, Any]], Awaitable[None]]

    def request(self, op: str, /, *, timeout: float = 30.0, **args: Any) -> Any:
        self.asked.append((op, args))
        if op == "snapshot":
            return {"revision": 1, "pods": self.pods}
        answer = self.answers.get(op, {})
        if isinstance(answer, Exception):
            raise answer
        return answer(args) if callable(answer) else answer

    def ask(self, op: str, /, **args: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        try:
            answer.set_result(self.request(op, **args))
        except Exception as e:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(e)
        return answer

    def submit(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Runs it to its end, in a loop of its own."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, work)

    def latest_snapshot(self) -> dict[str, Any] | None:
        return {"revision": 1, "pods": self.pods}

    def open_channel(self, *, on_batch: Any, on_control: Any, **_: Any) -> FakeChannel:
        self.on_batch, self.on_control = on_batch, on_control
        return self.channel


class Setup:
    """A `RemoteKernel` between a fake face and a fake local kernel."""

    def __init__(self, *, kernel: bool = True) -> None:
        self.kernel = FakeKernel() if kernel else None
        self.payloads: list[dict[str, Any]] = []
        self.shell = SimpleNamespace(
            payload_manager=SimpleNamespace(write_payload=self.payloads.append)
        )
        if kernel:
            self.shell.kernel = self.kernel
        self.face = FakeFace()
        opened = {"pod": "demo", "kernel": "a" * 32, "identity": "b" * 32, "last": 0, "started": 0}
        self.remote = RemoteKernel(self.face, self.shell, Pacer(), opened)  # type: ignore[arg-type]
        self.log = Log()

    def execution(self, id: str = "e" * 32, count: int = 7) -> Execution:
        execution = Execution(id, LOCAL_MSG_ID, count, self.remote.counts)
        self.remote.add(execution)
        return execution

    def feed(self, *records: Record) -> None:
        asyncio.run(self.remote.on_batch(list(records)))

    def control(self, **content: Any) -> None:
        asyncio.run(self.remote.on_control(content))


class ListSink:
    """Keeps what it is given."""

    def __init__(self, *, paced: bool = True) -> None:
        self.paced = paced
        self.messages: list[Message] = []

    async def send(self, message: Message) -> None:
        self.emit(message)

    def emit(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def contents(self) -> list[dict[str, Any]]:
        return [json.loads(m.content) for m in self.messages]

    @property
    def text(self) -> str:
        return "".join(c.get("text", "") for c in self.contents)
