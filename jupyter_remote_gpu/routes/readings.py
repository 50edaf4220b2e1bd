"""Logs that somebody asks for again and again: each is read on where it was."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from ..client import refill
from ..client.log_reading import LogReading
from .face import DaemonFace

__all__ = ["Readings"]

KEPT_SECONDS = 90.0
"""A reading that nobody asked for in so long is let go of: a hidden tab asks once a minute."""
MOST = 32
Json = dict[str, Any]
R = TypeVar("R", bound=LogReading)


@dataclass(eq=False)
class _Kept:
    reading: LogReading
    users: int = 0
    end: asyncio.TimerHandle | None = None


class Readings:
    """The executions whose outputs were asked for lately, and their kernels.

    Parameters
    ----------
    face : DaemonFace
    """

    def __init__(self, face: DaemonFace) -> None:
        self._face = face
        self._kept: dict[str, _Kept] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def outputs(self, execution: str) -> tuple[refill.Completed, str]:
        """What is shown by now, and a word that changes whenever that does.

        Raises
        ------
        RemoteGPUError
            If nothing is known of it, or its log cannot be read.
        """
        async with self._face.use() as control:
            found = await refill.seek(control, execution)
        with self._using(
            execution, lambda: refill.Reading(found.execution, self._kernel)
        ) as reading:
            done = await reading.upto(found)
            return done, f"{reading.changed}-{done.outcome}"

    async def close(self) -> None:
        """Let go of all."""
        for name in list(self._kept):
            self._let_go(name)
        if self._closing:
            await asyncio.wait(self._closing)

    def _kernel(self, place: Json) -> contextlib.AbstractContextManager[refill.KernelReading]:
        return self._using(f"kernel {place['kernel']}", lambda: refill.KernelReading(place))

    @contextlib.contextmanager
    def _using(self, name: str, make: Callable[[], R]) -> Iterator[R]:
        """The reading of that name, which is kept while it is used and a while after."""
        kept = self._kept.pop(name, None) or _Kept(make())
        self._kept[name] = kept  # the newest last
        kept.users += 1
        if kept.end is not None:
            kept.end.cancel()
        try:
            yield kept.reading  # type: ignore[misc]  # a name has readings of one kind
        finally:
            kept.users -= 1
            if not kept.users and self._kept.get(name) is kept:
                if kept.reading.is_broken:
                    self._let_go(name)
                else:
                    loop = asyncio.get_running_loop()
                    kept.end = loop.call_later(KEPT_SECONDS, self._let_go, name)
                    self._keep_few()

    def _keep_few(self) -> None:
        idle = [name for name, kept in self._kept.items() if not kept.users]
        for name in idle[: max(0, len(self._kept) - MOST)]:
            self._let_go(name)

    def _let_go(self, name: str) -> None:
        kept = self._kept.pop(name)
        if kept.end is not None:
            kept.end.cancel()
        task = asyncio.create_task(kept.reading.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
