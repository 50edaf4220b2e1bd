"""``kernel.restart``: a notebook's kernel is ended, and a fresh one takes its place."""

from __future__ import annotations

import asyncio
import contextlib

from ..errors import Conflict, NotFound, PodError
from .entry import PodEntry
from .kernel_link import KernelLink
from .opening import Opener, working_name
from .pods import Pods

STOP_SECONDS = 20.0
END_SECONDS = 15.0
"""A kernel has 10 s to end by itself, then it is killed."""
LOOK_SECONDS = 1.0


async def restart(pods: Pods, opener: Opener, entry: PodEntry, kernel: KernelLink) -> str:
    """End `kernel`, wait until it has ended, and start one in its place; the new one's id.

    Whatever was bound to the old one, notebooks and local kernels, is bound to the new one.

    Raises
    ------
    Conflict
        If no notebook works with it.
    NotConnected
        If the pod is not connected: nothing was changed.
    PodError
        If it does not end.
    """
    pod, old = entry.name, kernel.state.id
    if kernel.state.mirror.pod != pod:
        raise NotFound(f"Kernel {old[:8]} is not on pod {pod}.")
    entry.need()
    notebooks, local = pods.bindings.of(pod, old)
    async with contextlib.AsyncExitStack() as held:
        # What opens a kernel for one of them meanwhile waits, and then finds the new one.
        for name in sorted({*notebooks, *local}):
            await held.enter_async_context(opener.locks[pod, name])
        notebooks, local = pods.bindings.of(pod, old)
        if not notebooks:
            raise Conflict(
                f"No notebook works with the kernel {old[:8]} any more: stop it instead. A "
                "notebook's next %%gpu cell starts a fresh one."
            )
        notebook = notebooks[-1]
        await _end(entry, kernel)
        before = kernel.state.mirror.info.get("start")
        folder = before.get("folder") if isinstance(before, dict) else None
        if not isinstance(folder, str):
            folder = working_name(pods.laptop, notebook.rpartition("/")[0] or "/")
        spec = opener.spec(entry, notebook, local[-1] if local else None, folder)
        fresh = await opener.prepare(entry, spec, notebook)
        pods.bindings.move(pod, old, fresh.state.id)
        await opener.begin(entry, fresh, spec)
    return fresh.state.id


async def _end(entry: PodEntry, kernel: KernelLink) -> None:
    """Only when it has ended its memory is free."""
    state, ended = kernel.state, asyncio.Event()
    if state.mirror.executions.died is not None:
        return
    watchers = state.mirror.watchers
    watchers.add(ended.set)
    try:
        await entry.need().run("stop", {"kernel": state.id}, STOP_SECONDS)
        async with asyncio.timeout(END_SECONDS):
            # Asked again, because a kernel that nobody follows is let go of meanwhile.
            while await kernel.alive(END_SECONDS):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
                        await ended.wait()
                ended.clear()
    except NotFound:
        return  # the pod has it no more: that is what was wanted
    except TimeoutError:
        raise PodError(
            f"The kernel {state.id[:8]} has not ended within {END_SECONDS:.0f} s."
        ) from None
    finally:
        watchers.discard(ended.set)
