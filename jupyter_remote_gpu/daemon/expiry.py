"""Mirrors of kernels that ended are dropped after a while, as their journals are on the pod."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from .bounded import number
from .kernel_state import KernelState
from .pods import Pods
from .shown import how_it_ended

AGAIN_SECONDS = DAY = 86400.0
log = logging.getLogger(__name__)


async def expire(pods: Pods, days: float) -> None:
    """Drop what is too old, now and once a day.

    Parameters
    ----------
    days : float
        How long a mirror is kept after its kernel has ended, or its pod was removed.
    """
    while True:
        for kernel in list(pods.kernels.values()):
            mirror = kernel.state.mirror
            changed = await asyncio.to_thread(_changed, mirror.folder)
            ended = max(changed, number((mirror.executions.died or {}).get("time")) or 0.0)
            # Looked at again after the wait: a face may have come, or the kernel be back.
            if time.time() - ended > days * DAY and _unused(pods, kernel.state):
                log.info("kernel %s ended over %g days ago: its mirror goes", mirror.id, days)
                await pods.drop_kernel(kernel)
        await asyncio.sleep(AGAIN_SECONDS)


def _unused(pods: Pods, state: KernelState) -> bool:
    over = how_it_ended(state) is not None or state.mirror.pod not in pods.entries
    return over and not state.audience.channels and state.id in pods.kernels


def _changed(folder: Path) -> float:
    """When something was last learned of the kernel, in seconds since the epoch."""
    try:
        paths = [folder / "kernel.json", *(folder / "log").glob("*.seg")]
        return max(path.stat().st_mtime for path in paths)
    except OSError as e:
        log.warning("how old the mirror %s is cannot be told: %s", folder, e)
        return time.time()
