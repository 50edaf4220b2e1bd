"""Which of the processes that were written down still live, and who is in their groups."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

END_SECONDS = 3.0
"""Patience after SIGTERM and again after SIGKILL."""

_STATE, _GROUP, _SESSION, _STARTED = 0, 2, 3, 19


def start_time(pid: int) -> str | None:
    """When process `pid` started, in the system's own unit: tells a reused pid apart.

    Returns
    -------
    str or None
        None if there is no such process. Empty where there is no ``/proc``.
    """
    fields = _stat(pid)
    if fields is None and not Path("/proc/self/stat").exists():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return ""
    return None if fields is None or fields[_STATE] in "ZX" else fields[_STARTED]


def is_running(pid: object, started: object) -> bool:
    """Whether the process that was `pid` when it `started` still runs."""
    if not isinstance(pid, int) or pid <= 1 or started is None:
        return False
    return start_time(pid) == started


def boot() -> str:
    """Names the time in which a pid means the same: one boot, in one container's life."""
    words = []
    with contextlib.suppress(OSError):  # no /proc: start times tell nothing there anyway
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        words.append(str(os.stat("/proc/self/ns/pid").st_ino))
    return ":".join(words)


def members(group: int) -> list[int]:
    """Who lives in the process group `group`, as led by a session's first process."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/proc"):
            fields = _stat(int(name)) if name.isdecimal() else None
            if fields is None or fields[_STATE] in "ZX":
                continue
            if fields[_GROUP] == fields[_SESSION] == str(group):
                found.append(int(name))
    return found


def end_group(pid: object, started: object, booted: object) -> bool:
    """End the group that process `pid` led, also when only its workers are left.

    Parameters
    ----------
    pid, started, booted
        The leader's number, its `start_time` and its `boot`, as they were written down.

    Returns
    -------
    bool
        Whether the leader itself still ran.
    """
    if not isinstance(pid, int) or pid <= 1:
        return False
    led = is_running(pid, started)
    if not led and (booted != boot() or not _is_left(pid, started)):
        return False
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
        end = time.monotonic() + END_SECONDS
        while members(pid) or is_running(pid, started):
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        else:
            break
    return led


def _is_left(pid: int, started: object) -> bool:
    """Whether the group `pid` has members, and nobody can have got that number since.

    A number is not given out again while it is anybody's group or session; had our group
    ended, another process that got the number would most likely still be there.
    """
    fields = _stat(pid)
    if fields is not None and fields[_STARTED] != started:
        return False
    left = members(pid)
    return bool(left) and all(_owner(p) in (None, os.getuid()) for p in left)


def _owner(pid: int) -> int | None:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except FileNotFoundError:
        return None


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()
