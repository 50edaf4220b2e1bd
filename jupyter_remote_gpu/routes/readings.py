"""Logs that somebody asks for again and again: each is read on where it was."""

from __future__ import annotations

import asyncio
from typing import Any

from ..client import refill
from .face import DaemonFace

__all__ = ["Readings"]

KEPT_SECONDS = 30.0
"""A reading that nobody asked for in so long is let go of."""
MOST = 32
Json = dict[str, Any]


class Readings:
    """The executions whose outputs were asked for lately.

    Parameters
    ----------
    face : DaemonFace
    """

    def __init__(self, face: DaemonFace) -> None:
        self._face = face
        self._kept: dict[str, refill.Reading] = {}
        self._ends: dict[str, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def outputs(self, execution: str) -> tuple[refill.Completed, str]:
        """What is shown by now, and a word that changes whenever that does.

        Raises
        ------
        RemoteGPUError
            If nothing is known of it, or its log cannot be read.
        """
        async with self._face.use() as control:
            found = await refill.find(control, execution)
        reading = self._kept.pop(execution, None)
        if reading is None:
            reading = refill.Reading(found)
        self._keep(execution, reading)
        try:
            done = await reading.upto(found)
        except BaseException:
            if self._kept.get(execution) is reading:
                self._let_go(execution)
            raise
        return done, f"{reading.changed}-{done.outcome}"

    async def close(self) -> None:
        """Let go of all."""
        for execution in list(self._kept):
            self._let_go(execution)
        if self._closing:
            await asyncio.wait(self._closing)

    def _keep(self, execution: str, reading: refill.Reading) -> None:
        self._kept[execution] = reading  # the newest last
        if timer := self._ends.pop(execution, None):
            timer.cancel()
        loop = asyncio.get_running_loop()
        self._ends[execution] = loop.call_later(KEPT_SECONDS, self._let_go, execution)
        while len(self._kept) > MOST:
            self._let_go(next(iter(self._kept)))

    def _let_go(self, execution: str) -> None:
        self._ends.pop(execution).cancel()
        task = asyncio.create_task(self._kept.pop(execution).close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
