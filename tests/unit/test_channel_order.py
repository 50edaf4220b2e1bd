"""A channel that comes back: in which order it asks again, and how often it tries."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu._version import __version__
from jupyter_remote_gpu.client import channel as aio_channel
from jupyter_remote_gpu.client import connection
from jupyter_remote_gpu.client.aio import Channel
from jupyter_remote_gpu.client.paths import socket_path
from jupyter_remote_gpu.wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from jupyter_remote_gpu.wire.records import Record, RecordAssembler
from tests.support.written import note

KERNEL, CLIENT = "1" * 32, uuid.uuid4().hex
PATIENCE = 20.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))


async def ignore(_: Any) -> None:
    return None


class Peer:
    """The daemon's end of a connection that has been welcomed."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.time = asyncio.get_running_loop().time()
        self.writer = writer
        self._reader = reader
        self._decoder = FrameDecoder()

    async def welcome(self) -> None:
        await self.read(1)
        answer = {"type": "welcome", "protocol": 1, "version": __version__, "identity": "a" * 32}
        self.send({**answer, "next": 1, "alive": True})

    def send(self, message: dict[str, Any]) -> None:
        self.writer.write(encode_control(message))

    async def read(self, count: int) -> list[str]:
        """The next messages: the number of a request, or a control message's tag."""
        found, assembler = [], RecordAssembler()
        while len(found) < count:
            data = await asyncio.wait_for(self._reader.read(65536), PATIENCE)
            assert data, "the channel went away"
            for kind, payload in self._decoder.feed(data):
                if kind == CONTROL:
                    found.append(str(decode_control(payload).get("tag")))
                elif (record := assembler.feed(kind, payload)) is not None:
                    found.append(str(record.first))
        return found


@asynccontextmanager
async def a_daemon(
    on_batch: Callable[[list[Record]], Awaitable[None]] = ignore,
    on_control: Callable[[dict[str, Any]], Awaitable[None]] = ignore,
    **more: Any,
) -> AsyncIterator[tuple[Channel, asyncio.Queue[Peer]]]:
    """A channel, and its connections to a daemon that the test plays."""
    peers: asyncio.Queue[Peer] = asyncio.Queue()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(reader, writer)
        await peer.welcome()
        peers.put_nowait(peer)

    server = await asyncio.start_unix_server(accept, str(socket_path(make=True)))
    channel = Channel(
        pod="p",
        kernel=KERNEL,
        identity="a" * 32,
        client=CLIENT,
        cursor=0,
        on_batch=on_batch,
        on_control=on_control,
        **more,
    )
    running = asyncio.create_task(channel.run())
    try:
        yield channel, peers
    finally:
        await channel.close()
        await running
        server.close()
        socket_path().unlink(missing_ok=True)


def submit(channel: Channel) -> str:
    number = channel.submit("execute_request", {"code": "1"}, msg_id="m", execution=KERNEL)
    return str(number)


def test_what_is_asked_again_keeps_its_order() -> None:
    async def work() -> None:
        async with a_daemon() as (channel, peers):
            peer = await asyncio.wait_for(peers.get(), PATIENCE)
            asked = [submit(channel), channel.interrupt(KERNEL), submit(channel)]
            assert await peer.read(3) == asked
            peer.send({"type": "ack", "client": CLIENT, "number": int(asked[0]), "record": 1})
            peer.writer.close()
            asked += [channel.interrupt(None), submit(channel)]
            peer = await asyncio.wait_for(peers.get(), PATIENCE)
            # An interrupt ahead of its request would be void, and the cell run on.
            assert await peer.read(4) == asked[1:]
            assert channel.unacknowledged == 2
            peer.send({"type": "interrupted", "tag": asked[1], "done": True})
            peer.writer.close()
            peer = await asyncio.wait_for(peers.get(), PATIENCE)
            assert await peer.read(3) == asked[2:]
            peer.writer.close()

    asyncio.run(work())


def test_a_daemon_that_ends_at_each_welcome_is_not_asked_without_a_pause() -> None:
    async def work() -> None:
        async with a_daemon() as (_, peers):
            times = []
            for _ in range(5):
                peer = await asyncio.wait_for(peers.get(), PATIENCE)
                times.append(peer.time)
                peer.writer.close()
            assert times[-1] - times[-2] > 0.9, times

    asyncio.run(work())


@pytest.mark.parametrize("killed", [False, True])
def test_a_daemon_that_was_stopped_is_started_again_for_what_waits_only(
    monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    """One that was killed left its socket, and the kernel would lose its reader."""
    started: list[float] = []
    monkeypatch.setattr(aio_channel, "STOPPED_SECONDS", 0.02)
    monkeypatch.setattr(connection, "start_daemon", lambda: started.append(0.0))

    async def work() -> None:
        wanted: list[bool] = []

        async def until_started() -> None:
            while not started:  # noqa: ASYNC110 - a thread appends
                await asyncio.sleep(0.01)

        async with a_daemon(wanted=lambda: bool(wanted)) as (channel, peers):
            peer = await asyncio.wait_for(peers.get(), PATIENCE)
            path, aside = socket_path(), socket_path().with_suffix(".aside")
            path.rename(aside)
            if killed:
                path.touch()  # nobody listens
            peer.writer.close()
            if killed:
                await asyncio.wait_for(until_started(), PATIENCE)
                return
            await asyncio.sleep(0.3)
            assert not started
            aside.rename(path)  # somebody else has started one
            peer = await asyncio.wait_for(peers.get(), PATIENCE)
            path.rename(aside)
            peer.writer.close()
            await asyncio.sleep(0.1)
            assert not started
            asked = submit(channel)
            await asyncio.wait_for(until_started(), PATIENCE)
            aside.rename(path)
            peer = await asyncio.wait_for(peers.get(), PATIENCE)
            assert await peer.read(1) == [asked]
            wanted.append(True)
            started.clear()
            path.unlink()
            peer.writer.close()
            await asyncio.wait_for(until_started(), PATIENCE)

    asyncio.run(work())


def test_that_a_kernel_is_gone_is_told_behind_what_it_said() -> None:
    """The word goes ahead of records that wait; a cell would end before its output."""

    async def work() -> None:
        told: list[object] = []
        shown = asyncio.Event()

        async def on_batch(records: list[Record]) -> None:
            told.extend(record.last for record in records)

        async def on_control(message: dict[str, Any]) -> None:
            told.append(message.get("code") or message["state"])
            if message.get("code"):
                shown.set()

        async with a_daemon(on_batch, on_control) as (_, peers):
            peer = await asyncio.wait_for(peers.get(), PATIENCE)
            peer.send({"type": "link", "state": "connected"})
            peer.send({"type": "link", "state": "failed", "code": "kernel-gone", "last": 3})
            for number in (1, 2, 3):
                peer.writer.write(note(number, "running", execution=KERNEL))
                await peer.writer.drain()
            await asyncio.wait_for(shown.wait(), PATIENCE)
            assert told == ["connected", 1, 2, 3, "kernel-gone"]
            peer.writer.close()

    asyncio.run(work())
