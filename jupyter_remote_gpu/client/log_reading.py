"""A part of a kernel's log, read for what it says and not for the kernel."""

from __future__ import annotations

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ..errors import DaemonError, RemoteGPUError
from ..wire.records import Record
from .channel import Channel

__all__ = ["READ_SECONDS", "LogReading"]

READ_SECONDS = 300.0
"""A log within its bound (2 GB) is read in less; more than that is a daemon that hangs."""
CLOSE_SECONDS = 5.0


class LogReading(ABC):
    """Follows a log from a cursor on, until it is closed.

    Parameters
    ----------
    place : dict
        With ``pod``, ``kernel`` and ``identity``.
    cursor : int
        Records up to this one are not wanted.
    what : str
        It is read for this: for a sentence.

    Attributes
    ----------
    changed : int
        The newest record that can have changed what is shown.
    """

    def __init__(self, place: dict[str, Any], cursor: int, what: str) -> None:
        self.changed = 0
        self._what = what
        self._awaited = 0
        self._news = asyncio.Event()
        self._channel = Channel(
            pod=str(place["pod"]),
            kernel=str(place["kernel"]),
            identity=str(place["identity"]),
            # Of its own: two channels of one client would supersede each other.
            client=uuid.uuid4().hex,
            cursor=cursor,
            on_batch=self._on_batch,
            on_control=_ignore,
            wanted=lambda: self._awaited > 0,
        )
        self._task = asyncio.create_task(self._channel.run(), name=f"reading {what}")
        self._task.add_done_callback(lambda _: self._news.set())

    @property
    def is_broken(self) -> bool:
        """Whether no more of it will be read."""
        return self._task.done()

    async def close(self) -> None:
        """Let go of the log."""
        await self._channel.close()
        self._task.cancel()  # it may not have begun
        await asyncio.wait([self._task], timeout=CLOSE_SECONDS)

    @abstractmethod
    def _take(self, record: Record) -> None:
        """Fold the next record in."""

    async def _until(self, is_there: Callable[[], bool], seconds: float) -> None:
        """Wait until so much was read.

        Raises
        ------
        RemoteGPUError
            If the log cannot be read, or not within so many seconds.
        """
        self._awaited += 1
        try:
            await self._read_until(is_there, seconds)
        finally:
            self._awaited -= 1

    async def _read_until(self, is_there: Callable[[], bool], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while not is_there():
            if self._task.done():
                raise self._failure()
            self._news.clear()
            waiting = asyncio.ensure_future(self._news.wait())
            try:
                await asyncio.wait([waiting], timeout=max(0.0, deadline - loop.time()))
            finally:
                waiting.cancel()
            if loop.time() >= deadline and not is_there():
                raise DaemonError(
                    f"The log of {self._what} was not read within {seconds:g} s. Try again.",
                    code="timeout",
                )

    def _failure(self) -> RemoteGPUError:
        error = None if self._task.cancelled() else self._task.exception()
        if isinstance(error, RemoteGPUError):
            return error
        return DaemonError(f"The log of {self._what} is not read any more: {error}.")

    async def _on_batch(self, records: list[Record]) -> None:
        for record in records:
            self._take(record)
        self._news.set()


async def _ignore(message: dict[str, Any]) -> None:
    """Nothing was asked for, so nothing is answered."""
