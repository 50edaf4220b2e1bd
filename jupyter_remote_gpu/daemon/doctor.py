"""``doctor``: what lies where on both sides, and how large."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ..errors import RemoteGPUError
from ..models import PodState
from .bounded import plain
from .entry import PodEntry
from .listing import kernels_of
from .pods import Pods
from .shown import how_it_ended


async def examine(pods: Pods) -> dict[str, Any]:
    """Look at the laptop's files and ask each connected pod for its own."""
    laptop = await asyncio.to_thread(_laptop, pods.folder)
    laptop["mirror_days"] = pods.settings.mirror_days
    laptop["mirrors"] = [
        {
            "kernel": k.state.id,
            "pod": k.state.mirror.pod,
            "notebook": k.state.mirror.info.get("notebook"),
            "bytes": k.state.mirror.log.size,
            "last": k.state.mirror.last,
            "ended": how_it_ended(k.state),
            "trouble": k.state.mirror.log.trouble,
        }
        for k in pods.kernels.values()
    ]
    entries = dict(pods.entries)  # one may be added or removed meanwhile
    found = await asyncio.gather(*(_pod(e) for e in entries.values()))
    return {"laptop": laptop, "pods": dict(zip(entries, found, strict=True))}


def _laptop(folder: Path) -> dict[str, Any]:
    files = {}
    damaged = []
    for path in sorted(folder.iterdir()):
        files[path.name] = _size(path)
        if ".damaged-" in path.name:
            damaged.append(path.name)
    mirrors = folder / "mirrors"
    if mirrors.is_dir():
        damaged += [f"mirrors/{p.name}" for p in mirrors.iterdir() if ".damaged-" in p.name]
    return {
        "folder": str(folder),
        "python": sys.executable,
        "pid": os.getpid(),
        "files": files,
        "damaged": damaged,
        "free": shutil.disk_usage(folder).free,
    }


def _size(path: Path) -> int:
    if path.is_symlink() or not path.is_dir():
        return _file_size(path)
    return sum(
        _file_size(Path(parent, name)) for parent, _, names in os.walk(path) for name in names
    )


def _file_size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0  # written anew in this moment


async def _pod(entry: PodEntry) -> dict[str, Any]:
    status = entry.link.status
    found: dict[str, Any] = {
        "state": str(status.state),
        "reason": status.reason,
        "address": entry.pod.address,
        "probe": plain(entry.link.probe),
    }
    if status.state is PodState.CONNECTED:
        try:
            found["kernels"] = await kernels_of(entry)
        except RemoteGPUError as e:
            found["error"] = str(e)
    return found
