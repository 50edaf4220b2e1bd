"""Which machine a kernel runs on: several may share the home folder in which its journal lies.

A lock and a process number say something on their own machine only. What lies in the folder of a
kernel of another one is left alone while its keeper gives signs of life there.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path
from typing import Any

from ..errors import PodError

BEAT_SECONDS = 60.0
DEAD_SECONDS = 300.0
"""A keeper that has given no sign of life for so long is gone, with its machine: a container that
was made anew, say, has another name."""


def machine() -> str:
    """Names this machine: all containers of one image may have the same ``machine-id``."""
    words = [socket.gethostname()]
    with contextlib.suppress(OSError):
        words.append(Path("/etc/machine-id").read_text("ascii", "replace").strip())
    return ":".join(words)


class Beat:
    """A keeper's signs of life, for other machines: how old its lock's file is."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._next = 0.0

    def turn(self) -> None:
        """Give one, when it is time."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + BEAT_SECONDS
            with contextlib.suppress(OSError):
                os.utime(self._path)


def elsewhere(folder: Path, info: dict[str, Any]) -> bool:
    """Whether the kernel of which ``kernel.json`` says `info` runs on another machine."""
    if info.get("machine") in (None, machine()) or "ended" in info:
        return False
    clock = folder.parent / ".clock"
    try:
        clock.touch(0o600)  # the shared disk's own clock, not ours
        return clock.stat().st_mtime - (folder / "lock").stat().st_mtime < DEAD_SECONDS
    except FileNotFoundError:
        return False


def check_here(folder: Path, info: dict[str, Any]) -> None:
    """Raise `PodError` for a kernel that runs on another machine."""
    if elsewhere(folder, info):
        name = str(info["machine"]).partition(":")[0]
        raise PodError(
            f"Kernel {folder.name[:8]} runs on {name:.80}, which has the same home folder as this "
            "machine: connect that one as a pod of its own to reach it. If it is gone, or is this "
            f"one under an older name, try again in {DEAD_SECONDS / 60:.0f} minutes.",
            code="other-machine",
        )
