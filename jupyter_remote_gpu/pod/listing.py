"""``list`` and ``stop``: the kernels on this pod, also those that nobody holds any more."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from .. import files
from ..errors import NotFound, PodError, RemoteGPUError
from ..wire import PROTOCOL
from ..wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from . import gpu, graveyard, paths
from .cleaning import ALIVE, ELSEWHERE, ORPHAN, kernels
from .machine import check_here
from .processes import is_running

STOP_SECONDS = 3.0
"""Patience with a keeper that is asked to end, that is told to, and that is killed, each."""


def list_kernels() -> list[dict[str, Any]]:
    """Each kernel whose journal is here: age in s, memory (also on GPUs) in bytes,
    alive or how it ended.

    A kernel whose keeper is gone cannot be reached any more: it is listed as ``orphan``
    this once, and ended.
    """
    found = []
    on_gpus = gpu.memory_by_group()
    for folder, info, state in kernels():
        here, alive = state == ALIVE, state in (ALIVE, ELSEWHERE)
        pid = info.get("pid") if here else None
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
                "memory": _memory(pid) if isinstance(pid, int) else None,
                # The kernel leads its group, in which its workers are too.
                "gpu_memory": on_gpus.get(pid) if isinstance(pid, int) else None,
                "journal": _size(folder / "journal"),
            }
        )
    return found


def stop_kernel(kernel: str) -> dict[str, Any]:
    """End `kernel`: by its keeper's hand, or by ours where that is gone or does not answer.

    Raises
    ------
    NotFound
        If there is no such kernel.
    PodError
        If it is just being started, cannot be ended, or runs on another machine.
    """
    folder = paths.kernel_folder(kernel)
    if not folder.is_dir():
        raise NotFound("this pod has no such kernel")
    info = files.read(folder / "kernel.json")
    check_here(folder, info)
    if _ask_to_stop(folder, info):
        return {"kernel": kernel, "reaped": False}
    pid, started = info.get("keeper_pid"), info.get("keeper_started")
    for number in (signal.SIGTERM, signal.SIGKILL):
        if isinstance(pid, int) and is_running(pid, started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        end = time.monotonic() + STOP_SECONDS
        while time.monotonic() < end:
            if graveyard.reap(folder):
                return {"kernel": kernel, "reaped": True}
            time.sleep(0.05)
    raise PodError(
        f"Kernel {kernel[:8]} cannot be ended: its keeper is just being started, or {folder} "
        "does not say which process it is. Try again in a minute.",
        code="keeper-stuck",
    )


def _ask_to_stop(folder: Path, info: dict[str, Any]) -> bool:
    """Whether the keeper has taken the word. One of another protocol, or stuck, does not."""
    from .bridge import connect

    hello = {
        "service": f"kernel:{folder.name}",
        "protocol": PROTOCOL,
        "client": os.urandom(16).hex(),
        "identity": info.get("identity"),
        "cursor": 0,
    }
    try:
        keeper = connect(folder)
        if keeper is None:
            return False
        with keeper:
            keeper.settimeout(STOP_SECONDS)
            for message in (hello, {"type": "stop"}, {"type": "ping", "tag": "stop"}):
                keeper.sendall(encode_control(message))
            decoder = FrameDecoder()
            end = time.monotonic() + STOP_SECONDS
            while time.monotonic() < end and (data := keeper.recv(1 << 18)):
                for kind, payload in decoder.feed(data):
                    told = decode_control(payload).get("type") if kind == CONTROL else None
                    if told == "refused":
                        return False
                    if told == "pong":
                        return True
    except (RemoteGPUError, OSError) as e:
        print(f"{folder}: {e}", file=sys.stderr)
    return False


def _memory(pid: int) -> int | None:
    try:
        text = Path(f"/proc/{pid}/statm").read_text("ascii")
    except OSError:
        return None
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _size(folder: Path) -> int:
    size = 0
    for segment in folder.glob("*.seg"):
        with contextlib.suppress(FileNotFoundError):  # a journal grows old, or is made smaller
            size += segment.stat().st_size
    return size
