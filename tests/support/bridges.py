"""A kernel's link with bridges that a test writes: what no good keeper would ever send."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from jupyter_remote_gpu.daemon.channels import FaceChannel
from jupyter_remote_gpu.daemon.connection import FaceConnection
from jupyter_remote_gpu.daemon.kernel_link import KernelLink
from jupyter_remote_gpu.daemon.kernel_state import KernelState
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from jupyter_remote_gpu.wire.records import encode_record
from tests.support.written import CLIENT, IDENTITY, KERNEL, mirrored, output

LAPTOP = "9" * 32
PATIENCE = 20.0


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Poll until `condition` gives something true, and return that."""
    deadline = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE:g} s"
        await asyncio.sleep(0.01)
    return value


def welcome(newest: int, **more: Any) -> bytes:
    """A keeper's good answer."""
    full = {"type": "welcome", "protocol": 1, "identity": IDENTITY, "next": newest + 1}
    return encode_control({**full, "alive": True, **more})


def execute(number: int, execution: str, client: str = CLIENT, code: str = "1") -> bytes:
    """A face's request."""
    head = {"channel": "shell", "type": "execute_request", "client": client}
    parts = [b'{"msg_id": "m"}', b"{}", b"{}", b'{"code": "%s"}' % code.encode()]
    return encode_record(number, number, {**head, "execution": execution}, parts)


class ScriptedBridge:
    """Says what the test wrote, then nothing; `end` is the end of the stream."""

    unsent = 0

    def __init__(self, said: bytes) -> None:
        self.info: dict[str, Any] = {}
        self.written = b""
        self.closed = asyncio.Event()
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        if said:
            self.say(said)

    def say(self, data: bytes) -> None:
        self._said.put_nowait(data)

    def end(self) -> None:
        self._said.put_nowait(b"")

    async def read(self, n: int = 0) -> bytes:
        return b"" if self.closed.is_set() else await self._said.get()

    def write(self, data: bytes) -> None:
        self.written += data

    async def drain(self) -> None:
        pass

    async def close(self) -> None:
        self.closed.set()
        self.end()

    @property
    def controls(self) -> list[dict[str, Any]]:
        """The control messages that the daemon has sent; the first is its hello."""
        frames = FrameDecoder().feed(self.written)
        return [decode_control(payload) for kind, payload in frames if kind == CONTROL]


class ScriptedPod:
    """Gives out the bridges, or raises the errors, that it was told; then none comes."""

    def __init__(self, *said: bytes | Exception) -> None:
        self.said = list(said)
        self.bridges: list[ScriptedBridge] = []
        self.more = asyncio.Event()

    async def open_bridge(self, spec: dict[str, Any] | None = None) -> ScriptedBridge:
        while not self.said:
            self.more.clear()
            await self.more.wait()
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        self.bridges.append(ScriptedBridge(said))
        return self.bridges[-1]

    async def bridge(self, number: int) -> ScriptedBridge:
        """Wait for a bridge, the first being 0."""
        await until(lambda: len(self.bridges) > number, f"bridge {number}")
        return self.bridges[number]

    def add(self, said: bytes | Exception) -> None:
        """One more bridge, from now on."""
        self.said.append(said)
        self.more.set()


class SocketFace:
    """The other end of a real `FaceChannel`."""

    def __init__(self, state: KernelState, client: str = CLIENT, cursor: int = 0) -> None:
        self.controls: list[dict[str, Any]] = []
        self.client = client
        self._state = state
        self._cursor = cursor
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self, read: bool = True) -> SocketFace:
        ours, theirs = socket.socketpair()
        reader, self.writer = await asyncio.open_connection(sock=ours)
        connection = FaceConnection(*await asyncio.open_connection(sock=theirs))
        connection.hello = {"pod": "p", "identity": IDENTITY, "cursor": self._cursor}
        self._connection = connection
        self.channel = FaceChannel(connection, self._state, self.client)
        self._tasks = [asyncio.create_task(self._serve())]
        if read:
            self._tasks.append(asyncio.create_task(self._read(reader)))
        await until(lambda: self.client in self._state.audience.channels, "the channel")
        return self

    async def _serve(self) -> None:
        with contextlib.suppress(ConnectionError):
            await self.channel.serve()

    @property
    def served(self) -> bool:
        """The daemon's side has not ended it."""
        return not self._tasks[0].done()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        decoder = FrameDecoder()
        while data := await reader.read(1 << 16):
            for kind, payload in decoder.feed(data):
                if kind == CONTROL:
                    self.controls.append(decode_control(payload))

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def all(self, kind: str, **fields: Any) -> list[dict[str, Any]]:
        return [
            m
            for m in self.controls
            if m["type"] == kind and all(m.get(k) == v for k, v in fields.items())
        ]

    async def control(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait for a control message."""
        found = await until(lambda: self.all(kind, **fields), f"{kind} {fields}")
        return dict(found[0])

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self.writer.close()
        await self._connection.close()


class Linked:
    """A kernel on pod "p" whose mirror has `records`, one face that follows it, and its link."""

    state: KernelState
    link: KernelLink
    pod: ScriptedPod
    face: SocketFace


@contextlib.asynccontextmanager
async def linked(folder: Path, records: bytes, *said: bytes | Exception) -> AsyncIterator[Linked]:
    """A connected `Linked`; the pod says `said`, one bridge after the other."""
    it = Linked()
    mirror = Mirror(folder / KERNEL)
    mirror.note(pod="p", identity=IDENTITY)
    mirror.append(list(FrameDecoder().feed_raw(records)))
    it.state = KernelState(mirror, lambda later: None)
    it.link = KernelLink(it.state, LAPTOP)
    it.pod = ScriptedPod(*said)
    it.face = await SocketFace(it.state, cursor=mirror.last).open()
    it.state.pod_is(PodState.CONNECTED, None, 0.0)
    it.link.connected(it.pod)
    try:
        yield it
    finally:
        await it.face.close()
        await it.link.close()


async def works_again(it: Linked, before: int, request: bytes = b"") -> None:
    """The next bridge brings record 2; the mirror is what it should be."""
    assert mirrored(it.state.mirror) == output(1)
    it.pod.add(welcome(2) + output(2))
    await until(lambda: it.state.mirror.last == 2, "the next bridge's record")
    assert mirrored(it.state.mirror) == output(1) + output(2)
    bridge = await it.pod.bridge(before)
    assert bridge.controls[0]["cursor"] == 1
    assert request in bridge.written
