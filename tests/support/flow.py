"""One connection through the tests' proxy: two flows, each behind its direction's gate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable

UP, DOWN = "up", "down"
_CHUNK = 1 << 16
_HELD = 16 << 20
_LINGER = struct.pack("ii", 1, 0)
END, RESET = "end", "reset"


class Network:
    """What all connections share: the gates, the latency, and how far a cut is away.

    Attributes
    ----------
    armed : tuple or None
        Direction, bytes that may still pass, and what happens then.
    """

    def __init__(self) -> None:
        self.gates = {UP: asyncio.Event(), DOWN: asyncio.Event()}
        self.sent = {UP: 0, DOWN: 0}
        self.latency = 0.0
        self.armed: tuple[str, int, str] | None = None
        self.open()

    def open(self) -> None:
        for gate in self.gates.values():
            gate.set()

    async def whole(self) -> None:
        """Wait until both directions are open."""
        while not all(gate.is_set() for gate in self.gates.values()):
            for gate in self.gates.values():
                await gate.wait()

    def allowed(self, direction: str, size: int) -> int:
        """How many of `size` bytes may pass in one go."""
        if self.armed is not None and self.armed[0] == direction:
            return min(size, self.armed[1])
        return size

    def passed(self, direction: str, size: int) -> str | None:
        """Count; what is to happen now if these were the last bytes, and all gates are shut."""
        self.sent[direction] += size
        if self.armed is None or self.armed[0] != direction:
            return None
        left, then = self.armed[1] - size, self.armed[2]
        self.armed = (direction, left, then) if left else None
        if left:
            return None
        for gate in self.gates.values():
            gate.clear()
        return then


class _Flow:
    """From one socket to the other; ends and resets wait in line behind the bytes."""

    def __init__(
        self, direction: str, source: socket.socket, sink: socket.socket, network: Network
    ) -> None:
        self.direction, self.source, self.sink = direction, source, sink
        self._network = network
        self._line: deque[tuple[float, bytes | str]] = deque()
        self._held = 0
        self._changed = asyncio.Event()

    def put(self, item: bytes | str) -> None:
        due = asyncio.get_running_loop().time() + self._network.latency
        self._line.append((due, item))
        self._changed.set()

    async def read(self) -> None:
        """Take what the source sends, up to `_HELD` bytes ahead, also while the gate is shut.

        While it is shut at most one chunk is taken, so that the source's buffers fill up.
        """
        loop, gate = asyncio.get_running_loop(), self._network.gates[self.direction]
        while True:
            await gate.wait()
            while self._held > _HELD:
                self._changed.clear()
                await self._changed.wait()
            try:
                data = await loop.sock_recv(self.source, _CHUNK)
            except OSError:
                self.put(RESET)
                return
            if not data:
                self.put(END)
                return
            self._held += len(data)
            self.put(data)

    async def write(self, trip: Callable[[str], None]) -> str:
        """Hand on what is in line when it is due and the gate is open; how it ended.

        Raises
        ------
        OSError
            If the sink takes no more.
        """
        loop, gate = asyncio.get_running_loop(), self._network.gates[self.direction]
        while True:
            while not self._line:
                self._changed.clear()
                await self._changed.wait()
            due, item = self._line.popleft()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            if isinstance(item, str):
                await gate.wait()
                return item
            view = memoryview(item)
            while view:
                await gate.wait()
                allowed = self._network.allowed(self.direction, len(view))
                try:
                    count = self.sink.send(view[:allowed])
                except BlockingIOError:
                    await _writable(self.sink)
                    continue
                view = view[count:]
                if (then := self._network.passed(self.direction, count)) is not None:
                    trip(then)
            self._held -= len(item)
            self._changed.set()


class Joined:
    """A client's connection and the one to the target that belongs to it.

    Parameters
    ----------
    trip : callable
        Called when a cut that was announced for a count of bytes is due.

    Attributes
    ----------
    stands : bool
        The connection to the target is made.
    """

    def __init__(
        self, client: socket.socket, network: Network, trip: Callable[[str], None]
    ) -> None:
        self.server = server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.stands = False
        self._sockets = (client, server)
        for s in self._sockets:
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._trip = trip
        self._up = _Flow(UP, client, server, network)
        self._down = _Flow(DOWN, server, client, network)

    async def run(self) -> None:
        """Until both sides have ended, or one was reset; cancelled, both are reset."""
        flows = ((self._up, self._down), (self._down, self._up))
        tasks = [asyncio.create_task(flow.read()) for flow in (self._up, self._down)]
        tasks += [asyncio.create_task(self._follow(*pair)) for pair in flows]
        well = False
        try:
            await asyncio.gather(*tasks[2:])
            well = True
        except ConnectionResetError:
            pass  # passed on below
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            if well:
                for s in self._sockets:
                    s.close()
            else:
                self.reset()

    async def _follow(self, flow: _Flow, back: _Flow) -> None:
        try:
            how = await flow.write(self._trip)
        except OSError:
            # The sink is gone; its peer is told by the way back, if that is open.
            back.put(RESET)
            return
        if how == RESET:
            raise ConnectionResetError
        with contextlib.suppress(OSError):  # it may be closed already
            flow.sink.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Close both with a reset (RST), as a router does that has forgotten a connection."""
        for s in self._sockets:
            if s.fileno() >= 0:
                with contextlib.suppress(OSError):
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
                s.close()


async def _writable(s: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    fd = s.fileno()

    def tell() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(fd, tell)
    try:
        await ready
    finally:
        loop.remove_writer(fd)
