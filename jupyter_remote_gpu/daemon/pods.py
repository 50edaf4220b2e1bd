"""The pods: each with its link, and the kernels that this laptop has opened."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from ..errors import Conflict, DaemonError, NotFound, RemoteGPUError
from ..link import keys
from ..link.supervisor import PodLink
from ..models import PodInfo, PodState, no_such_pod
from ..pods.registry import Pod, Registry
from . import store
from .bindings import Bindings
from .entry import ON_ITS_WAY, PodEntry
from .housekeeping import Housekeeping
from .kernel_link import KernelLink
from .kernel_state import KernelState
from .mirror import Mirror
from .mirrors import load_mirror, load_mirrors
from .settings import Settings
from .shown import pod_info, reason_of
from .snapshot import NOW

KEY_SECONDS = 10.0
T = TypeVar("T")
log = logging.getLogger(__name__)


class Pods:
    """All pods and kernels of this laptop.

    Parameters
    ----------
    folder : Path
        The data folder.
    settings : Settings
    on_change : callable
        Called when the snapshot would differ; see `Snapshots.changed`.
    """

    def __init__(
        self, folder: Path, settings: Settings, on_change: Callable[[float], None]
    ) -> None:
        self.folder = folder
        self.settings = settings
        self.laptop = store.laptop_id(folder)
        self.registry = Registry(folder)
        self.bindings = Bindings(folder)
        self.entries: dict[str, PodEntry] = {}
        self.kernels: dict[str, KernelLink] = {}
        self._unread: dict[str, OSError] = {}
        self._making = asyncio.Lock()
        self._wanted = store.Wanted(folder)
        self._on_change = on_change
        self._shielded: set[asyncio.Future[Any]] = set()
        self._house = Housekeeping(lambda: [k.state.mirror for k in self.kernels.values()])

    async def load(self) -> None:
        """Read what is on disk, and connect what the user wants connected."""
        found, self._unread = await asyncio.to_thread(
            load_mirrors, self.folder / "mirrors", self.settings.mirror_bound
        )
        for mirror in found:
            self._take(mirror)
        for pod in self.registry.pods():
            self._enter(pod)
        for name, reached in list(self._wanted.pods.items()):
            if name in self.entries:
                self.entries[name].link.connect(resume=reached)
            else:
                self._wanted.discard(name)

    @property
    def wanted(self) -> bool:
        """Whether a pod is connected or on its way."""
        return any(
            e.state is PodState.CONNECTED or e.state in ON_ITS_WAY for e in self.entries.values()
        )

    async def close(self) -> None:
        """Let go of all pods. What the user wants stays on disk; kernels go on."""
        for work in self._shielded:
            work.cancel()
        await asyncio.gather(*self._shielded, return_exceptions=True)
        await self._house.close()
        await asyncio.gather(*(k.close() for k in self.kernels.values()))
        await asyncio.gather(*(e.link.close() for e in self.entries.values()))

    async def shield(self, work: asyncio.Future[T]) -> T:
        """Wait for `work`, which goes on when the waiter is cancelled."""
        self._shielded.add(work)
        work.add_done_callback(self._shielded.discard)
        return await asyncio.shield(work)

    # -- pods

    def entry(self, name: object) -> PodEntry:
        """The pod of that name; `NotFound` with the names there are."""
        found = self.entries.get(name) if isinstance(name, str) else None
        if found is None or found.removed:
            raise no_such_pod(name, self.entries)
        return found

    def add(self, name: str | None, ssh: str | list[str], python: str | None) -> PodEntry:
        """Register a pod, under a name made of its host if none is given; not connected yet."""
        pod = self.registry.add(name, ssh, python)
        entry = self._enter(pod)
        for kernel in self.of(pod.name):
            if kernel.state.mirror.info.get("removed"):
                kernel.state.mirror.note(removed=None)  # it may be there: wait until it was asked
        self._on_change(NOW)
        return entry

    async def remove(self, name: str) -> str | None:
        """Disconnect and forget a pod, its own key and its host key. Mirrors stay.

        Returns
        -------
        str or None
            The public half of our own key, if that is still on the pod.
        """
        entry = self.entry(name)
        self._wanted.discard(name)
        key_left = keys.own_public_half(self.folder, name)
        if key_left is not None:
            try:
                await keys.remove(entry.need(), self.folder, KEY_SECONDS)
                key_left = None
            except RemoteGPUError as e:
                log.warning("our key stays on pod %s: %s", name, e)
        if entry.removed:
            raise NotFound(f"Pod {name} was removed already.")
        entry.removed = True  # nobody connects it from here on
        # Disconnected while it is still registered: whoever waits for it is told.
        await entry.link.disconnect()
        try:
            self.registry.remove(name)
        except OSError:
            entry.removed = False  # what is on disk counts: it can be asked for again
            raise
        del self.entries[name]
        self._spread(name, None, PodState.DISCONNECTED, "it was removed", 0.0)
        for kernel in self.of(name):
            kernel.state.mirror.note(removed=time.time())  # from here on it grows old
        self.bindings.forget_pod(name)
        self._on_change(NOW)
        return key_left

    def connect(self, name: str, accept_host_key: str | None) -> PodEntry:
        """Begin to connect; the user wants it from here on."""
        entry = self.entry(name)
        self._wanted.add(name)
        entry.link.connect(accept_host_key)
        return entry

    async def disconnect(self, name: str) -> PodEntry:
        """Let go of a pod; its kernels run on."""
        entry = self.entry(name)
        self._wanted.discard(name)
        await entry.link.disconnect()
        return entry

    def _enter(self, pod: Pod) -> PodEntry:
        if pod.name in self.entries:
            raise Conflict(f"There is a pod {pod.name} already: choose another name.")
        name = pod.name
        link = PodLink(
            pod,
            folder=self.folder,
            on_change=lambda: self._link_changed(name),
            busy=lambda: self._busy(name),
        )
        entry = self.entries[name] = PodEntry(pod, link)
        self._link_changed(name)
        return entry

    def _busy(self, name: str) -> bool:
        waiting = self.entries[name].waiting if name in self.entries else 0
        return bool(waiting) or any(k.state.wanted for k in self.of(name))

    def of(self, name: str) -> list[KernelLink]:
        """The kernels on pod `name`."""
        return [k for k in self.kernels.values() if k.state.mirror.pod == name]

    def _link_changed(self, name: str) -> None:
        entry = self.entries.get(name)
        if entry is None:
            return
        status = entry.link.status
        link = entry.link if status.state is PodState.CONNECTED else None
        if link is not None and name in self._wanted.pods:
            self._wanted.add(name, reached=True)
        self._spread(name, link, status.state, reason_of(entry), status.since)
        self._on_change(NOW)

    def _spread(
        self, name: str, link: PodLink | None, state: PodState, reason: str | None, since: float
    ) -> None:
        for kernel in self.of(name):
            kernel.state.pod_is(state, reason, since)
            kernel.connected(link)

    def infos(self) -> list[PodInfo]:
        """What the snapshot shows."""
        return [
            pod_info(self.entries[name], [k.state for k in self.of(name)])
            for name in sorted(self.entries)
        ]

    # -- kernels

    def kernel(self, kernel: object) -> KernelLink:
        """The kernel of that id; `NotFound` if this laptop never opened it."""
        found = self.kernels.get(kernel) if isinstance(kernel, str) else None
        if found is None:
            raise NotFound(
                f"This laptop has not opened a kernel {kernel!r:.40}.", code="unknown-kernel"
            )
        return found

    async def bound(self, kernel: str | None) -> KernelLink | None:
        """The kernel that somebody is bound to; None if this laptop has none of that id.

        Raises
        ------
        DaemonError
            If its mirror cannot be read now: whether it lives nobody knows.
        """
        if kernel in self._unread:
            folder = self.folder / "mirrors" / kernel
            try:
                mirror = await asyncio.to_thread(load_mirror, folder, self.settings.mirror_bound)
            except OSError as e:
                raise DaemonError(
                    f"The laptop's copy of the notebook's kernel cannot be read now ({e}). Make it "
                    "readable and run the cell again; `%gpu restart` starts a fresh kernel.",
                    code="mirror-unread",
                ) from e
            if self._unread.pop(kernel, None) is None:  # read by another one meanwhile
                if mirror is not None:
                    mirror.close()
            elif mirror is not None:
                self._take(mirror)
        return self.kernels.get(kernel or "")

    async def new_kernel(self, kernel: str, **info: Any) -> KernelLink:
        """A mirror for a kernel that is about to be started or joined; on disk."""
        bound = self.settings.mirror_bound(self.folder)
        async with self._making:
            if kernel in self.kernels:  # joined by another one meanwhile: two would write one log
                return self.kernels[kernel]
            mirror = await asyncio.to_thread(Mirror, self.folder / "mirrors" / kernel, bound)
            mirror.note(**info)
            return self._take(mirror)

    async def drop_kernel(self, kernel: KernelLink) -> None:
        """Forget a kernel and its mirror: it could not be started, or ended long ago."""
        self.kernels.pop(kernel.state.id, None)
        self._on_change(NOW)
        await kernel.close()
        folder = kernel.state.mirror.folder
        # The log first: without its kernel.json nobody would know whose it is.
        await asyncio.to_thread(shutil.rmtree, folder / "log", True)
        await asyncio.to_thread(shutil.rmtree, folder, True)

    def _take(self, mirror: Mirror) -> KernelLink:
        mirror.on_closed = self._house.wake
        kernel = KernelLink(KernelState(mirror, self._on_change), self.laptop)
        self.kernels[mirror.id] = kernel
        self._house.wake()  # an earlier daemon may have left something to be rewritten
        entry = self.entries.get(mirror.pod)
        if entry is not None:
            status = entry.link.status
            kernel.state.pod_is(status.state, status.reason, status.since)
            # Also one that is only being started: its bridge is another's to open, and may be lost.
            if status.state is PodState.CONNECTED:
                kernel.connected(entry.link)
        return kernel
