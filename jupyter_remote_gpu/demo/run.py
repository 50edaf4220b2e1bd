"""``jupyter remote-gpu demo``: the pod alone, until its parent ends or it is told to."""

from __future__ import annotations

import asyncio
import sys

from .pod import NAME, DemoPod, until_told

__all__ = ["serve"]


def serve(python: str | None = None) -> int:
    """Run the demo pod in the foreground; the exit status.

    Raises
    ------
    RemoteGPUError
        If it cannot be had.
    """
    return asyncio.run(until_told(_serve(python)))


async def _serve(python: str | None) -> int:
    async with DemoPod(python) as pod:
        print(f"The demo pod is on: {pod.address}, its home is {pod.machine.home}")
        print(f"Its kernels run in {pod.python}")
        print(f"Connect with `jupyter remote-gpu connect {NAME}`, or `%gpu connect {NAME}`.")
        print("In another terminal, `jupyter remote-gpu demo --cut 60` takes its network away")
        print("for a minute. Ctrl-C switches it off.", flush=True)
        try:
            await pod.watch()
        finally:
            print("The demo pod is being switched off.", file=sys.stderr, flush=True)
    return 0
