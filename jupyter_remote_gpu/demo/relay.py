"""A TCP relay whose network can be taken away: the way from the laptop to the demo pod."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Coroutine

from ..errors import BadInput

__all__ = ["Relay", "check_seconds"]

LONGEST_CUT = 24 * 3600.0
_CHUNK = 1 << 16
_HELD = 1 << 16
_REST_SECONDS = 0.2
_RESET = struct.pack("ii", 1, 0)


def check_seconds(value: object) -> float:
    """Return `value` as the length of a cut in seconds.

    Raises
    ------
    BadInput
        If it is not a number above 0 and at most a day.
    """
    try:
        seconds = float(str(value))
    except ValueError:
        seconds = float("nan")
    if not 0 < seconds <= LONGEST_CUT:
        raise BadInput(
            f"A cut of {value!r:.40} seconds is not possible: give a number above 0 and at most "
            f"{LONGEST_CUT:.0f}."
        )
    return seconds


class Relay:
    """Passes connections on to a port of this machine, until it is told to go silent.

    Parameters
    ----------
    port : int
        The port on 127.0.0.1 to pass on to.

    Notes
    -----
    During a cut nothing is forwarded and nobody is told: connections that stand are
    half-open, new ones hang. When it ends the old ones are reset and those that hung are
    passed on, but for the ones that were given up meanwhile.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self.until = 0.0  # time.time() at which the present cut ends
        self._to = port
        self._listener: socket.socket | None = None
        self._network = asyncio.Event()
        self._network.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._pumps: set[asyncio.Task[bool]] = set()
        self._silent: list[tuple[socket.socket, socket.socket]] = []
        self._healer: asyncio.TimerHandle | None = None

    def listen(self, port: int = 0) -> int:
        """Take connections on 127.0.0.1; the port (any free one if `port` is 0 or taken)."""
        for candidate in (port, 0) if port else (0,):
            s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", candidate))
            except OSError:
                s.close()
                if not candidate:
                    raise
                continue
            s.listen(128)
            s.setblocking(False)
            self._listener = s
            self.port = int(s.getsockname()[1])
            self._own(self._accept(s))
            break
        return self.port

    def cut(self, seconds: float) -> float:
        """Take the network away for `seconds`; when it comes back, in seconds of the epoch.

        A cut during a cut makes it longer, never shorter.
        """
        loop = asyncio.get_running_loop()
        until = max(self.until, time.time() + seconds)
        self.until = until
        self._network.clear()
        for task in self._pumps:
            task.cancel()
        if self._healer is not None:
            self._healer.cancel()
        self._healer = loop.call_later(until - time.time(), self.heal)
        return until

    def heal(self) -> None:
        """Bring the network back: what stood before the cut is reset."""
        if self._healer is not None:
            self._healer.cancel()
            self._healer = None
        self.until = 0.0
        for pair in self._silent:
            _reset(*pair)
        self._silent.clear()
        self._network.set()

    async def close(self) -> None:
        """End every connection and stop listening."""
        if self._listener is not None:
            self._listener.close()
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.heal()

    def _own(self, coroutine: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:
                # Too many open files, or a client that has gone already: the next may do.
                await asyncio.sleep(_REST_SECONDS)
                continue
            self._own(self._connection(client))

    async def _connection(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        keep = False
        try:
            _prepare(client)
            held = await self._held(client)
            if held is None:
                return
            server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            _prepare(server)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(server, ("127.0.0.1", self._to))
            await loop.sock_sendall(server, held)
            ended = await self._join(client, server)
            if ended:
                client.close()
                server.close()
            elif ended is None and not self._network.is_set():
                self._silent.append((client, server))
                keep = True
        except OSError:
            pass  # sshd is gone: the client learns it by the reset below
        finally:
            if not keep:
                _reset(client, *([server] if server is not None else []))

    async def _held(self, client: socket.socket) -> bytes | None:
        """Wait for the network; what the client said meanwhile, or None if it gave up."""
        if self._network.is_set():
            return b""
        loop = asyncio.get_running_loop()
        said, gone = bytearray(), asyncio.Event()

        def hear() -> None:
            try:
                data = client.recv(_CHUNK)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            said.extend(data)
            if not data:
                gone.set()
            if not data or len(said) >= _HELD:
                loop.remove_reader(client)

        ends = [loop.create_task(event.wait()) for event in (self._network, gone)]
        loop.add_reader(client, hear)
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            loop.remove_reader(client)
            for task in ends:
                task.cancel()
            await asyncio.wait(ends)
        return None if gone.is_set() else bytes(said)

    async def _join(self, client: socket.socket, server: socket.socket) -> bool | None:
        """Copy both ways; whether both ended well, or None when the network went away."""
        task = asyncio.get_running_loop().create_task(_both(client, server))
        self._pumps.add(task)
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            self._pumps.discard(task)
        return None if task.cancelled() else task.result()


async def _both(client: socket.socket, server: socket.socket) -> bool:
    well = True
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(client, server))
            group.create_task(_pump(server, client))
    except* OSError:
        well = False
    return well


async def _pump(source: socket.socket, target: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, _CHUNK):
        await loop.sock_sendall(target, data)
    with contextlib.suppress(OSError):  # the other side may have closed already
        target.shutdown(socket.SHUT_WR)


def _prepare(s: socket.socket) -> None:
    s.setblocking(False)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reset(*sockets: socket.socket) -> None:
    """Close with a reset (RST), as a router does that has forgotten the connection."""
    for s in sockets:
        if s.fileno() < 0:
            continue
        with contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        s.close()
