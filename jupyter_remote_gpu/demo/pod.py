"""The demo pod as a whole: machine, network, its entry among the pods, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any

from ..client.aio import Control
from ..client.paths import data_folder
from ..errors import Conflict, RemoteGPUError
from ..files import dump, read
from .machine import Machine, check_python, pod_python
from .relay import Relay
from .remote import RemoteControl

__all__ = ["NAME", "DemoPod", "until_told"]

NAME = "demo"
_WATCH_SECONDS = 0.5
_GOODBYE_SECONDS = 5.0
_PARENT = os.getppid()


class DemoPod:
    """Use it with ``async with``: inside, the pod is on and registered (not connected).

    Parameters
    ----------
    python : str, optional
        In which its kernels run; this one by default.

    Raises
    ------
    Conflict
        If a demo of this data folder runs already, or the user has another pod of its name.
    """

    def __init__(self, python: str | None = None) -> None:
        self.python = pod_python(python)
        self.folder = data_folder() / "demo"
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.machine = Machine(self.folder, self.python)
        self.relay: Relay | None = None
        self._remote: RemoteControl | None = None
        self._lock = -1

    @property
    def address(self) -> str:
        port = self.relay.port if self.relay is not None else 0
        return f"{self.machine.user}@127.0.0.1:{port}"

    async def __aenter__(self) -> DemoPod:
        await check_python(self.python)
        self._lock = _lock(self.folder / "lock")
        try:
            await asyncio.to_thread(self.machine.start)
            self.relay = Relay(self.machine.port)
            self._listen(self.relay)
            self._remote = RemoteControl(self.relay, self.folder)
            await self._remote.start()
            await self._register()
        except BaseException:
            await self._off()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The daemon is not asked to look for a pod that was switched off on purpose.
        with contextlib.suppress(RemoteGPUError, TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS), _control(spawn=False) as control:
                await control.request("pod.disconnect", name=NAME)
        await self._off()

    async def watch(self) -> None:
        """Go on as long as sshd does.

        Raises
        ------
        RemoteGPUError
            When it has ended by itself.
        """
        while self.machine.alive():  # noqa: ASYNC110 - a process has no event
            await asyncio.sleep(_WATCH_SECONDS)
        raise RemoteGPUError(
            f"The demo pod's sshd ended by itself. Its log: {self.folder / 'sshd.log'}"
        )

    async def _off(self) -> None:
        if self._remote is not None:
            await self._remote.close()
        if self.relay is not None:
            await self.relay.close()
        await asyncio.to_thread(self.machine.stop)
        os.close(self._lock)

    def _listen(self, relay: Relay) -> None:
        """Take the port of last time if it is free, so that the pod keeps its address."""
        path = self.folder / "port.json"
        kept = read(path).get("port")
        port = kept if isinstance(kept, int) and 1024 <= kept <= 65535 else 0
        dump(path, {"port": relay.listen(port)})

    async def _register(self) -> None:
        assert self.relay is not None
        words = ["ssh", "-p", str(self.relay.port), "-i", str(self.machine.key)]
        words.append(f"{self.machine.user}@127.0.0.1")
        wanted = {"address": self.address, "ssh": words, "python": self.python}
        path = self.folder / "registered.json"
        kept = read(path)
        async with _control(spawn=True) as control:
            pods = (await control.request("snapshot")).get("pods", [])
            present = next((p for p in pods if p.get("name") == NAME), None)
            if present is not None and kept.get("address") != present.get("address"):
                raise Conflict(
                    f"You have a pod called '{NAME}' already ({present.get('address')}), which is "
                    f"not this one. Remove it with `jupyter remote-gpu remove {NAME}`."
                )
            if present is not None and kept != wanted:
                await control.request("pod.remove", name=NAME)
                present = None
            if present is None:
                dump(path, wanted)
                await control.request("pod.add", name=NAME, ssh=words, python=self.python)
            await control.request("pod.pin", name=NAME, key=self.machine.host_key)


async def until_told(main: Coroutine[Any, Any, int]) -> int:
    """Run `main` until it ends, a signal comes or our parent ends; then it is cancelled, once.

    So it can be told at any moment, also while it starts, and its end is never cut short.
    """
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    parent = loop.create_task(_parent_ended())
    told = False

    def tell(*_: object) -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(sig, tell)
    parent.add_done_callback(tell)
    try:
        return await task
    except asyncio.CancelledError:
        if not told:
            raise
        return 0
    finally:
        parent.remove_done_callback(tell)
        parent.cancel()
        await asyncio.wait([parent])


async def _parent_ended() -> None:
    while os.getppid() == _PARENT:  # noqa: ASYNC110 - a process has no event
        await asyncio.sleep(_WATCH_SECONDS)


@contextlib.asynccontextmanager
async def _control(*, spawn: bool) -> AsyncIterator[Control]:
    control = await Control.open(kind="demo", spawn=spawn)
    try:
        yield control
    finally:
        await control.close()


def _lock(path: Path) -> int:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Conflict(
            "A demo pod runs already. Use that one, or end it first (Ctrl-C where it runs)."
        ) from None
    return fd
