"""Keeps the mirrors compact and within their bound, one segment at a time, in a child process."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ..wire.retention import Task
from .mirror import Mirror

NICENESS = 15
PAUSE_SECONDS = 5.0
CHILD_SECONDS = 120.0
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
            while (found := self._next()) is not None:
                mirror, task = found
                if not await self._rewrite(mirror, task):
                    await asyncio.sleep(PAUSE_SECONDS)

    def _next(self) -> tuple[Mirror, Task] | None:
        for mirror in self._mirrors():
            if mirror.executions.open and mirror.closed_bytes < BACKLOG_BYTES:
                continue
            task = mirror.retention.next()
            if task is not None:
                return mirror, task
            mirror.closed_bytes = 0
        return None

    async def _rewrite(self, mirror: Mirror, task: Task) -> bool:
        source = task.segment.path
        target = source.with_suffix(".new")
        spec = {
            "source": str(source),
            "target": str(target),
            "executions": task.executions,
            "reason": task.reason,
        }
        root = Path(__file__).resolve().parents[2]
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _CHILD,
            str(root),
            json.dumps(spec),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        done = False
        try:
            async with asyncio.timeout(CHILD_SECONDS):
                done = await child.wait() == 0
        except TimeoutError:
            log.error("rewriting %s took more than %g s", source, CHILD_SECONDS)
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        # The mirror may have been set aside meanwhile, and another have its place.
        if done and task.segment in mirror.log.segments and not mirror.closed:
            mirror.log.adopt(task.segment, target)
        elif target.exists():
            os.unlink(target)
        # Its own words are in our log. A segment that cannot be rewritten stays as it is.
        mirror.retention.done(task)
        return done


_CHILD = f"""
import os, sys
os.nice({NICENESS})
sys.path.append(sys.argv[1])
import json
from jupyter_remote_gpu.wire.tidy import tidy
tidy(json.loads(sys.argv[2]))
"""
