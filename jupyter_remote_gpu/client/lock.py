"""``daemon.lock``: the daemon of a data folder holds it, and says in it which process it is."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Holder", "holder", "say_who", "take"]


@dataclass(frozen=True)
class Holder:
    """Who holds the lock.

    Attributes
    ----------
    pid : int or None
        None when it is not known, or a process of another machine or container.
    host : str
        The machine's name, for people.
    """

    pid: int | None
    host: str


def take(folder: Path, seconds: float) -> int | None:
    """Hold the lock of `folder`; None when another process goes on holding it."""
    fd = _open(folder)
    deadline = time.monotonic() + seconds
    while not _lock(fd):
        if time.monotonic() >= deadline:
            os.close(fd)
            return None
        time.sleep(0.02)
    return fd


def say_who(fd: int) -> None:
    """Write into the lock that this process holds it."""
    me = {"pid": os.getpid(), "place": _place(), "host": socket.gethostname()}
    data = json.dumps(me).encode()
    os.pwrite(fd, data, 0)
    os.ftruncate(fd, len(data))


def holder(folder: Path) -> Holder | None:
    """Who holds the lock of `folder`; None if nobody does."""
    fd = _open(folder)
    try:
        if _lock(fd):
            return None
        try:
            said = json.loads(os.pread(fd, 4096, 0))
            pid, host = int(said["pid"]), str(said["host"])
            # A number means a process only where, and as long as, it was given.
            return Holder(pid if said["place"] == _place() else None, host)
        except (ValueError, KeyError, TypeError):
            return Holder(None, "unknown")
    finally:
        os.close(fd)


def _open(folder: Path) -> int:
    return os.open(folder / "daemon.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _place() -> str:
    """Names this machine since its start, and the container if this is one."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        pass  # not Linux
    command = ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return socket.gethostname()
    return done.stdout.strip()
