"""The async face of the daemon's service ``control``: requests, and snapshots as they change."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from typing import Any

from ..errors import DaemonError, RemoteGPUError, WireError, error_from_json
from ..wire.frames import CONTROL, decode_control
from .connection import Connection, ConnectionLost, dial
from .within import within

# Asking twice for these is the same as asking once, so they survive a daemon that dies.
_ONCE_ONLY = frozenset(
    {"pod.add", "pod.remove", "key.install", "key.remove", "kernel.restart", "daemon.stop"}
)


class Control:
    """Requests to the daemon, and its snapshots; reconnects by itself when next used.

    Use `open`; `close` it at the end.
    """

    def __init__(self, *, kind: str, client: str, spawn: bool) -> None:
        self._hello = {"service": "control", "client": client, "kind": kind}
        self.spawn = spawn
        self._connection: Connection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._dialling = asyncio.Lock()
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._snapshot: dict[str, Any] | None = None
        self._changed = asyncio.Event()
        self._closed = False

    @classmethod
    async def open(cls, *, kind: str, client: str | None = None, spawn: bool = True) -> Control:
        """Connect to the daemon.

        Parameters
        ----------
        kind : str
            What this face is (``magic``, ``cli``…), for the daemon's log.
        client : str, optional
            32 hex digits; this process's own by default.
        spawn : bool
            Start a daemon if there is none.

        Raises
        ------
        DaemonError
            If there is none and none can be started.
        VersionMismatch
            If the daemon is newer than this face.
        """
        from .identity import client_id

        control = cls(kind=kind, client=client or client_id(), spawn=spawn)
        await control._connected()
        return control

    @property
    def welcome(self) -> dict[str, Any]:
        """The daemon's ``pid``, ``version``… of the latest connection."""
        return self._connection.welcome if self._connection is not None else {}

    async def request(self, op: str, /, *, timeout: float = 30.0, **args: Any) -> dict[str, Any]:
        """Ask for `op`; the answer's ``result``.

        Parameters
        ----------
        op : str
            See the table in ``docs/architecture.md``.
        timeout : float
            Seconds.

        Raises
        ------
        RemoteGPUError
            Of the class that the daemon answered with.
        DaemonError
            If it did not answer in time (code ``timeout``) or went away (``daemon-lost``).
        """
        again = op not in _ONCE_ONLY and not (op == "kernel.open" and args.get("fresh"))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        pause = 0.01
        while True:
            connection = await self._connected()
            number = next(self._ids)
            answer: asyncio.Future[dict[str, Any]] = loop.create_future()
            self._waiting[number] = answer
            connection.send({"id": number, "op": op, "args": args})
            try:
                left = max(0.001, deadline - loop.time())
                reply = await within(_answer(connection, answer), left)
            except asyncio.TimeoutError:
                raise DaemonError(
                    f"The daemon did not answer to {op} within {timeout:g} s. "
                    "See `jupyter remote-gpu status`, then try again.",
                    code="timeout",
                ) from None
            except ConnectionLost:
                if op == "daemon.stop":
                    return {}
                if again and not self._closed and loop.time() + pause < deadline:
                    await asyncio.sleep(pause)
                    pause = min(1.0, pause * 2)
                    continue
                raise DaemonError(
                    f"The daemon ended before it answered to {op}. Look whether it was done "
                    "(`jupyter remote-gpu status`), then try again.",
                    code="daemon-lost",
                ) from None
            finally:
                del self._waiting[number]
                if answer.cancelled() or not answer.done():
                    # Given up: the daemon must not go on with it behind the user's back.
                    connection.send({"cancel": number})
            if not reply.get("ok"):
                raise error_from_json(reply.get("error"))
            result = reply.get("result")
            return result if isinstance(result, dict) else {}

    async def snapshots(self, revision: int = 0) -> AsyncIterator[dict[str, Any]]:
        """The newest snapshot after each change, for ever; goes on with a new daemon.

        Parameters
        ----------
        revision : int
            Only newer ones than this; 0 gives the present one at once.
        """
        subscribed: Connection | None = None
        seen = revision
        while not self._closed:
            # Cleared first: what arrives from here on wakes the wait below.
            self._changed.clear()
            connection = await self._connected()
            if connection is not subscribed:
                if subscribed is not None:
                    seen = 0
                subscribed = connection
                self._snapshot = None
                await self.request("subscribe", revision=seen)
                continue
            snapshot = self._snapshot
            if snapshot is not None and snapshot.get("revision") != seen:
                seen = int(snapshot.get("revision", 0))
                yield snapshot
                continue
            await self._changed.wait()

    async def close(self) -> None:
        """Let go of the daemon; whoever waits gets `DaemonError`."""
        self._closed = True
        self._changed.set()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._drop(ConnectionLost("closed"))

    def _check_open(self) -> None:
        if self._closed:
            raise DaemonError("This face has let go of the daemon.", code="closed")

    async def _connected(self) -> Connection:
        async with self._dialling:
            self._check_open()
            if self._connection is None:
                connection = await dial(self._hello, spawn=self.spawn)
                try:
                    self._check_open()  # it may have been closed while it was dialled
                except DaemonError:
                    await connection.close()
                    raise
                self._connection = connection
                self._reader = asyncio.create_task(self._read(self._connection))
            return self._connection

    async def _read(self, connection: Connection) -> None:
        try:
            while True:
                for kind, payload in await connection.read():
                    if kind != CONTROL:
                        raise WireError("the daemon sent a record on the control service")
                    self._take(decode_control(payload))
        except (ConnectionLost, RemoteGPUError) as e:
            await self._drop(e)

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("type") == "refused":
            raise error_from_json(message.get("error"))
        if message.get("event") == "snapshot":
            snapshot = message.get("snapshot")
            if isinstance(snapshot, dict) and isinstance(snapshot.get("revision"), int):
                self._snapshot = snapshot
                self._changed.set()
            return
        number = message.get("id")
        answer = self._waiting.get(number) if isinstance(number, int) else None
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def _drop(self, reason: Exception) -> None:
        connection, self._connection = self._connection, None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(reason)
        self._changed.set()
        if connection is not None:
            with contextlib.suppress(ConnectionLost):
                await connection.close()


async def _answer(connection: Connection, answer: asyncio.Future[dict[str, Any]]) -> dict[str, Any]:
    await connection.drain()
    return await answer
