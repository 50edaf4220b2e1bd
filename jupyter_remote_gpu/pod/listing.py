"""``list`` and ``stop``: the kernels on this pod, also those that nobody holds any more."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from .. import files
from ..errors import NotFound
from ..wire.frames import encode_control
from . import graveyard, paths
from .cleaning import ALIVE, ORPHAN, kernels


def list_kernels() -> list[dict[str, Any]]:
    """Each kernel whose journal is here: age in s, memory in bytes, alive or how it ended.

    A kernel whose keeper is gone cannot be reached any more: it is listed as ``orphan``
    this once, and ended.
    """
    found = []
    for folder, info, state in kernels():
        pid, alive = info.get("pid"), state == ALIVE
        started = info.get("started")
        found.append(
            {
                "id": folder.name,
                "identity": info.get("identity"),
                "display_name": info.get("display_name"),
                "binding": info.get("binding"),
                "cwd": info.get("cwd"),
                "alive": alive,
                "orphan": state == ORPHAN,
                "started": started,
                "age": time.time() - started if isinstance(started, (int, float)) else None,
                "ended": info.get("ended"),
                "status": info.get("status"),
                "memory": _memory(int(pid)) if alive and isinstance(pid, int) else None,
                "journal": _size(folder / "journal"),
            }
        )
    return found


def stop_kernel(kernel: str) -> dict[str, Any]:
    """Ask the keeper of `kernel` to end it; an orphan is ended here."""
    from .bridge import connect

    folder = paths.kernel_folder(kernel)
    if not folder.is_dir():
        raise NotFound("this pod has no such kernel")
    keeper = connect(folder)
    if keeper is None:
        return {"kernel": kernel, "reaped": graveyard.reap(folder)}
    with keeper:
        info = files.read(folder / "kernel.json")
        hello = {
            "service": f"kernel:{kernel}",
            "protocol": 1,
            "client": os.urandom(16).hex(),
            "identity": info.get("identity"),
            "cursor": 0,
        }
        keeper.sendall(encode_control(hello) + encode_control({"type": "stop"}))
        keeper.settimeout(5)
        keeper.recv(1)  # it has read the hello; what follows it is read in the same turn
    return {"kernel": kernel, "reaped": False}


def _memory(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/statm").read_text("ascii")
    except OSError:
        return None
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _size(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.glob("*.seg"))
