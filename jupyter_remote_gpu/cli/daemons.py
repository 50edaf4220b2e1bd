"""Commands about this machine: daemon, log, doctor."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path
from typing import Any

from ..client.paths import data_folder
from ..client.spawn import connectable, end_daemon, end_unreachable, wait_ended
from ..errors import DaemonError, VersionMismatch, plain
from .asking import age, control, print_json, size

__all__ = ["daemon", "doctor", "log"]

_LINES = 200
_TAIL = 1 << 18


async def daemon(args: argparse.Namespace) -> int:
    """``daemon [start|stop|status]``; status is 1 when none runs."""
    running = await asyncio.to_thread(connectable)
    if args.action == "stop" and not running and await asyncio.to_thread(end_unreachable):
        print("A daemon that could not be reached any more was ended. Kernels on pods run on.")
        return 0
    if args.action != "start" and not running:
        print("No daemon runs. One is started when it is needed.")
        return 1 if args.action == "status" else 0
    if args.action == "stop":
        await _stop()
        print("The daemon ends. Kernels on pods run on; what was wanted is taken up again.")
        return 0
    async with control(spawn=args.action == "start") as face:
        about: dict[str, Any] = (await face.request("snapshot")).get("daemon") or {}
    print(
        f"The daemon runs: process {about.get('pid')}, version {about.get('version')}, "
        f"for {age(about.get('started'))}. Its log: {data_folder() / 'daemon.log'}"
    )
    return 0


async def _stop() -> None:
    try:
        async with control(spawn=False) as face:
            await face.request("daemon.stop")
    except (DaemonError, VersionMismatch) as e:
        if isinstance(e, DaemonError) and e.code != "timeout":
            raise
        await asyncio.to_thread(end_daemon)  # nothing can be asked of it, and it is to end
        return
    await asyncio.to_thread(wait_ended)


async def log(args: argparse.Namespace) -> int:
    """``log [NAME]``: a pod's events, or the end of the daemon's log."""
    if args.name is None:
        for line in await asyncio.to_thread(_tail, data_folder() / "daemon.log"):
            print(plain(line))
        return 0
    async with control() as face:
        answer = await face.request("pod.log", name=args.name)
    for line in answer.get("lines", []):
        print(plain(str(line), line=True))
    return 0


async def doctor(args: argparse.Namespace) -> int:
    """``doctor``: what lies where on both sides, and how large."""
    async with control() as face:
        answer = await face.request("doctor", timeout=120)
    if args.json:
        print_json(answer)
    else:
        _print_tree(answer, 0)
    return 0


def _print_tree(value: Any, depth: int, sizes: bool = False) -> None:
    """A JSON value as indented lines; sizes and times as people read them."""
    pad = "  " * depth
    items = value.items() if isinstance(value, dict) else ((None, v) for v in value)
    for key, item in items:
        label = f"{pad}{plain(str(key), line=True)}:" if key is not None else f"{pad}-"
        if isinstance(item, dict | list) and item:
            print(label)
            _print_tree(item, depth + 1, sizes=key == "files")
        else:
            print(f"{label} {_shown(str(key), item, sizes)}")


def _shown(key: str, value: Any, is_size: bool) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "-"}[value]
    is_size = is_size or any(w in key for w in ("bytes", "size", "free", "memory"))
    if isinstance(value, int) and is_size:
        return size(value)
    if value in ([], {}):
        return "none"
    return plain(str(value), line=True)


def _tail(path: Path) -> list[str]:
    try:
        with open(path, "rb") as f:
            f.seek(max(0, f.seek(0, os.SEEK_END) - _TAIL))
            text = f.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return [f"There is no log yet ({path})."]
    except OSError as e:
        raise DaemonError(f"{path} cannot be read: {e.strerror}.") from e
    return text.splitlines()[-_LINES:]
