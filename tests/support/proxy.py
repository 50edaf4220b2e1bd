"""The network between laptop and pod, in the tests' hands: a TCP proxy that can go silent."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from .flow import DOWN, UP, Joined, Network

T = TypeVar("T")
CALL_SECONDS = 10.0
DIRECTIONS = (UP, DOWN)


class Proxy:
    """Listens on a loopback port and passes on to `target`; use it with ``with``.

    Every method may be called from any thread, and has taken effect when it returns. "up" is
    from the client to the target, "down" the way back.

    Parameters
    ----------
    port : int
        Where to pass on to, on `host`; the attribute `target` may be changed later.

    Attributes
    ----------
    port : int
        Where it listens; the same for its whole life.
    """

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.target = (host, port)
        self.port = 0
        self.accepted = 0
        self._tasks: dict[Joined, asyncio.Task[None]] = {}
        self._trips: list[asyncio.Task[None]] = []
        self._accepting: asyncio.Task[None] | None = None
        self._listener: socket.socket | None = None
        self._place: socket.socket | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._tripped = threading.Event()

    def __enter__(self) -> Proxy:
        # Bound but never listening: it keeps the port ours while connections are refused.
        self._place = _bound(0)
        self.port = int(self._place.getsockname()[1])
        self._thread.start()
        self._call(self._prepare())
        return self

    def __exit__(self, *_: object) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CALL_SECONDS)
        assert not self._thread.is_alive(), "the proxy's thread does not end"
        self._loop.close()
        if self._place is not None:
            self._place.close()

    # -- what happens to the network

    def cut(self) -> None:
        """Reset every connection and refuse new ones, until `heal`."""
        self._call(self._cut())

    def reset(self) -> None:
        """Reset every connection; new ones are served."""
        self._call(self._reset())

    def half_open(self) -> None:
        """Nothing is forwarded and nobody is told; new connections hang."""
        self._call(self._silence(DIRECTIONS))

    def dead(self, direction: str) -> None:
        """Nothing is forwarded in one direction (`UP` or `DOWN`); new connections hang."""
        assert direction in DIRECTIONS
        self._call(self._silence((direction,)))

    def heal(self, reset: bool = False) -> None:
        """The network is back.

        Parameters
        ----------
        reset : bool
            What stood before is reset and what it held is lost; else the held bytes flow.
            Connections that hung are served either way.
        """
        self._call(self._heal(reset))

    def latency(self, seconds: float) -> None:
        """What each byte takes in each direction, and a handshake three times, from now on."""
        self._network.latency = seconds

    def drop_after(self, direction: str, nbytes: int, then: str = "reset") -> None:
        """After exactly `nbytes` more in `direction`, over all connections: `then`.

        Parameters
        ----------
        then : str
            ``reset``, ``cut`` or ``half_open``: the method of that name.
        """
        assert direction in DIRECTIONS and nbytes > 0 and then in ("reset", "cut", "half_open")
        self._call(self._arm(direction, nbytes, then))

    def wait_dropped(self, timeout: float) -> bool:
        """Wait until what `drop_after` announced has happened; whether it has."""
        return self._tripped.wait(timeout)

    # -- what passed

    def sent(self, direction: str) -> int:
        """Bytes forwarded in `direction` since the beginning; exact for what has arrived."""

        async def count() -> int:  # in the loop, where sending and counting are one step
            return self._network.sent[direction]

        return self._call(count())

    @property
    def connections(self) -> int:
        """Those that stand between client and target."""
        return sum(joined.stands for joined in list(self._tasks))

    # -- in the loop

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(CALL_SECONDS)

    async def _prepare(self) -> None:
        self._network = Network()
        self._listen()

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _bound(self.port)
            self._listener.listen(128)
            self._accepting = self._loop.create_task(self._accept(self._listener))

    async def _refuse(self) -> None:
        if self._listener is not None and self._accepting is not None:
            await _cancelled({self._accepting})
            self._listener.close()
            self._listener = self._accepting = None

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._loop.sock_accept(listener)
            self.accepted += 1
            self._serve(Joined(client, self._network, self._trip))

    def _serve(self, joined: Joined) -> None:
        task = self._loop.create_task(self._join(joined))
        self._tasks[joined] = task

        def over(_: asyncio.Task[None]) -> None:
            joined.reset()  # also when it was cancelled before it began
            del self._tasks[joined]

        task.add_done_callback(over)

    async def _join(self, joined: Joined) -> None:
        """Join a new connection to the target, once the network lets a handshake through."""
        # A handshake is three ways; the kernel has done the client's part of it already.
        await asyncio.sleep(3 * self._network.latency)
        await self._network.whole()
        try:
            await self._loop.sock_connect(joined.server, self.target)
        except OSError:
            return  # it is reset when this ends
        joined.stands = True
        await joined.run()

    def _trip(self, then: str) -> None:
        """The last byte that `drop_after` lets through has gone; the gates are shut already."""

        async def trip() -> None:
            if then != "half_open":
                await (self._cut() if then == "cut" else self._reset())
                self._network.open()
            self._tripped.set()

        self._trips.append(self._loop.create_task(trip()))

    async def _arm(self, direction: str, nbytes: int, then: str) -> None:
        self._tripped.clear()
        self._network.armed = (direction, nbytes, then)

    async def _silence(self, directions: tuple[str, ...]) -> None:
        for direction in directions:
            self._network.gates[direction].clear()

    async def _reset(self) -> None:
        """End what stands; what still waits for its handshake goes on waiting."""
        await _cancelled({task for joined, task in self._tasks.items() if joined.stands})

    async def _cut(self) -> None:
        await self._refuse()
        await _cancelled(set(self._tasks.values()))

    async def _heal(self, reset: bool) -> None:
        if reset:
            await self._reset()
        self._network.open()
        self._listen()

    async def _close(self) -> None:
        await _cancelled(set(self._trips))
        await self._cut()


async def _cancelled(tasks: set[asyncio.Task[None]]) -> None:
    waited = set(tasks)
    for task in waited:
        task.cancel()
    if waited:
        await asyncio.wait(waited)


def _bound(port: int) -> socket.socket:
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.setblocking(False)
    return s
