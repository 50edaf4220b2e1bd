"""When to try again: overlapping tries while something waits, and at once on wake."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ..errors import RemoteGPUError, TransportError

TICK_SECONDS = 1.0
WAKE_SECONDS = 5.0
"""A tick that comes so late by either clock means that the laptop was asleep."""

BUSY_SECONDS = 1.5
BUSY_FOR_SECONDS = 600.0
SLOW_SECONDS = 30.0
IDLE_SECONDS = 10.0
_AT_ONCE = 4

T = TypeVar("T")
Told = Callable[[RemoteGPUError | None, float | None], None]


class Clock:
    """Paces the tries of one link.

    Parameters
    ----------
    on_wake : callable
        Called when the laptop has slept.
    """

    def __init__(self, on_wake: Callable[[], None]) -> None:
        self._now = asyncio.Event()
        self._on_wake = on_wake

    def now(self) -> None:
        """Start the next try at once."""
        self._now.set()

    async def watch(self) -> None:
        """Notice that the laptop slept (to be run as a task)."""
        while True:
            monotonic, wall = time.monotonic(), time.time()
            await asyncio.sleep(TICK_SECONDS)
            late = max(time.monotonic() - monotonic, time.time() - wall) - TICK_SECONDS
            if late >= WAKE_SECONDS:
                self._on_wake()
                self.now()

    async def race(
        self, attempt: Callable[[], Awaitable[T]], busy: Callable[[], bool], told: Told
    ) -> T:
        """The first success of tries that start one after the other and do not wait for each other.

        A try into a half-open path hangs until its time limit; the next one, into the
        healed path, must not wait for that.

        Raises
        ------
        RemoteGPUError
            The first error that is not a `TransportError`: it waits for the user.
        """
        running: list[asyncio.Future[T]] = []
        began = time.monotonic()
        count = 0
        try:
            while True:
                self._now.clear()
                if len(running) >= _AT_ONCE:
                    hung = running.pop(0)
                    hung.cancel()
                    await asyncio.wait([hung])
                running.append(asyncio.ensure_future(attempt()))
                count += 1
                pause = self._pause(busy(), time.monotonic() - began, count)
                told(None, time.time() + pause)
                end = time.monotonic() + pause
                while (left := end - time.monotonic()) > 0 and not self._now.is_set():
                    won = await self._step(running, left, told)
                    if won is not None:
                        return won.result()
        finally:
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)

    async def _step(
        self, running: list[asyncio.Future[T]], left: float, told: Told
    ) -> asyncio.Future[T] | None:
        hurry = asyncio.create_task(self._now.wait())
        try:
            waited: list[asyncio.Future[Any]] = [*running, hurry]
            done, _ = await asyncio.wait(waited, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
            await asyncio.wait([hurry])
        for task in [t for t in running if t in done]:
            running.remove(task)
            error = task.exception()
            if error is None:
                return task
            if not isinstance(error, TransportError):
                raise error
            told(error, time.time() + left)
        return None

    @staticmethod
    def _pause(busy: bool, elapsed: float, count: int) -> float:
        if busy:
            return BUSY_SECONDS if elapsed < BUSY_FOR_SECONDS else SLOW_SECONDS
        return min(BUSY_SECONDS * 1.3 ** min(count, 20), IDLE_SECONDS)
