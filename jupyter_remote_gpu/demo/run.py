"""``jupyter remote-gpu demo``: the pod alone, until its parent ends or it is told to."""

from __future__ import annotations

import asyncio
import sys

from ..errors import RemoteGPUError
from .pod import NAME, DemoPod, told_to_end

__all__ = ["serve"]


def serve(python: str | None = None) -> int:
    """Run the demo pod in the foreground; the exit status.

    Raises
    ------
    RemoteGPUError
        If it cannot be had.
    """
    return asyncio.run(_serve(python))


async def _serve(python: str | None) -> int:
    async with DemoPod(python) as pod:
        print(f"The demo pod is on: {pod.address}, its home is {pod.machine.home}")
        print(f"Its kernels run in {pod.python}")
        print(f"Connect with `jupyter remote-gpu connect {NAME}`, or `%gpu connect {NAME}`.")
        print("In another terminal, `jupyter remote-gpu demo --cut 60` takes its network away for")
        print("a minute. Ctrl-C switches it off.", flush=True)
        why = await told_to_end(pod.ended())
        if why == "ended":
            raise RemoteGPUError(
                f"The demo pod's sshd ended by itself. Its log: {pod.folder / 'sshd.log'}"
            )
        print("The demo pod is switched off.", file=sys.stderr, flush=True)
    return 0
