"""The demo pod's network: a long cut leaves no trace of the tries that were made in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu.demo import relay as module
from jupyter_remote_gpu.demo.relay import Relay

PATIENCE = 10.0
HELLO = b"SSH-2.0-x\r\n"


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def room(count: int = 8) -> bool:
    """Whether so many more files can be opened."""
    opened: list[int] = []
    try:
        for _ in range(count):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    finally:
        for fd in opened:
            os.close(fd)
    return True


def run(work: Callable[[Relay, list[bytes]], Awaitable[None]]) -> None:
    """Let `work` use a relay to a server that echoes, and notes what each client said first."""
    met: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            data = await reader.read(100)
            met.append(data)
            writer.write(data)
            await writer.drain()
            await reader.read()  # its end; a reset is one too

    async def main() -> None:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            relay = Relay(server.sockets[0].getsockname()[1])
            relay.listen()
            try:
                async with asyncio.timeout(PATIENCE):
                    await work(relay, met)
            finally:
                await relay.close()

    asyncio.run(main())


async def until(found: Callable[[], object]) -> None:
    while not found():  # noqa: ASYNC110 - the timeout is the caller's
        await asyncio.sleep(0.01)


async def call(relay: Relay, words: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
    writer.write(words)
    data = await reader.read(100)
    writer.close()
    return data


def test_tries_that_were_given_up_in_a_cut_are_forgotten() -> None:
    async def work(relay: Relay, met: list[bytes]) -> None:
        relay.cut(60)
        before = open_files()
        for _ in range(40):
            _, writer = await asyncio.open_connection("127.0.0.1", relay.port)
            writer.write(HELLO)
            writer.close()
            await writer.wait_closed()
        waiting = asyncio.create_task(call(relay, b"I wait"))
        await until(lambda: open_files() <= before + 2)
        relay.heal()
        assert await waiting == b"I wait"
        assert met == [b"I wait"], "who had given up was passed on all the same"

    run(work)


def test_what_was_said_in_a_cut_is_passed_on_in_order() -> None:
    async def work(relay: Relay, met: list[bytes]) -> None:
        relay.cut(60)
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        big = os.urandom(3_000_000)
        # The system holds little, so that more goes only when the relay has heard something.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        left = writer.transport.get_write_buffer_size
        writer.write(HELLO + big)
        begun = left()
        await until(lambda: left() < begun)
        relay.heal()
        assert await reader.read(100) == met[0] == (HELLO + big)[: len(met[0])]
        writer.close()

    run(work)


@pytest.fixture
def few_files() -> Iterator[int]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = open_files() + 40
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    yield limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_it_takes_connections_again_after_too_many(
    few_files: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REST_SECONDS", 0.01)

    async def work(relay: Relay, met: list[bytes]) -> None:
        relay.cut(60)
        held = []
        with pytest.raises(OSError):
            while True:
                held.append(await asyncio.open_connection("127.0.0.1", relay.port))
        for _, writer in held:
            writer.close()
        await until(room)
        relay.heal()
        assert await call(relay, HELLO) == HELLO

    run(work)
