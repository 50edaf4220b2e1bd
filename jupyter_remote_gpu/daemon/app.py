"""The daemon's life: lock, socket, log, signals, and when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .. import _version
from ..client import lock
from ..client.paths import data_folder, socket_path
from ..errors import DaemonError, RemoteGPUError
from . import logs, settings, store
from .channels import FaceChannel
from .connection import FaceConnection
from .control import ControlSession
from .server import FaceServer
from .snapshot import Snapshots
from .threads import Threads

if TYPE_CHECKING:
    from .ops import Operations
    from .pods import Pods

LOCK_SECONDS = 10.0
"""How long an ending daemon's lock is waited for."""
FAILED_SECONDS = 2.0
log = logging.getLogger(__name__)


class Daemon:
    """Everything that one user's daemon holds.

    Parameters
    ----------
    folder : Path
        The data folder; it identifies the daemon.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = time.time()
        self.ending = asyncio.Event()
        self.settings = settings.Settings()
        self._pods: Pods | None = None
        self._ops: Operations | None = None
        self._ready = asyncio.Event()
        self._failure: RemoteGPUError | None = None
        info = {"pid": os.getpid(), "version": _version.__version__, "started": self.started}
        self.snapshots = Snapshots(lambda: self._pods.infos() if self._pods else [], info)
        self.server = FaceServer(self._control, self._kernel)

    async def run(self, listener: socket.socket) -> None:
        """Serve until told to end, or until nothing is wanted."""
        loop = asyncio.get_running_loop()
        for sig in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(sig, self.ending.set)
        await self.server.start(listener)
        loading = asyncio.create_task(self._load())
        idle = asyncio.create_task(self._idle())
        ending = asyncio.create_task(self.ending.wait())
        expiring = asyncio.create_task(self._expire())
        tasks = {loading, idle, ending, expiring}
        try:
            await ending
            if self._failure is not None:
                raise self._failure
        finally:
            log.info("ending")
            # Before the faces see their connections end: by its absence they know that this is
            # wanted, and start another daemon only for what waits.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(listener.getsockname())
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self.server.close()
            self.snapshots.close()
            if self._pods is not None:
                await self._pods.close()

    async def _load(self) -> None:
        try:
            await self._load_all()
            return
        except RemoteGPUError as e:
            self._failure = e
        except OSError as e:
            log.exception("loading failed")
            self._failure = DaemonError(
                f"The daemon cannot use {e.filename or self.folder}: {e.strerror}. Mend that, then "
                "try again; it is left as it is.",
                code="daemon-load",
            )
        except Exception as e:  # whatever it is: faces that wait must be told
            log.exception("loading failed")
            self._failure = DaemonError(
                f"The daemon cannot work ({type(e).__name__}: {e}). See {self.folder}/daemon.log.",
                code="daemon-load",
            )
        # Faces that wait are told why; the next one gets a new daemon, which tries again.
        self._ready.set()
        await asyncio.sleep(FAILED_SECONDS)
        self.ending.set()

    async def _load_all(self) -> None:
        # asyncssh takes 0.4 s to import: faces are welcomed meanwhile.
        await asyncio.to_thread(_import)
        from .ops import Operations
        from .pods import Pods

        self.settings = settings.load(self.folder)
        self._pods = Pods(self.folder, self.settings, self.snapshots.changed)
        await self._pods.load()
        self._ops = Operations(self._pods, self.snapshots, self.ending.set)
        self.snapshots.changed()
        self._ready.set()
        log.info("ready with %d pods", len(self._pods.entries))

    async def _idle(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.settings.idle_seconds / 4))
            if self._ops is None or self._pods is None:
                continue
            unused = time.monotonic() - self.server.idle_since
            if (
                not self.server.faces
                and not self._pods.wanted
                and unused > self.settings.idle_seconds
            ):
                log.info("nothing was wanted for %.0f s", unused)
                self.ending.set()

    async def _expire(self) -> None:
        await self._ready.wait()
        if self._pods is not None and self._failure is None:
            from .expiry import expire

            await expire(self._pods, self.settings.mirror_days)

    async def _control(self, connection: FaceConnection) -> None:
        await ControlSession(connection, self, self.snapshots).serve()

    async def perform(self, op: str, args: dict[str, object]) -> dict[str, object]:
        """Do what a face asks, once everything is loaded."""
        await self._ready.wait()
        if self._ops is None:
            raise self._failure or DaemonError("The daemon is ending.")
        return await self._ops.perform(op, args)

    async def _kernel(self, connection: FaceConnection) -> None:
        await self._ready.wait()
        if self._pods is None or self._failure is not None:
            raise self._failure or DaemonError("The daemon is ending.")
        hello = connection.hello
        kernel = self._pods.kernel(str(hello["service"]).removeprefix("kernel:"))
        await FaceChannel(connection, kernel.state, str(hello["client"])).serve()


def _import() -> None:
    from . import expiry, ops, pods  # noqa: F401


def listen(path: Path) -> socket.socket:
    """A listening socket at `path`; call it only while holding the lock."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def main(ready: int | None) -> int:
    """Run the daemon; `ready` is a pipe that is told when faces can connect."""
    try:
        folder = data_folder()
        path = socket_path(make=True)
    except RemoteGPUError as e:
        print(e, file=sys.stderr)
        return 1
    os.umask(0o077)
    held = lock.take(folder, LOCK_SECONDS)
    if held is None:
        print("another daemon holds the lock of this data folder", file=sys.stderr)
        return 1
    logs.set_up(folder / "daemon.log")
    try:
        lock.say_who(held)
    except OSError as e:
        log.error("daemon.lock cannot be written: %s", e.strerror)
    listener = listen(path)
    root = Path(__file__).resolve().parents[2]
    record = {
        "pid": os.getpid(),
        "socket": str(path),
        "python": sys.executable,
        "root": str(root),
    }
    store.save(folder / "daemon.json", record)
    log.info("daemon %s, Python %s", _version.__version__, sys.version.split()[0])
    if ready is not None:
        os.write(ready, b"ready\n")
        os.close(ready)
    threads, status = Threads(), 1
    try:
        asyncio.run(_live(folder, listener, threads))
        status = 0
    except RemoteGPUError as e:
        log.error("%s", e)
    finally:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        log.info("ended")
        os.close(held)
    threads.leave(status)
    return status


async def _live(folder: Path, listener: socket.socket, threads: Threads) -> None:
    asyncio.get_running_loop().set_default_executor(threads)
    await Daemon(folder).run(listener)
