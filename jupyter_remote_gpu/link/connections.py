"""The ssh connections of one pod: a pool that grows with its channels and is lost as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import asyncssh

from ..errors import RemoteGPUError, TransportError
from .bootstrap import command_line, converse, new_nonce
from .channel import Bridge, Process, Stderr
from .pulse import Pulse, lost, no_session

__all__ = ["CHANNELS_PER_CONNECTION", "Bridge", "Pool"]

CHANNELS_PER_CONNECTION = 8
"""OpenSSH allows ten sessions; one is the pulse, one is left for what comes in between."""

MOST_CONNECTIONS = 16
_CLOSE_SECONDS = 2.0

Connect = Callable[[], Awaitable[asyncssh.SSHClientConnection]]


class _FullError(Exception):
    """The server takes no further channel on this connection."""


class Connection:
    """One ssh connection with its pulse.

    Attributes
    ----------
    channels, room : int
        Channels in use or about to be, and how many there can be.
    carried : bool
        Whether a channel was ever opened on it.
    """

    def __init__(
        self, ssh: asyncssh.SSHClientConnection, on_lost: Callable[[RemoteGPUError], None]
    ) -> None:
        self.ssh = ssh
        self.channels = 0
        self.room = CHANNELS_PER_CONNECTION
        self.carried = False
        self.lost = False
        self._on_lost = on_lost
        self.pulse = Pulse(ssh, self._end)
        self._tasks = [
            asyncio.create_task(self._watch()),
            asyncio.create_task(self.pulse.run()),
        ]

    async def _watch(self) -> None:
        await self.ssh.wait_closed()
        self._end(TransportError("The connection to the pod was closed."))

    def _end(self, error: RemoteGPUError) -> None:
        if not self.lost:
            self.lost = True
            # Readers of every channel see the end now, not when TCP gives up.
            self.ssh.abort()
            self._on_lost(error)

    def leave(self) -> None:
        """A channel that was counted has ended."""
        self.channels -= 1

    async def execute(self, command: str, spec: dict[str, Any], python: str | None) -> Bridge:
        """Run a pod command on a channel that was counted.

        Raises
        ------
        PodError, RemoteGPUError
            What the pod answered.
        TransportError
            If the link was lost.
        """
        nonce = new_nonce()
        line = command_line(command, spec, python, nonce)
        try:
            process: Process = await self.ssh.create_process(line, encoding=None)
        except asyncssh.ChannelOpenError as e:
            if self.ssh.is_closed():
                raise lost() from e
            raise _FullError from e
        except (asyncssh.Error, OSError) as e:
            raise lost(e) from e
        self.carried = True
        stderr = Stderr(process)
        done = False
        try:
            answer = await converse(_Pipes(process), nonce, python, process.stdin.drain)
            done = True
            return Bridge(process, answer, stderr, self.count, self.leave)
        except (asyncssh.Error, OSError) as e:
            raise lost(e) from e
        except TransportError as e:
            if stderr.text.strip():
                raise TransportError(f"{e.message} It said: {stderr.text.strip()}") from e
            raise
        finally:
            if not done:
                process.close()
                await stderr.close()

    def count(self, size: int) -> None:
        """So many bytes have arrived on a channel."""
        self.pulse.received += size

    async def close(self) -> None:
        self.lost = True
        for task in self._tasks:
            task.cancel()
        self.ssh.abort()
        await asyncio.wait(self._tasks)
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
    first : asyncssh.SSHClientConnection
        Already logged in.
    connect : callable
        Opens a further one.
    """

    def __init__(self, first: asyncssh.SSHClientConnection, connect: Connect) -> None:
        self._connect = connect
        self._growing = asyncio.Lock()
        self._lost: asyncio.Future[RemoteGPUError] = asyncio.get_running_loop().create_future()
        self._closed = False
        self.connections = [Connection(first, self._end)]

    @property
    def latency(self) -> float | None:
        """The latest round trip in seconds."""
        return self.connections[0].pulse.latency

    @property
    def fault(self) -> RemoteGPUError | None:
        """Why it was lost; None while it stands."""
        return self._lost.result() if self._lost.done() else None

    async def lost(self) -> RemoteGPUError:
        """Wait until any connection is lost; why."""
        return await asyncio.shield(self._lost)

    def check_now(self) -> None:
        """The laptop woke up: see at once whether the pod is still there."""
        for connection in self.connections:
            connection.pulse.check_now()

    async def execute(self, command: str, spec: dict[str, Any], python: str | None) -> Bridge:
        """Run a pod command on a connection that has room for a channel.

        Raises
        ------
        RemoteGPUError
            See `Connection.execute`; `LinkError` if the server allows no channels.
        """
        while True:
            connection = await self._take()
            try:
                return await connection.execute(command, spec, python)
            except _FullError as e:
                connection.leave()
                # Of a command that was given up the session stays until it has ended there.
                connection.room = connection.channels
                hopeless = not connection.carried and not connection.channels
                if hopeless or len(self.connections) >= MOST_CONNECTIONS:
                    raise no_session() from e
            except BaseException:
                connection.leave()
                raise

    async def _take(self) -> Connection:
        async with self._growing:
            for connection in self.connections:
                if connection.channels < connection.room and not connection.lost:
                    break
            else:
                ssh = await self._connect()
                if self._closed or self._lost.done():
                    ssh.abort()
                    raise lost()
                connection = Connection(ssh, self._end)
                self.connections.append(connection)
            connection.channels += 1
            return connection

    def _end(self, error: RemoteGPUError) -> None:
        if not self._lost.done():
            self._lost.set_result(error)

    async def close(self) -> None:
        """End all connections; their channels see it at once."""
        self._closed = True
        self._end(TransportError("The link to the pod was closed."))
        await asyncio.gather(*(c.close() for c in self.connections))
