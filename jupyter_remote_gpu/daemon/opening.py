"""``kernel.open``: the kernel that a notebook is bound to, or a new one on the pod."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
import uuid
from collections import defaultdict
from typing import Any

from ..errors import (
    BadInput,
    LinkError,
    NotFound,
    PodError,
    RemoteGPUError,
    TransportError,
    WireError,
)
from ..models import PodState
from ..wire.records import is_id
from .bounded import number, text
from .entry import PodEntry
from .kernel_link import KernelLink
from .pods import Pods
from .shown import PATH_CHARS, how_it_ended, kernel_info

CONNECT_SECONDS = 24 * 3600.0
"""How long an opening waits for a pod that reconnects; the face has a shorter limit."""
ALIVE_SECONDS = 20.0
SILENT_TRIES = 2
START_TRIES = 10
log = logging.getLogger(__name__)


class Opener:
    """Finds or starts kernels; one opening of a notebook at a time.

    Attributes
    ----------
    locks : dict
        By pod and by what a kernel is bound to.
    """

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self.locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._faces: dict[str, dict[str, str | None]] = {}

    async def open(
        self,
        pod: str,
        *,
        notebook: str | None,
        local_kernel: str | None,
        folder: str,
        fresh: bool,
        client: str | None = None,
        start: bool = True,
    ) -> dict[str, Any]:
        """The bound kernel if it lives, else a new one.

        Parameters
        ----------
        notebook, local_kernel : str, optional
            What the kernel is bound to; the local kernel's id is tried first.
        folder : str
            Absolute path of the notebook's folder on the laptop.
        fresh : bool
            Start a new kernel and move the binding to it. The old one runs on.
        client : str, optional
            The face that asks, and will follow the kernel.
        start : bool
            Without it only the bound kernel is named (``kernel``: None where there is none),
            as far as this laptop knows: nothing is started, waited for or asked of the pod.

        Raises
        ------
        NotConnected
            If the pod is not connected and will not be by itself.
        """
        if not os.path.isabs(folder):
            raise BadInput(f"the notebook's folder {folder!r:.200} is not an absolute path")
        entry = self._pods.entry(pod)
        if not start:
            bound = await self._pods.bound(self._known(pod, client, notebook, local_kernel))
            if bound is None or bound.state.mirror.identity is None or how_it_ended(bound.state):
                return {"pod": pod, "kernel": None, "joined": False}
            return self._answer(bound, joined=True)
        async with self.locks[pod, local_kernel or notebook or folder]:
            await entry.connected(CONNECT_SECONDS)
            known = self._known(pod, client, notebook, local_kernel)
            kernel = None if fresh else await self._living(entry, known)
            if kernel is not None:
                self._bind(pod, kernel.state.id, notebook, local_kernel)
                self._note(kernel, client, local_kernel)
                return self._answer(kernel, joined=True)
            begun = None if fresh else known
            before = self._before(begun)
            kernel = await self._start(entry, begun, notebook, local_kernel, folder)
            self._note(kernel, client, local_kernel)
            return {**self._answer(kernel, joined=False), "before": before}

    def _known(
        self, pod: str, client: str | None, notebook: str | None, local_kernel: str | None
    ) -> str | None:
        """The kernel that is bound to who asks.

        A path alone proves nothing while another live local kernel works with that kernel: its
        notebook was renamed, and this one is new under the old name.
        """
        bindings = self._pods.bindings
        if mine := bindings.find(pod, None, local_kernel):
            return mine
        known = bindings.find(pod, notebook, None)
        kernel = self._pods.kernels.get(known or "")
        if kernel is not None and any(
            face != client and local != local_kernel and face in kernel.state.audience.channels
            for face, local in self._faces.get(kernel.state.id, {}).items()
        ):
            kernel.state.mirror.note(notebook=None)
            return None
        return known

    def _note(self, kernel: KernelLink, client: str | None, local_kernel: str | None) -> None:
        """Remember whose face has opened the kernel, among those that follow it still."""
        following, id = kernel.state.audience.channels, kernel.state.id
        faces = {c: k for c, k in self._faces.get(id, {}).items() if c in following}
        self._faces[id] = {**faces, client: local_kernel} if client else faces

    def _before(self, known: str | None) -> dict[str, Any] | None:
        """What became of the kernel that the notebook had, if it had one that ran."""
        kernel = self._pods.kernels.get(known or "")
        if kernel is None or kernel.state.mirror.identity is None:
            return None
        mirror = kernel.state.mirror
        died = mirror.executions.died or {}
        return {
            "kernel": kernel.state.id,
            "started": number(mirror.info.get("started")),
            "ended": how_it_ended(kernel.state) or "gone",
            "time": number(died.get("time")),
            "signal": text(died.get("signal")) or None,
        }

    async def _living(self, entry: PodEntry, known: str | None) -> KernelLink | None:
        kernel = await self._pods.bound(known)
        if kernel is None or kernel.state.mirror.pod != entry.name:
            return None
        mirror = kernel.state.mirror
        if mirror.executions.died is not None or mirror.identity is None:
            return None
        silent = 0
        while True:
            try:
                return kernel if await kernel.alive(ALIVE_SECONDS) else None
            except NotFound:
                return None
            except TransportError as e:
                # A link that broke unnoticed may be why, once; on one that stands it is the keeper.
                silent = silent + 1 if entry.state is PodState.CONNECTED else 0
                if silent == SILENT_TRIES:
                    why = f"it has not answered for {silent * ALIVE_SECONDS:.0f} s."
                    raise _unreachable(why, "keeper-silent") from e
                await entry.connected(CONNECT_SECONDS)
            except (WireError, PodError) as e:
                raise _unreachable(str(e), e.code) from e

    async def _start(
        self,
        entry: PodEntry,
        known: str | None,
        notebook: str | None,
        local_kernel: str | None,
        folder: str,
    ) -> KernelLink:
        """Start a kernel; the same again if an earlier daemon died while it did."""
        begun = self._pods.kernels.get(known or "")
        if begun is not None and begun.state.mirror.identity is None:
            kernel, spec = begun, begun.state.mirror.info.get("start")
        else:
            kernel, spec = None, None
        if kernel is None or not isinstance(spec, dict):
            spec = self.spec(entry, notebook, local_kernel, working_name(self._pods.laptop, folder))
            kernel = await self.prepare(entry, spec, notebook)
            self._bind(entry.name, spec["kernel"], notebook, local_kernel)
        await self.begin(entry, kernel, spec)
        return kernel

    async def prepare(
        self, entry: PodEntry, spec: dict[str, Any], notebook: str | None
    ) -> KernelLink:
        """A kernel that is still to be started, on disk: a daemon killed meanwhile asks again."""
        return await self._pods.new_kernel(
            spec["kernel"], pod=entry.name, notebook=notebook, start=spec
        )

    async def begin(self, entry: PodEntry, kernel: KernelLink, spec: dict[str, Any]) -> None:
        """Have the pod start what `prepare` made; the same again when the link breaks."""
        for attempt in range(START_TRIES):
            await entry.connected(CONNECT_SECONDS)
            try:
                # Shielded: what the pod has begun is taken up, also when the face has gone.
                await self._pods.shield(asyncio.ensure_future(self._ask(entry, kernel, spec)))
                return
            except LinkError as e:
                log.warning("start of kernel %s: %s", kernel.state.id, e)
                if attempt == START_TRIES - 1:
                    raise
                await asyncio.sleep(0.2)
            except RemoteGPUError:
                await self._pods.drop_kernel(kernel)
                raise
        raise AssertionError("unreachable")

    async def _ask(self, entry: PodEntry, kernel: KernelLink, spec: dict[str, Any]) -> None:
        bridge = await entry.need().open_bridge(spec)
        info = bridge.info
        if not is_id(info.get("identity")):
            await bridge.close()
            raise PodError("The pod started a kernel without an identity: its code is not ours.")
        kernel.state.mirror.note(
            identity=info["identity"],
            display_name=text(info.get("display_name")),
            started=number(info.get("started")) or time.time(),
            cwd=text(info.get("cwd"), PATH_CHARS),
        )
        kernel.state.alive = True
        kernel.adopt(bridge)

    def spec(
        self, entry: PodEntry, notebook: str | None, local_kernel: str | None, folder: str
    ) -> dict[str, Any]:
        """What the pod is asked to start, in its working folder of that name."""
        specs = (entry.link.probe or {}).get("kernelspecs")
        if not isinstance(specs, list) or not specs or not isinstance(specs[0], dict):
            raise PodError(f"Pod {entry.name} has no kernelspec. On the pod, install ipykernel.")
        return {
            "kernel": uuid.uuid4().hex,
            "spec": specs[0],
            "folder": folder,
            "binding": {
                "laptop": self._pods.laptop,
                "notebook": notebook,
                "local_kernel": local_kernel,
            },
            "limits": self._pods.settings.limits,
            "bridge": True,
        }

    def _bind(self, pod: str, kernel: str, notebook: str | None, local_kernel: str | None) -> None:
        self._pods.bindings.bind(pod, kernel, notebook, local_kernel, renamed=True)
        if notebook:
            self._pods.kernels[kernel].state.mirror.note(notebook=notebook)

    def _answer(self, kernel: KernelLink, joined: bool) -> dict[str, Any]:
        info = kernel_info(kernel.state)
        return {
            "pod": info.pod,
            "kernel": info.id,
            "identity": info.identity,
            "joined": joined,
            "started": info.started,
            "display_name": info.display_name,
            "cwd": info.cwd,
            "alive": info.alive,
            "last": info.last,
        }


def _unreachable(why: str, code: str) -> PodError:
    what = "" if "%gpu restart" in why else " `%gpu restart` starts a fresh one."
    return PodError(f"The notebook's kernel cannot be reached: {why}{what}", code=code)


def working_name(laptop: str, folder: str) -> str:
    """Name of a notebook folder's twin on the pod; never changes for a folder.

    The folder's own name, in characters that are safe everywhere, and 6 hex digits.
    """
    digest = hashlib.sha256(f"{laptop}\n{folder}".encode("utf-8", "surrogateescape"))
    name = "".join(
        c if c.isascii() and (c.isalnum() or c in "-_") else "-"
        for c in os.path.basename(folder.rstrip("/"))
    )
    return f"{name.strip('-')[:60] or 'notebooks'}-{digest.hexdigest()[:6]}"
