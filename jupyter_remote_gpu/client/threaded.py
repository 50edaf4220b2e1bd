"""How a face in ordinary threads talks to the daemon: one background thread with a loop."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from ..errors import DaemonError, RemoteGPUError
from ..wire.records import Record
from .channel import Channel
from .control import Control
from .identity import client_id

__all__ = ["Face", "ThreadedChannel"]

START_SECONDS = 60.0
"""How much longer than its own time limit a request is waited for, while a daemon starts."""
GRACE_SECONDS = 5.0
WATCH_SECONDS = 1.0
"""How often a watcher without a daemon looks whether there is one again."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class Face:
    """Requests, snapshots and channels, usable from any thread; `close` it at the end.

    Parameters
    ----------
    kind : str
        What this face is (``magic``, ``cli``…), for the daemon's log.
    spawn : bool
        Start a daemon if there is none.

    Attributes
    ----------
    client : str
        This process's id, 32 hex digits.
    """

    def __init__(self, *, kind: str, spawn: bool = True) -> None:
        self.client = client_id()
        self._kind = kind
        self._spawn = spawn
        self._control: Control | None = None
        self._opening: asyncio.Lock | None = None
        self._snapshot: dict[str, Any] | None = None
        self._watchers: list[Callable[[dict[str, Any]], None]] = []
        self._watch: concurrent.futures.Future[None] | None = None
        self._channels: set[ThreadedChannel] = set()
        self._lock = threading.Lock()
        self._closed = False
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._serve, name="jupyter-remote-gpu", daemon=True)
        self.thread.start()

    def request(self, op: str, /, *, timeout: float = 30.0, **args: Any) -> dict[str, Any]:
        """Ask the daemon for `op` and wait; see `Control.request` for the errors.

        Parameters
        ----------
        timeout : float
            Seconds.
        """
        future = self.ask(op, timeout=timeout, **args)
        try:
            return future.result(timeout + START_SECONDS + GRACE_SECONDS)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise DaemonError(
                f"No daemon answered to {op} in time. See `jupyter remote-gpu log`, then try "
                "again.",
                code="timeout",
            ) from None
        except BaseException:
            future.cancel()  # KeyboardInterrupt too: nobody waits for it any more
            raise

    def ask(
        self, op: str, /, *, timeout: float = 30.0, **args: Any
    ) -> concurrent.futures.Future[dict[str, Any]]:
        """`request` without the wait."""
        return self.submit(self._request(op, timeout, args))

    def open_channel(
        self,
        *,
        pod: str,
        kernel: str,
        identity: str,
        cursor: int,
        on_batch: Callable[[list[Record]], Awaitable[None]],
        on_control: Callable[[dict[str, Any]], Awaitable[None]],
        wanted: Callable[[], bool] = lambda: True,
    ) -> ThreadedChannel:
        """Follow a kernel's log; see `Channel`. The callbacks run in the background loop."""
        channel = Channel(
            pod=pod,
            kernel=kernel,
            identity=identity,
            client=self.client,
            cursor=cursor,
            on_batch=on_batch,
            on_control=on_control,
            wanted=wanted,
        )
        threaded = ThreadedChannel(channel, self)
        with self._lock:
            self._channels.add(threaded)
        return threaded

    def latest_snapshot(self) -> dict[str, Any] | None:
        """The newest snapshot; None before `watch` was called and the first one came."""
        return self._snapshot

    def watch(self, callback: Callable[[dict[str, Any]], None]) -> None:
        """Call `callback` with the newest snapshot after each change, in the background thread."""
        with self._lock:
            self._watchers.append(callback)
            if self._watch is None:
                self._watch = self.submit(self._watching())
        if self._snapshot is not None:
            self.loop.call_soon_threadsafe(callback, self._snapshot)

    def close(self) -> None:
        """Close channels and connection and end the thread. Kernels on pods go on."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            channels = list(self._channels)
        for channel in channels:
            channel.close()
        future = asyncio.run_coroutine_threadsafe(self._shut(), self.loop)
        try:
            future.result(GRACE_SECONDS)
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(GRACE_SECONDS)

    # -- the background thread

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run `work` in the background loop."""
        if self._closed:
            work.close()
            raise DaemonError("This face has let go of the daemon.", code="closed")
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.close()

    async def _opened(self) -> Control:
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._control is None:
                self._control = await Control.open(
                    kind=self._kind, client=self.client, spawn=self._spawn
                )
            return self._control

    async def _request(self, op: str, timeout: float, args: dict[str, Any]) -> dict[str, Any]:
        return await (await self._opened()).request(op, timeout=timeout, **args)

    async def _watching(self) -> None:
        spawn = self._spawn
        while True:
            try:
                # After the first time only a request starts a daemon: watching alone must not
                # bring one back that the user stopped.
                control = await Control.open(kind=self._kind, client=self.client, spawn=spawn)
                spawn = False
                control.spawn = False
                try:
                    async for snapshot in control.snapshots():
                        self._snapshot = snapshot
                        self._tell(snapshot)
                finally:
                    await control.close()
            except RemoteGPUError as e:
                if e.code not in ("daemon-absent", "daemon-lost"):
                    log.warning("watching the daemon: %s", e)
            await asyncio.sleep(WATCH_SECONDS)

    def _tell(self, snapshot: dict[str, Any]) -> None:
        for callback in list(self._watchers):
            try:
                callback(snapshot)
            except Exception:
                log.exception("a watcher of the daemon's snapshot failed")

    async def _shut(self) -> None:
        tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE_SECONDS / 2)
        if self._control is not None:
            await self._control.close()

    def forget(self, channel: ThreadedChannel) -> None:
        """A channel is closed."""
        with self._lock:
            self._channels.discard(channel)


class ThreadedChannel:
    """A `Channel` that runs in a `Face`'s background loop.

    Attributes
    ----------
    submit, interrupt
        The channel's own: they may be called from any thread.
    done : concurrent.futures.Future
        Ends with the channel; its exception says why it ended by itself.
    """

    def __init__(self, channel: Channel, face: Face) -> None:
        self._channel = channel
        self._face = face
        self._lock = threading.Lock()
        self._closed = False
        self.submit = channel.submit
        self.interrupt = channel.interrupt
        self.done = face.submit(channel.run())

    @property
    def cursor(self) -> int:
        """``last`` of the newest record that ``on_batch`` has returned from."""
        return self._channel.cursor

    @property
    def unacknowledged(self) -> int:
        """Requests that are not yet in the journal, as far as is known."""
        return self._channel.unacknowledged

    def resume(self) -> None:
        """Follow the kernel again after the channel has given up by itself, as `done` told."""
        self.done = self._face.submit(self._channel.run())

    def close(self) -> None:
        """Let go of the kernel; it runs on. Does not wait when called in the background loop."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._face.forget(self)
        future = asyncio.run_coroutine_threadsafe(self._channel.close(), self._face.loop)
        if threading.current_thread() is not self._face.thread:
            future.result(GRACE_SECONDS)
