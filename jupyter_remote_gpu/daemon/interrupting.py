"""``execution.interrupt``: Stop for a cell, asked by a face that does not follow its kernel."""

from __future__ import annotations

import asyncio
import uuid

from ..models import PodState
from .kernel_link import KernelLink

ANSWER_SECONDS = 10.0


async def interrupt(kernel: KernelLink, execution: str) -> bool | None:
    """Interrupt `execution`.

    Returns
    -------
    bool or None
        Whether it was; False when it had ended. None: the link is down, it is done on return.

    Raises
    ------
    NotConnected
        If the pod will not be connected by itself.
    NotFound
        If the kernel is gone.
    """
    state = kernel.state
    if state.mirror.executions.info(execution).outcome is not None:
        return False
    if (obstacle := state.obstacle()) is not None:
        raise obstacle
    name = uuid.uuid4().hex
    with state.audience.expect(name) as answer:
        state.interrupt(name, name, execution)
        if state.audience.state is not PodState.CONNECTED and not answer.done():
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return bool((await answer)["done"])
        except TimeoutError:
            return None
