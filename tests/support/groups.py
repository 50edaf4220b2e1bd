"""Who lives in a process group, for tests of what is left behind."""

from __future__ import annotations

import contextlib
import os

import psutil


def group_of(pid: int) -> list[int]:
    """Who lives in process group `pid`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
            if os.getpgid(process.pid) == pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found
