"""``kernel.bind``: a notebook takes up a kernel that lives on a pod, by the user's word."""

from __future__ import annotations

from typing import Any

from ..errors import NotFound, RemoteGPUError
from ..wire.records import is_id
from .bounded import number, text
from .entry import PodEntry
from .kernel_link import KernelLink
from .kernel_state import KernelState
from .listing import kernels_of
from .opening import ALIVE_SECONDS
from .pods import Pods
from .sentences import other_journal
from .shown import PATH_CHARS, how_it_ended, kernel_info, reason_of

OFFERED = 20


async def bind(
    pods: Pods, entry: PodEntry, id: str, notebook: str | None, local_kernel: str | None
) -> dict[str, Any]:
    """Bind a living kernel to a notebook and to its local kernel, whoever had it before.

    Returns
    -------
    dict
        As ``kernel.open`` answers.

    Raises
    ------
    NotConnected
        If the pod is not connected.
    NotFound
        If the pod has no such kernel, or it has ended.
    DaemonError
        If this laptop's mirror of it cannot be read now.
    """
    entry.need()
    kernel = await pods.bound(id)
    if kernel is None or kernel.state.mirror.pod != entry.name:
        kernel = await _take(pods, entry, id)
    if how_it_ended(kernel.state) or not await kernel.alive(ALIVE_SECONDS):
        raise _not_alive(id, entry.name)
    pods.bindings.bind(entry.name, id, notebook, local_kernel)
    if notebook:
        kernel.state.mirror.note(notebook=notebook)
    return {**kernel_info(kernel.state).to_json(), "kernel": id, "joined": True}


async def _take(pods: Pods, entry: PodEntry, id: str) -> KernelLink:
    """A kernel that this laptop knows by another pod's name (that was removed), or not at all."""
    said = next((row for row in await kernels_of(entry) if row["id"] == id), None)
    if said is None or not said.get("alive") or not is_id(said.get("identity")):
        raise _not_alive(id, entry.name)
    kernel = pods.kernels.get(id)
    if kernel is None:
        return await pods.new_kernel(
            id,
            pod=entry.name,
            identity=said["identity"],
            display_name=text(said.get("display_name")),
            started=number(said.get("started")),
            cwd=text(said.get("cwd"), PATH_CHARS),
        )
    if kernel.state.mirror.identity != said["identity"]:
        raise other_journal(str(said["identity"]))
    kernel.state.mirror.note(pod=entry.name)
    status = entry.link.status
    kernel.connected(None)  # what was told of it by the other name's link is over
    kernel.state.pod_is(status.state, reason_of(entry), status.since)
    kernel.connected(entry.link)
    return kernel


async def left_alone(pods: Pods, entry: PodEntry) -> list[dict[str, Any]]:
    """Kernels of this laptop that live on a pod and that nobody follows, newest first.

    The pod is asked only where some may; a pod that does not answer takes nothing away.
    """
    known = {
        kernel.state.id: kernel.state
        for kernel in pods.kernels.values()
        if _may_be_left(pods, entry, kernel.state)
    }
    if not known:
        return []
    try:
        said = await kernels_of(entry)
    except RemoteGPUError:
        return []
    living = [known[row["id"]] for row in said if row["id"] in known and row.get("alive")]
    rows = [
        {
            k: v
            for k, v in kernel_info(state).to_json().items()
            if k in ("id", "started", "notebook")
        }
        for state in living
    ]
    return sorted(rows, key=lambda row: row["started"] or 0.0, reverse=True)[:OFFERED]


def _may_be_left(pods: Pods, entry: PodEntry, state: KernelState) -> bool:
    here = state.mirror.pod == entry.name or state.mirror.pod not in pods.entries
    unused = not state.audience.channels and how_it_ended(state) is None
    return here and unused and state.mirror.identity is not None


def _not_alive(id: str, pod: str) -> NotFound:
    return NotFound(f"No kernel {id[:6]} lives on {pod}. `%gpu kernels` lists those that do.")
