"""A `PodLink` in a test's own loop, in front of a real sshd behind a proxy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from jupyter_remote_gpu.link.supervisor import PodLink
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.pods.registry import Registry
from tests.support.sshd import Sshd

PATIENCE = 30.0
"""Seconds after which a wait fails."""


class Linked:
    """A link, and all states that it went through.

    Attributes
    ----------
    link : PodLink
    history : list of (float, PodState)
        Monotonic times at which a state began.
    busy : bool
        What the link is told.
    """

    def __init__(self, folder: Path) -> None:
        self.history: list[tuple[float, PodState]] = []
        self.busy = True
        self._changed = asyncio.Event()
        pod = Registry(folder).get("pod")
        self.link = PodLink(pod, folder=folder, on_change=self._note, busy=lambda: self.busy)

    @property
    def states(self) -> list[str]:
        return [str(state) for _, state in self.history]

    def _note(self) -> None:
        state = self.link.status.state
        if not self.history or self.history[-1][1] is not state:
            self.history.append((time.monotonic(), state))
        self._changed.set()

    async def until(
        self, found: Callable[[], object], what: str, patience: float = PATIENCE
    ) -> None:
        """Wait until `found()` holds, looked at after each change and every 50 ms."""
        end = time.monotonic() + patience
        while not found():
            assert time.monotonic() < end, f"still not {what}: {self.link.status}"
            self._changed.clear()
            try:
                async with asyncio.timeout(0.05):
                    await self._changed.wait()
            except TimeoutError:
                continue

    async def until_state(self, state: PodState, patience: float = PATIENCE) -> None:
        await self.until(lambda: self.link.status.state is state, str(state), patience)


def register(folder: Path, sshd: Sshd, *, port: int | None = None, pin: bool = True) -> Path:
    """A data folder with the pod "pod" in it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    pods = Registry(folder)
    pods.add("pod", sshd.words(port))
    if pin:
        pods.pin("pod", sshd.host_key_line)
    return folder


def run(folder: Path, work: Callable[[Linked], Awaitable[Any]], *, patience: float = 120) -> Any:
    """What `work` gives; afterwards nothing of the link is left in the loop."""

    async def main() -> Any:
        linked = Linked(folder)
        try:
            async with asyncio.timeout(patience):
                return await work(linked)
        finally:
            await linked.link.close()
            left = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            if left:
                # asyncssh ends its own tasks a moment after a connection; ours must be gone.
                await asyncio.wait(left, timeout=5)
            assert not [t for t in left if not t.done()], "tasks are left behind"

    return asyncio.run(main())
