"""What the thread that runs a cell is told by the background thread."""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import Any

__all__ = ["Event", "Events"]

Event = tuple[Any, ...]
"""``(kind, …)``: message, input, link, rejected, trouble, ended, broken, wake."""
WAITING = 64
"""How many events may wait before what the pod prints waits in the log instead."""


class Events:
    """A queue of events with room for so many messages, from a loop to another thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._held_back: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._ending = self._closed = False

    def put(self, event: Event) -> None:
        """Add an event, whatever waits. Safe in any thread and in a signal handler."""
        if event[0] == "ended":
            self._ending = True
        self._queue.put(event)

    def get(self, timeout: float | None = None) -> Event:
        """The next event.

        Parameters
        ----------
        timeout : float, optional
            Seconds after which `queue.Empty` is raised.
        """
        event = self._queue.get(timeout=timeout)
        self._go_on()
        return event

    def get_nowait(self) -> Event:
        """The next event; `queue.Empty` if there is none."""
        return self.get(timeout=0)

    def empty(self) -> bool:
        return self._queue.empty()

    async def offer(self, event: Event) -> bool:
        """Add an event when there is room for it; False if nobody reads any more.

        What comes after the end is nobody's, and waits until the reader has read the end.
        """
        while True:
            with self._lock:
                if self._closed:
                    return False
                if not self._ending and self._queue.qsize() < WAITING:
                    self._queue.put(event)
                    return True
                loop = asyncio.get_running_loop()
                going_on: asyncio.Future[None] = loop.create_future()
                self._held_back.append((loop, going_on))
            await going_on

    def close(self) -> None:
        """Nobody reads any more."""
        self._closed = True
        self._go_on()

    def _go_on(self) -> None:
        with self._lock:
            held_back, self._held_back = self._held_back, []
        for loop, going_on in held_back:
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, going_on)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
