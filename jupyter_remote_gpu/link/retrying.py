"""When to try again: overlapping tries while something waits, and at once on wake."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from ..errors import RemoteGPUError, TransportError

TICK_SECONDS = 1.0
WAKE_SECONDS = 5.0
"""A tick that comes so late by either clock means that the laptop was asleep."""

BUSY_SECONDS = 1.5
BUSY_FOR_SECONDS = 600.0
SLOW_SECONDS = 10.0
STEADY_SECONDS = 10.0
"""A link that stood so long was a good one: after its loss the first try is made at once."""
_AT_ONCE = 9
"""sshd takes ten connections that have not logged in yet. So many 1.5 s apart are more than a
login may take: it ends by its own limit, whose reason is then shown."""

T = TypeVar("T")
Told = Callable[[RemoteGPUError | None, float | None], None]


class Clock:
    """Tells when to try, and notices that the laptop slept.

    Parameters
    ----------
    busy : callable
        Whether something waits for the link.
    on_wake : callable
        Called when the laptop has slept.
    """

    def __init__(self, busy: Callable[[], bool], on_wake: Callable[[], None]) -> None:
        self._busy = busy
        self._on_wake = on_wake
        self._now = asyncio.Event()
        self._tries = 0
        self._tried = -math.inf
        self._busy_since: float | None = None

    def begin(self, stood: float) -> None:
        """The link was lost just now, after it had stood for `stood` seconds.

        One that is lost as soon as it is there counts as a try that failed: the pod is not
        stormed with logins.
        """
        self._now.clear()
        if stood >= STEADY_SECONDS:
            self._tries, self._tried, self._busy_since = 0, -math.inf, None

    def now(self) -> None:
        """Start the next try at once, and the following ones soon."""
        self._tries, self._busy_since = 0, None
        self._now.set()

    def tried(self) -> None:
        """A try has been started."""
        self._tries += 1
        self._tried = time.monotonic()
        self._now.clear()

    @property
    def left(self) -> float:
        """Seconds until the next try is due; 0 or less: it is."""
        if self._now.is_set():
            return 0.0
        return self._tried + self._pause() - time.monotonic()

    def _pause(self) -> float:
        """Seconds from the start of one try to that of the next; never longer while one waits."""
        if not self._busy():
            self._busy_since = None
            return min(float(BUSY_SECONDS * 1.3 ** min(self._tries, 20)), SLOW_SECONDS)
        if self._busy_since is None:
            self._busy_since = time.monotonic()
        waited = time.monotonic() - self._busy_since
        return BUSY_SECONDS if waited < BUSY_FOR_SECONDS else SLOW_SECONDS

    async def hurry(self) -> None:
        """Wait until `now` is called."""
        await self._now.wait()

    async def watch(self) -> None:
        """Notice that the laptop slept (to be run as a task)."""
        while True:
            monotonic, wall = time.monotonic(), time.time()
            await asyncio.sleep(TICK_SECONDS)
            late = max(time.monotonic() - monotonic, time.time() - wall) - TICK_SECONDS
            if late >= WAKE_SECONDS:
                self._on_wake()
                self.now()


class Race(Generic[T]):
    """Tries that start one after the other and do not wait for each other.

    A try into a half-open path hangs until its time limit; the next one, into the healed
    path, must not wait for that.

    Parameters
    ----------
    attempt : callable
        Begins one try.
    undo : callable
        Is given a result that came too late to be used.
    told : callable
        Called with each failure, and when the next try is known: ``(error, next_try)``, the
        latter in seconds since the epoch.
    """

    def __init__(
        self,
        clock: Clock,
        attempt: Callable[[], Awaitable[T]],
        undo: Callable[[T], None],
        told: Told,
    ) -> None:
        self._clock = clock
        self._attempt = attempt
        self._undo = undo
        self._told = told
        self._running: list[asyncio.Future[T]] = []

    async def first(self) -> T:
        """The first success.

        Raises
        ------
        RemoteGPUError
            The first error that is not a `TransportError`: it waits for the user.
        """
        won: asyncio.Future[T] | None = None
        try:
            while True:
                while (left := self._clock.left) > 0:
                    self._told(None, time.time() + left)
                    won = await self._step(left)
                    if won is not None:
                        return won.result()
                await self._make_room()
                self._running.append(asyncio.ensure_future(self._attempt()))
                self._clock.tried()
        finally:
            try:
                await self._drop(self._running)
            except asyncio.CancelledError:
                # Whoever asked for it is told that there is none.
                if won is not None:
                    self._undo(won.result())
                raise

    async def _make_room(self) -> None:
        if len(self._running) >= _AT_ONCE:
            hung, self._running = self._running[:1], self._running[1:]
            await self._drop(hung)

    async def _step(self, left: float) -> asyncio.Future[T] | None:
        """Wait a little; whether something waits for the link may change at any time."""
        hurry = asyncio.create_task(self._clock.hurry())
        waited: list[asyncio.Future[Any]] = [*self._running, hurry]
        try:
            done, _ = await asyncio.wait(
                waited, timeout=min(left, TICK_SECONDS), return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            hurry.cancel()
            await asyncio.wait([hurry])
        for task in [t for t in self._running if t in done]:
            self._running.remove(task)
            error = task.exception()
            if error is None:
                return task
            if not isinstance(error, TransportError):
                raise error
            self._told(error, None)
        return None

    async def _drop(self, tasks: list[asyncio.Future[T]]) -> None:
        for task in tasks:
            task.cancel()
            # Not after the wait, which may be cancelled.
            task.add_done_callback(self._late)
        if tasks:
            await asyncio.wait(tasks)

    def _late(self, task: asyncio.Future[T]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._undo(task.result())
