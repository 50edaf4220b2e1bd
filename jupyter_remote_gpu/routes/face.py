"""One hold on the daemon for all that the server's clients ask; let go of when nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from .._version import __version__
from ..client.aio import Control
from ..client.versions import version_key
from ..errors import DaemonError, RemoteGPUError, VersionMismatch
from ..models import PodState

__all__ = ["DaemonFace", "about_daemon"]

KIND = "server"
AGAIN_SECONDS = 1.0
"""How often it is looked whether there is a daemon again, which only a request would start."""
FRESH_SECONDS = 1.0
"""For so long after a change the snapshot is asked for: the one that came may be older."""
ABOUT_SECONDS = 5.0
_OFF = {str(PodState.DISCONNECTED), str(PodState.FAILED), str(PodState.HOST_KEY)}
log = logging.getLogger(__name__)


class DaemonFace:
    """Requests to the daemon, and its snapshots as they change.

    Parameters
    ----------
    on_snapshot : callable
        Called with each snapshot that is followed; it must be quick.
    idle_seconds : float
        When nobody has asked for so long, and no pod is on, the daemon is let go of: it may end.
    """

    def __init__(self, on_snapshot: Callable[[dict[str, Any]], None], idle_seconds: float) -> None:
        self._on_snapshot = on_snapshot
        self._idle_seconds = idle_seconds
        self._control: Control | None = None
        self._opening = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._snapshot: dict[str, Any] | None = None
        self._pending = 0
        self._asked = self._changed = float("-inf")
        self._closed = False

    @property
    def held(self) -> bool:
        """Whether the daemon is held."""
        return self._control is not None

    async def request(self, op: str, /, *, timeout: float = 30.0, **args: Any) -> dict[str, Any]:
        """Ask the daemon, started if there is none; see `Control.request` for the errors."""
        async with self.use() as control:
            return await control.request(op, timeout=timeout, **args)

    async def change(self, op: str, /, *, timeout: float = 30.0, **args: Any) -> dict[str, Any]:
        """`request` for what changes the snapshot: who asks for that next sees the change."""
        try:
            return await self.request(op, timeout=timeout, **args)
        finally:
            self.changed()

    def changed(self) -> None:
        """Something changed, by our doing: the next `snapshot` shows it."""
        self._changed = asyncio.get_running_loop().time()

    async def snapshot(self) -> dict[str, Any]:
        """The newest snapshot."""
        now = self._asked = asyncio.get_running_loop().time()
        if self._snapshot is None or now < self._changed + FRESH_SECONDS:
            return await self.request("snapshot")
        return self._snapshot

    @contextlib.asynccontextmanager
    async def use(self) -> AsyncIterator[Control]:
        """The daemon's control, held as long as it is used.

        Raises
        ------
        VersionMismatch
            If the daemon is newer than this package; it says what to upgrade.
        """
        self._pending += 1
        try:
            yield await self._opened()
        except VersionMismatch as e:
            raise _which_side(e) from e
        finally:
            self._pending -= 1
            self._asked = asyncio.get_running_loop().time()

    async def _opened(self) -> Control:
        async with self._opening:
            if self._control is None:
                if self._task is not None:
                    await asyncio.wait([self._task])  # the one before is being let go of
                control = None if self._closed else await Control.open(kind=KIND)
                if self._closed:
                    if control is not None:
                        await control.close()
                    raise DaemonError("The server is being shut down.", code="closed")
                assert control is not None
                self._control = control
                self._task = asyncio.create_task(self._hold(control), name="remote-gpu")
            return self._control

    async def close(self) -> None:
        """Let go of the daemon; kernels and links go on."""
        self._closed = True
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._let_go()

    # -- while the daemon is held

    async def _hold(self, control: Control) -> None:
        follower = asyncio.create_task(self._follow())
        try:
            while True:
                await self._until_unneeded()
                async with self._opening:
                    if self._unneeded():
                        self._control = None
                        break
        finally:
            follower.cancel()
            await asyncio.wait([follower])
            self._snapshot = None
        await control.close()

    async def _until_unneeded(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._unneeded():
            left = self._asked + self._idle_seconds - loop.time()
            await asyncio.sleep(left if left > 0 else self._idle_seconds)

    def _unneeded(self) -> bool:
        pods = (self._snapshot or {}).get("pods") or []
        on = any(pod.get("state") not in _OFF for pod in pods)
        left = self._asked + self._idle_seconds - asyncio.get_running_loop().time()
        return not (on or self._pending or left > 0)

    async def _follow(self) -> None:
        said = None
        while True:
            try:
                # Of its own, because following alone must bring back no daemon that the user ended.
                control = await Control.open(kind=KIND, spawn=False)
                try:
                    async for snapshot in control.snapshots():
                        said, self._snapshot = None, snapshot
                        self._tell(snapshot)
                finally:
                    await control.close()
            except RemoteGPUError as e:
                if e.code != said:
                    log.info("the daemon is not followed: %s (%s)", type(e).__name__, e.code)
                said = e.code
            self._snapshot = None
            await asyncio.sleep(AGAIN_SECONDS)

    def _tell(self, snapshot: dict[str, Any]) -> None:
        try:
            self._on_snapshot(snapshot)
        except Exception:
            log.exception("telling of a new snapshot failed")

    async def _let_go(self) -> None:
        control, self._control = self._control, None
        if control is not None:
            await control.close()


async def about_daemon() -> tuple[dict[str, Any] | None, RemoteGPUError | None]:
    """The daemon that runs, and why it cannot be used; none is started."""
    try:
        control = await Control.open(kind=KIND, spawn=False)
        try:
            found = await control.request("snapshot", timeout=ABOUT_SECONDS)
        finally:
            await control.close()
    except VersionMismatch as e:
        theirs = str(e.details.get("version"))
        daemon = {"pid": e.details.get("pid"), "version": theirs, "started": None}
        # An older one is replaced by the next request.
        older = version_key(theirs) < version_key(__version__)
        return daemon, None if older else _which_side(e)
    except RemoteGPUError as e:
        return None, None if e.code == "daemon-absent" else e
    return found.get("daemon"), None


def _which_side(e: VersionMismatch) -> VersionMismatch:
    theirs = str(e.details.get("version"))
    if version_key(theirs) <= version_key(__version__):
        return e
    return VersionMismatch(
        f"The daemon is jupyter-remote-gpu {theirs:.40}, this Jupyter server has {__version__}: "
        f"upgrade the server's ({sys.executable} -m pip install -U jupyter-remote-gpu), then start "
        "the server again.",
        details=e.details,
    )
