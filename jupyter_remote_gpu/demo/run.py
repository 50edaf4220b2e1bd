"""``jupyter remote-gpu demo``: the pod alone, until its parent ends or it is told to."""

from __future__ import annotations

import asyncio
import json
import sys

from .pod import NAME, DemoPod, until_told

__all__ = ["serve"]


def serve(python: str | None = None, *, json_lines: bool = False) -> int:
    """Run the demo pod in the foreground; the exit status.

    Parameters
    ----------
    json_lines : bool
        Say that it is on by a line of JSON, for a program that waits for it.

    Raises
    ------
    RemoteGPUError
        If it cannot be had.
    """
    return asyncio.run(until_told(_serve(python, json_lines)))


async def _serve(python: str | None, json_lines: bool) -> int:
    async with DemoPod(python) as pod:
        if json_lines:
            print(json.dumps({"ready": {"name": NAME, "address": pod.address}}), flush=True)
        else:
            _tell(pod)
        try:
            await pod.watch()
        finally:
            print("The demo pod is being switched off.", file=sys.stderr, flush=True)
    return 0


def _tell(pod: DemoPod) -> None:
    print(f"The demo pod is on: {pod.address}, its home is {pod.machine.home}")
    print(f"Its kernels run in {pod.python}")
    print(f"Connect with `jupyter remote-gpu connect {NAME}`, or `%gpu connect {NAME}`.")
    print("In another terminal, `jupyter remote-gpu demo --cut 60` takes its network away")
    print("for a minute. Ctrl-C switches it off.", flush=True)
