"""Keeps the mirrors compact and within their bound, one segment at a time, in a child process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from ..wire.retention import Task
from ..wire.rewriting import PAUSE_SECONDS, Rewriting
from .mirror import Mirror

BACKLOG_BYTES = 64 << 20
"""While a cell runs its mirror is left alone until so much waits: the CPU is the cell's."""
log = logging.getLogger(__name__)


class Housekeeping:
    """Rewrites closed segments in the background.

    Parameters
    ----------
    mirrors : callable
        Gives the present mirrors.
    """

    def __init__(self, mirrors: Callable[[], Iterable[Mirror]]) -> None:
        self._mirrors = mirrors
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="housekeeping")

    def wake(self) -> None:
        """A segment was closed, or a cell ended."""
        self._wake.set()

    async def close(self) -> None:
        """Stop; a segment that is being rewritten stays as it was."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while await self._round():
                    pass
            except Exception:  # the next segment finds us here all the same
                log.exception("housekeeping")

    async def _round(self) -> bool:
        """One task of each mirror, so that none waits for another's failures; was there any?"""
        results = []
        for mirror in list(self._mirrors()):
            task = self._task_of(mirror)
            if task is not None:
                results.append(await self._rewrite(mirror, task))
        if not all(results):
            await asyncio.sleep(PAUSE_SECONDS)
        return bool(results)

    def _task_of(self, mirror: Mirror) -> Task | None:
        if mirror.closed or (mirror.executions.open and mirror.closed_bytes < BACKLOG_BYTES):
            return None
        task = mirror.retention.next()
        if task is None:
            mirror.closed_bytes = 0
        return task

    async def _rewrite(self, mirror: Mirror, task: Task) -> bool:
        work = Rewriting(mirror.log, task)
        try:
            await asyncio.to_thread(work.wait)
        except asyncio.CancelledError:
            work.close()  # also one whose child was through: nobody takes what it wrote
            raise
        # Set aside or cut meanwhile: another may have its place.
        if mirror.closed or task.segment not in mirror.log.segments[:-1]:
            work.close()
            return True
        failure = work.finish()
        if failure is not None:
            log.error("%s", failure)
        mirror.rewritten(task, failure is None)
        return failure is None
