"""``kernel.list``: the kernels that the laptop knows, and what each connected pod says of them."""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import RemoteGPUError, WireError
from ..models import PodState
from ..wire.records import is_id
from .bounded import plain
from .entry import PodEntry
from .pods import Pods
from .shown import kernel_info

LIST_SECONDS = 20.0
MAX_KERNELS = 1000
Rows = dict[str, dict[str, Any]]


async def list_kernels(pods: Pods, name: str | None) -> dict[str, Any]:
    """The kernels on pod `name`, or on all: all are asked at once, and none waits for another.

    Returns
    -------
    dict
        ``kernels``, each once, also where two pods are one machine; and ``errors``, by pod, of
        those that could not be asked. What is known of their kernels, as of those on a pod that
        is not connected, has ``stale``.

    Raises
    ------
    RemoteGPUError
        If the one pod that was named does not answer.
    """
    entries = [pods.entry(name)] if name else list(pods.entries.values())
    found = await asyncio.gather(*(_of(pods, entry) for entry in entries))
    errors = {e.name: error for e, (_, error) in zip(entries, found, strict=True) if error}
    if name and errors:
        raise errors[name]
    kernels: Rows = {}
    for row in (row for rows, _ in found for row in rows.values()):
        if row["id"] not in kernels or _rank(row) > _rank(kernels[row["id"]]):
            kernels[row["id"]] = row
    return {
        "kernels": list(kernels.values()),
        "errors": {pod: str(error) for pod, error in errors.items()},
    }


def _rank(row: dict[str, Any]) -> tuple[bool, bool]:
    """Under which of its pods' names a kernel can be spoken to best; the best is the greatest."""
    return not row.get("stale"), bool(row.get("mirrored"))


async def _of(pods: Pods, entry: PodEntry) -> tuple[Rows, RemoteGPUError | None]:
    infos = [kernel_info(k.state) for k in pods.of(entry.name)]
    rows: Rows = {i.id: {**i.to_json(), "mirrored": True} for i in infos if i.identity}
    error: RemoteGPUError | None = None
    if entry.state is PodState.CONNECTED:
        try:
            for said in await kernels_of(entry):
                rows[said["id"]] = _merged(rows.get(said["id"], {}), said, entry.name)
            return rows, None
        except RemoteGPUError as e:
            error = e
    for row in rows.values():
        row["stale"] = True
    return rows, error


async def kernels_of(entry: PodEntry) -> list[dict[str, Any]]:
    """What a connected pod says of its kernels.

    Raises
    ------
    RemoteGPUError
        If it does not answer, or names ids that are none.
    """
    answer = await entry.link.run("list", {}, LIST_SECONDS)
    kernels = answer.get("kernels")
    found = [plain(k) for k in kernels[:MAX_KERNELS]] if isinstance(kernels, list) else []
    if not all(isinstance(k, dict) and is_id(k.get("id")) for k in found):
        raise WireError(f"Pod {entry.name} listed a kernel whose id is not one.")
    return found


def _merged(here: dict[str, Any], said: dict[str, Any], pod: str) -> dict[str, Any]:
    binding = said.get("binding")
    notebook = binding.get("notebook") if isinstance(binding, dict) else None
    return {
        "mirrored": False,
        **here,
        **said,
        "pod": pod,
        "listed": True,
        "notebook": here.get("notebook") or notebook,
    }
