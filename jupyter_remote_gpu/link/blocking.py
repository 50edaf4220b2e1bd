"""Calls that block and may hang, in threads: of each pod one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

__all__ = ["OneAtATime"]

P = ParamSpec("P")
T = TypeVar("T")


class OneAtATime:
    """The blocking calls of one pod.

    A program in ``~/.ssh/config`` that hangs, or a home folder on a server that is away, cannot be
    ended, and a pod is tried every 1.5 s: were another call begun each time, their threads would
    soon be all that there are, and no pod could be reached any more.
    """

    def __init__(self) -> None:
        self._pending: asyncio.Future[Any] | None = None

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `call` in a thread, when the one before has ended. Whoever calls sets the limit."""
        while self._pending is not None and not self._pending.done():
            await asyncio.wait([self._pending])
        work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
        self._pending = work
        work.add_done_callback(_seen)
        return await asyncio.shield(work)


def _seen(work: asyncio.Future[T]) -> None:
    """Nobody may wait for it any more."""
    if not work.cancelled():
        work.exception()
