"""Goes through the kernels' folders: what dead keepers left is ended, what is old goes."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import files
from ..errors import RemoteGPUError
from ..wire.records import is_id
from . import graveyard, paths
from .machine import elsewhere
from .processes import is_running

FAILED_SECONDS = 3600.0
"""A folder in which no kernel has begun for so long is one of a start that failed."""

ALIVE, ORPHAN, ENDED, ELSEWHERE = "alive", "orphan", "ended", "elsewhere"


def kernels() -> Iterator[tuple[Path, dict[str, Any], str]]:
    """Each kernel's folder, what its ``kernel.json`` says, and its state.

    ``alive``; ``orphan`` (its keeper was gone, and it has been ended by this call); ``ended``;
    ``elsewhere`` (alive, on another machine with the same home folder).
    What is wrong with one of them is said on standard error, and stops nothing.
    """
    for folder in sorted(paths.kernels_folder().iterdir()):
        if not is_id(folder.name):
            continue
        try:
            info, state = _look_after(folder)
        except (RemoteGPUError, OSError, ValueError) as e:
            print(f"{folder}: {e}", file=sys.stderr)
            info, state = files.read(folder / "kernel.json"), ENDED
        if info:
            yield folder, info, state


def _look_after(folder: Path) -> tuple[dict[str, Any], str]:
    info = files.load(folder / "kernel.json")
    if not info and not _was_started(folder):
        return {}, ENDED
    if "ended" in info:
        return info, ENDED
    if elsewhere(folder, info):
        return info, ELSEWHERE
    if is_running(info.get("keeper_pid"), info.get("keeper_started")):
        return info, ALIVE
    graveyard.reap(folder)
    info = files.read(folder / "kernel.json") or info
    return info, ORPHAN if info.get("orphan") else ENDED


def _was_started(folder: Path) -> bool:
    """Whether a kernel began here; the traces of a start that failed are removed."""
    if any(folder.glob("kernel.json.damaged-*")):
        return True
    lock = paths.FolderLock(folder)
    if time.time() - folder.stat().st_mtime > FAILED_SECONDS and lock.acquire():
        shutil.rmtree(folder)
        lock.release()
    return False


def clean() -> None:
    """Also remove the journals of kernels that ended `paths.ENDED_DAYS` ago."""
    limit = time.time() - paths.ENDED_DAYS * 86400
    for folder, info, _ in kernels():
        ended = info.get("ended")
        if isinstance(ended, (int, float)) and ended < limit:
            try:
                shutil.rmtree(folder)
            except OSError as e:
                print(f"{folder} cannot be removed: {e.strerror}", file=sys.stderr)
