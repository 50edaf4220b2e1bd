"""Threads for what blocks: so many that some may hang, and none that hangs is waited for."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, ParamSpec, TypeVar

__all__ = ["Threads"]

MOST = 128
END_SECONDS = 2.0
"""So long what is being done may take once the daemon ends."""

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)


class Threads(ThreadPoolExecutor):
    """The executor of the daemon's loop.

    Without a network the lookup of a name hangs for 10 to 20 s, and a pod is tried every 1.5 s; a
    program in ``~/.ssh/config`` may hang for ever, in one thread a pod (`link.blocking`). asyncio's
    own executor has four threads more than there are processors, so that one such pod would stop
    all others; and loop and interpreter both wait at their end until the last has ended.
    """

    def __init__(self) -> None:
        super().__init__(MOST, thread_name_prefix="blocking")
        self._undone: set[Future[Any]] = set()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run `fn` in a thread."""
        future = super().submit(fn, *args, **kwargs)
        self._undone.add(future)
        future.add_done_callback(self._undone.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take nothing more, and wait no longer than `END_SECONDS`."""
        super().shutdown(wait=False, cancel_futures=True)
        if wait:
            self._wait()

    def _wait(self) -> None:
        _, hung = wait(set(self._undone), END_SECONDS)
        if hung:
            log.info("%d blocking calls have not ended", len(hung))

    def leave(self, status: int) -> None:
        """End the process where the interpreter's own end would wait for what hangs."""
        if self._undone:
            logging.shutdown()
            os._exit(status)
