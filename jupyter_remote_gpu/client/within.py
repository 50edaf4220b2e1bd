"""A time limit that lets a cancellation through."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["within"]

T = TypeVar("T")


async def within(work: Coroutine[Any, Any, T], seconds: float) -> T:
    """The result of `work`.

    `asyncio.wait_for`, up to Python 3.11, swallows a cancellation that comes together with the
    result: who cancels and waits would wait for ever. `asyncio.timeout` is not in Python 3.10.

    Raises
    ------
    asyncio.TimeoutError
        If it takes longer; it is cancelled then, as it is when the caller is.
    """
    task = asyncio.ensure_future(work)
    try:
        done, _ = await asyncio.wait([task], timeout=seconds)
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        elif not task.cancelled():
            task.exception()  # looked at, also when the caller is cancelled
    if not done:
        raise asyncio.TimeoutError
    return task.result()
