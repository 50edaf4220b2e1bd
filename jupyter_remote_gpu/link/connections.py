"""The ssh connections of one pod: a pool that grows with its channels and is lost as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncssh

from ..errors import RemoteGPUError, TransportError
from . import shell
from .channel import Bridge
from .connection import Connection, FullError
from .pulse import lost, no_session

__all__ = ["Bridge", "Pool"]

MOST_CONNECTIONS = 16
EMPTY_SECONDS = 60.0
"""A further connection without channels is closed after so long."""

T = TypeVar("T")
Connect = Callable[[], Awaitable[asyncssh.SSHClientConnection]]


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
        loop = asyncio.get_running_loop()
        self._connect = connect
        self._growing: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[RemoteGPUError] = loop.create_future()
        self._left: asyncio.Future[None] = loop.create_future()
        self._closing: set[asyncio.Task[None]] = set()
        self._timers: dict[Connection, asyncio.TimerHandle] = {}
        self.connections = [Connection(first, self._end, self._one_left)]

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
        # The bridge's channel is left when it is closed.
        _, bridge = await self._on_channel(lambda c: c.execute(command, spec, python))
        return bridge

    async def run_shell(self, script: str, stdin: bytes) -> str:
        """Run a POSIX shell script; its standard output.

        Raises
        ------
        LinkError
            If it fails or prints too much; `TransportError` if the link was lost.
        """
        connection, process = await self._on_channel(lambda c: c.open(shell.line(script)))
        try:
            return await shell.run(process, stdin)
        finally:
            connection.leave()

    async def _on_channel(self, work: Callable[[Connection], Awaitable[T]]) -> tuple[Connection, T]:
        while True:
            connection = await self._take()
            try:
                return connection, await work(connection)
            except FullError as e:
                connection.refused()
                if not connection.carried and not connection.channels:
                    raise no_session() from e
            except BaseException:
                connection.leave()
                raise

    async def _take(self) -> Connection:
        """A connection with room, on which a channel is then counted.

        It comes as soon as there is one: a channel that ends, or a further connection.
        """
        while not self._lost.done():
            for connection in self.connections:
                if connection.has_room:
                    connection.channels += 1
                    self._keep(connection)
                    return connection
            if self._growing is None:
                if len(self.connections) >= MOST_CONNECTIONS:
                    raise no_session()
                self._growing = asyncio.create_task(self._grow())
                self._growing.add_done_callback(_seen)
            growing = self._growing
            news: list[asyncio.Future[Any]] = [growing, self._lost, self._left]
            await asyncio.wait(news, return_when=asyncio.FIRST_COMPLETED)
            if growing.done() and not growing.cancelled():
                growing.result()
        raise lost()

    async def _grow(self) -> None:
        try:
            ssh = await self._connect()
            if self._lost.done():
                ssh.abort()
            else:
                further = Connection(ssh, lambda e: self._further_ended(further, e), self._one_left)
                self.connections.append(further)
        finally:
            self._growing = None

    def _further_ended(self, connection: Connection, error: RemoteGPUError) -> None:
        if isinstance(error, TransportError):
            self._end(error)
        elif not self._lost.done():
            # The pod starts no process there now; what runs on the others need not end for that.
            self._keep(connection)
            self._drop(connection)

    def _one_left(self, connection: Connection) -> None:
        """A channel has ended: whoever waits for one looks again."""
        left, self._left = self._left, asyncio.get_running_loop().create_future()
        left.set_result(None)
        self._keep(connection)
        empty = not connection.channels and connection in self.connections[1:]
        if empty and not self._lost.done():
            self._timers[connection] = asyncio.get_running_loop().call_later(
                EMPTY_SECONDS, self._retire, connection
            )

    def _keep(self, connection: Connection) -> None:
        if (timer := self._timers.pop(connection, None)) is not None:
            timer.cancel()

    def _retire(self, connection: Connection) -> None:
        del self._timers[connection]
        self._drop(connection)

    def _drop(self, connection: Connection) -> None:
        self.connections.remove(connection)
        task = asyncio.create_task(connection.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _end(self, error: RemoteGPUError) -> None:
        if not self._lost.done():
            self._lost.set_result(error)

    async def close(self) -> None:
        """End all connections; their channels see it at once."""
        self._end(TransportError("The link to the pod was closed."))
        for connection in self.connections:
            self._keep(connection)
        if self._growing is not None:
            self._growing.cancel()
            self._closing.add(self._growing)
        for connection in self.connections:
            self._closing.add(asyncio.create_task(connection.close()))
        await asyncio.wait(self._closing)


def _seen(task: asyncio.Task[None]) -> None:
    """Who waits for the connection raises what it raised; perhaps nobody does any more."""
    if not task.cancelled():
        task.exception()
