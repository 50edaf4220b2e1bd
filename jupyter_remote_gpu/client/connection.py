"""One connection to the daemon: dialled, greeted, and read in frames."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from .._version import __version__
from ..errors import DaemonError, RemoteGPUError, VersionMismatch, WireError, error_from_json
from ..wire import PROTOCOL
from ..wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from .spawn import daemon_socket, replace_daemon, start_daemon
from .versions import version_key
from .within import within

READ_BYTES = 1 << 18
HELLO_SECONDS = 15.0
CLOSE_SECONDS = 2.0
DIAL_TRIES = 5


class ConnectionLost(Exception):
    """The daemon went away; what was not answered can be sent again to the next one."""


class Connection:
    """Frames over the daemon's Unix socket.

    Attributes
    ----------
    welcome : dict
        The daemon's answer to the hello.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = FrameDecoder()
        self._early: list[tuple[int, bytes]] = []
        self.welcome: dict[str, Any] = {}

    async def greet(self, hello: dict[str, Any]) -> None:
        """Send the hello and wait for the welcome.

        Raises
        ------
        ConnectionLost
            If the daemon went away.
        RemoteGPUError
            What it refused with.
        """
        self.send(hello)
        frames: list[tuple[int, bytes]] = []
        try:
            while not frames:
                frames = await self._read()
            kind, payload = frames.pop(0)
            answer = decode_control(payload) if kind == CONTROL else {}
        except WireError as e:
            raise _alien(str(e)) from e
        if answer.get("type") == "refused":
            raise error_from_json(answer.get("error"))
        if answer.get("type") != "welcome":
            raise _alien("its first answer is not a welcome")
        self.welcome = answer
        self._early = frames

    async def read(self) -> list[tuple[int, bytes]]:
        """The frames of one read, at least one; raises `ConnectionLost` at the end."""
        if self._early:
            frames, self._early = self._early, []
            return frames
        while True:
            frames = await self._read()
            if frames:
                return frames

    async def _read(self) -> list[tuple[int, bytes]]:
        try:
            data = await self._reader.read(READ_BYTES)
        except OSError as e:
            raise ConnectionLost(str(e)) from e
        if not data:
            raise ConnectionLost("the daemon closed the connection")
        return list(self._decoder.feed(data))

    def send(self, message: dict[str, Any]) -> None:
        """Queue a control message."""
        self.write(encode_control(message))

    def write(self, data: bytes) -> None:
        """Queue bytes of whole frames; lost with the connection, so keep what matters."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def drain(self) -> None:
        """Wait until the queue is short."""
        with contextlib.suppress(OSError):
            await self._writer.drain()

    async def close(self) -> None:
        """Close it after what is queued was sent; a peer that does not read is cut off."""
        self._writer.close()
        try:
            await within(self._writer.wait_closed(), CLOSE_SECONDS)
        except (OSError, asyncio.TimeoutError):
            self._writer.transport.abort()


def _alien(why: str) -> WireError:
    return WireError(
        f"What answers at the daemon's socket is not our daemon ({why}). End it with `jupyter "
        "remote-gpu daemon stop`, or end the process that has the socket, then try again."
    )


async def _connect() -> Connection:
    path = await asyncio.to_thread(daemon_socket)
    return Connection(*await asyncio.open_unix_connection(str(path), limit=READ_BYTES))


async def _in_thread(work: Callable[..., None], *args: int) -> None:
    try:
        await asyncio.to_thread(work, *args)
    except OSError as e:  # a full disk, too many open files: it may pass
        raise DaemonError(f"The daemon cannot be started: {e.strerror or e}.") from e


async def dial(hello: dict[str, Any], *, spawn: bool) -> Connection:
    """A greeted connection, with a daemon started for it where that is allowed.

    Parameters
    ----------
    hello : dict
        ``service``, ``client`` and what the service wants besides.
    spawn : bool
        Whether a missing daemon is started, and an older one replaced.

    Raises
    ------
    DaemonError
        If there is no daemon (code ``daemon-absent`` without `spawn`; ``stopped`` in the details
        says that it ended in order: one that was killed leaves its socket).
    VersionMismatch
        If the daemon is newer than this face, or older and `spawn` is False.
    """
    hello = {"identity": None, "cursor": 0, **hello, "protocol": PROTOCOL, "version": __version__}
    trouble, replaced = "it closed the connection", False
    for _ in range(DIAL_TRIES):
        try:
            connection = await _connect()
        except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError) as e:
            if not spawn:
                raise DaemonError(
                    "The daemon is not running. Start it: jupyter remote-gpu daemon start",
                    code="daemon-absent",
                    details={"stopped": isinstance(e, FileNotFoundError)},
                ) from None
            await _in_thread(start_daemon)
            continue
        except OSError as e:
            raise DaemonError(f"The daemon's socket cannot be reached: {e}") from e
        try:
            async with _closed_unless_greeted(connection):
                await within(connection.greet(hello), HELLO_SECONDS)
                _check_version(connection.welcome)
            return connection
        except ConnectionLost as e:  # it was just ending; the next try starts another
            trouble = str(e)
        except asyncio.TimeoutError:
            raise DaemonError(
                f"The daemon did not answer within {HELLO_SECONDS:.0f} s. Try again; if it stays "
                "so, `jupyter remote-gpu daemon stop` ends it, and kernels on pods run on.",
                code="timeout",
            ) from None
        except VersionMismatch as e:
            pid = e.details.get("pid")
            older = version_key(str(e.details.get("version"))) < version_key(__version__)
            if not (older and spawn and isinstance(pid, int)) or replaced:
                raise
            replaced = True
            await _in_thread(replace_daemon, pid)
    raise DaemonError(
        f"No daemon could be had in {DIAL_TRIES} tries ({trouble}). "
        "See `jupyter remote-gpu log`, then try again."
    )


def _check_version(welcome: dict[str, Any]) -> None:
    theirs = str(welcome.get("version"))
    if version_key(theirs) < version_key(__version__):
        raise VersionMismatch(
            f"The daemon is jupyter-remote-gpu {theirs}, older than this one ({__version__}). "
            "Stop it with `jupyter remote-gpu daemon stop`; the next cell starts a new one.",
            details={"version": theirs, "pid": welcome.get("pid")},
        )


@contextlib.asynccontextmanager
async def _closed_unless_greeted(connection: Connection) -> AsyncIterator[None]:
    try:
        yield
    except (Exception, asyncio.CancelledError):
        await connection.close()
        raise


__all__ = ["Connection", "ConnectionLost", "RemoteGPUError", "dial"]
