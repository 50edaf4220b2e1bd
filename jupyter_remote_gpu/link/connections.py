"""The ssh connections of one pod: a pool, a pulse on each, and exec channels on them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncssh

from ..errors import TransportError
from .bootstrap import Answer, command_line, converse, new_nonce

CHANNELS_PER_CONNECTION = 8
"""OpenSSH allows ten sessions; one is the pulse, one is left for the user's own."""

PULSE_SECONDS = 3.0
PULSES_MISSED = 4
_STDERR_TAIL = 4000
_CLOSE_SECONDS = 2.0

Connect = Callable[[], Awaitable[asyncssh.SSHClientConnection]]
Process = asyncssh.SSHClientProcess[bytes]


class Bridge:
    """An exec channel whose command has answered; from there on a plain byte stream.

    Attributes
    ----------
    info : dict
        The command's JSON answer.
    noise : str
        What the pod's login shell printed before it.
    """

    def __init__(
        self, process: Process, answer: Answer, stderr: _Stderr, on_close: Callable[[], None]
    ) -> None:
        self._on_close: Callable[[], None] | None = on_close
        self.info = answer.info
        self.noise = answer.noise
        self._rest = answer.rest
        self._process = process
        self._stderr = stderr

    async def read(self, n: int = 65536) -> bytes:
        """The next bytes; ``b""`` when the other side or the link has ended."""
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        try:
            return await self._process.stdout.read(n)
        except (asyncssh.Error, OSError):
            return b""

    def write(self, data: bytes) -> None:
        """Queue bytes; `TransportError` when the channel has ended."""
        try:
            self._process.stdin.write(data)
        except (asyncssh.Error, OSError) as e:
            raise TransportError("The link to the pod was lost.") from e

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was written."""
        try:
            await self._process.stdin.drain()
        except (asyncssh.Error, OSError) as e:
            raise TransportError("The link to the pod was lost.") from e

    @property
    def stderr(self) -> str:
        return self._stderr.text

    async def close(self) -> None:
        """End the channel."""
        if self._on_close is not None:
            self._on_close()
            self._on_close = None
        self._process.close()
        with suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._process.wait_closed()
        await self._stderr.close()


class _Stderr:
    """Keeps the end of what a command writes to its standard error, so that it never blocks."""

    def __init__(self, process: Process) -> None:
        self.text = ""
        self._task = asyncio.create_task(self._follow(process))

    async def _follow(self, process: Process) -> None:
        with suppress(asyncssh.Error, OSError):
            while data := await process.stderr.read(4096):
                self.text = (self.text + data.decode("utf-8", "replace"))[-_STDERR_TAIL:]

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class Connection:
    """One ssh connection with its pulse.

    The pulse is a ``cat`` on the pod to which a line is sent every `PULSE_SECONDS`. It finds
    a link that is dead in one direction only, which ssh's keepalive does not see; and a
    session channel makes OpenSSH set TCP_NODELAY, without which each message waits 40 ms.
    """

    def __init__(self, ssh: asyncssh.SSHClientConnection) -> None:
        self.ssh = ssh
        self.channels = 0
        self.latency: float | None = None
        self.lost = asyncio.Event()
        self.reason = "The link to the pod was lost."
        self._sent: dict[bytes, float] = {}
        self._now = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._watch()),
            asyncio.create_task(self._pulse()),
        ]

    async def _watch(self) -> None:
        await self.ssh.wait_closed()
        self._end("The connection to the pod was closed.")

    def _end(self, reason: str) -> None:
        if not self.lost.is_set():
            self.reason = reason
            self.lost.set()
            self.ssh.abort()

    def check_now(self) -> None:
        """Send a pulse at once (the laptop woke up)."""
        self._now.set()

    async def _pulse(self) -> None:
        reader: asyncio.Task[None] | None = None
        try:
            process: Process = await self.ssh.create_process("exec cat", encoding=None)
            reader = asyncio.create_task(self._echo(process))
            count = 0
            while True:
                # Counted in beats and not in seconds: while the laptop slept nobody missed any.
                if len(self._sent) >= PULSES_MISSED:
                    self._end("The pod does not answer any more.")
                    return
                line = b"jrg-pulse %d" % count
                count += 1
                self._sent[line] = time.monotonic()
                process.stdin.write(line + b"\n")
                with suppress(TimeoutError):
                    async with asyncio.timeout(PULSE_SECONDS):
                        await self._now.wait()
                self._now.clear()
        except (asyncssh.Error, OSError) as e:
            self._end(f"The link to the pod was lost ({e}).")
        finally:
            if reader is not None:
                reader.cancel()
                await asyncio.wait([reader])

    async def _echo(self, process: Process) -> None:
        try:
            while line := await process.stdout.readline():
                sent = self._sent.get(line.strip())
                if sent is not None:
                    self.latency = time.monotonic() - sent
                    self._sent.clear()
        except (asyncssh.Error, OSError, ValueError):
            pass
        self._end("The pod ended the connection.")

    async def execute(self, command: str, spec: dict[str, Any], python: str | None) -> Bridge:
        """Run a pod command on a channel that was counted; its answer, and the stream behind it."""
        nonce = new_nonce()
        line = command_line(command, spec, python, nonce)
        try:
            process: Process = await self.ssh.create_process(line, encoding=None)
        except (asyncssh.Error, OSError) as e:
            raise TransportError(f"The pod takes no command: {e}") from e
        stderr = _Stderr(process)
        done = False
        try:
            answer = await converse(_Pipes(process), nonce, python, process.stdin.drain)
            done = True
            return Bridge(process, answer, stderr, self._one_less)
        except (asyncssh.Error, OSError) as e:
            raise TransportError(f"The link to the pod was lost ({e}).") from e
        except TransportError as e:
            if stderr.text.strip():
                raise TransportError(f"{e.message} It said: {stderr.text.strip()}") from e
            raise
        finally:
            if not done:
                process.close()
                await stderr.close()

    def _one_less(self) -> None:
        self.channels -= 1

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self.lost.set()
        self.ssh.abort()
        with suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.ssh.wait_closed()


class _Pipes:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def read(self, size: int) -> bytes:
        return await self._process.stdout.read(size)

    def write(self, data: bytes) -> None:
        self._process.stdin.write(data)


class Pool:
    """Connections to one pod, as many as its channels need; lost together.

    Parameters
    ----------
    first : SSHClientConnection
        Already authenticated.
    connect : callable
        Opens a further one.
    """

    def __init__(self, first: asyncssh.SSHClientConnection, connect: Connect) -> None:
        self.connections = [Connection(first)]
        self._connect = connect
        self._growing = asyncio.Lock()
        self._changed = asyncio.Condition()

    @property
    def latency(self) -> float | None:
        return self.connections[0].latency

    async def lost(self) -> str:
        """Wait until any connection is lost; why."""
        while True:
            known = list(self.connections)
            waits = [asyncio.create_task(c.lost.wait()) for c in known]
            grown = asyncio.create_task(self._grown(len(known)))
            try:
                await asyncio.wait([*waits, grown], return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (*waits, grown):
                    task.cancel()
                await asyncio.wait([*waits, grown])
            for connection in known:
                if connection.lost.is_set():
                    return connection.reason

    async def _grown(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.connections) > count)

    async def execute(self, command: str, spec: dict[str, Any], python: str | None) -> Bridge:
        """Run a pod command on a connection that has room for a channel."""
        connection = await self._take()
        try:
            return await connection.execute(command, spec, python)
        except BaseException:
            connection.channels -= 1
            raise

    async def _take(self) -> Connection:
        async with self._growing:
            for connection in self.connections:
                if connection.channels < CHANNELS_PER_CONNECTION and not connection.lost.is_set():
                    break
            else:
                connection = Connection(await self._connect())
                self.connections.append(connection)
                async with self._changed:
                    self._changed.notify_all()
            connection.channels += 1
            return connection

    async def close(self) -> None:
        await asyncio.gather(*(c.close() for c in self.connections))
