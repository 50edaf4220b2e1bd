"""Commands about kernels: kernels, attach, shutdown-kernels."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
import uuid
from typing import Any

from ..client.aio import Channel, Control
from ..errors import BadInput, NotConnected, NotFound, PodError, RemoteGPUError, plain
from ..models import PodState
from .asking import control, duration, pods_of, print_json, print_table, size
from .following import Printer

__all__ = ["attach", "show", "shutdown"]

_MIN_ID = 4
_END_SECONDS = 30.0
_AGAIN_SECONDS = 0.2
_ON_ITS_WAY = (PodState.CONNECTING, PodState.PREPARING, PodState.RECONNECTING)


async def show(args: argparse.Namespace) -> int:
    """``kernels [NAME] [--json]``."""
    async with control() as daemon:
        kernels, errors = await _kernels(daemon, args.name)
    for pod, error in errors.items():
        print(plain(f"{pod}: {error}", line=True), file=sys.stderr)
    if args.json:
        print_json({"kernels": kernels})
    elif not kernels:
        print("No kernels are known" + (f" on {args.name}." if args.name else "."))
    else:
        print_table(
            ("KERNEL", "POD", "STATE", "AGE", "MEMORY", "GPU", "NAME", "NOTEBOOK"),
            [
                (
                    str(k.get("id"))[:8],
                    k.get("pod"),
                    _state(k),
                    duration(k.get("age")),
                    size(k.get("memory")),
                    size(k.get("gpu_memory")),
                    k.get("display_name"),
                    k.get("notebook"),
                )
                for k in kernels
            ],
        )
    return 0


async def shutdown(args: argparse.Namespace) -> int:
    """``shutdown-kernels NAME``: ends each kernel that lives; their journals stay.

    Raises
    ------
    NotConnected
        If the pod cannot be asked which ones live.
    PodError
        If one has not ended after 30 s.
    """
    async with control() as daemon:
        alive = await _alive(daemon, args.name)
        if not alive:
            print(f"{args.name}: no kernel runs.")
        for kernel in alive:
            with contextlib.suppress(NotFound):  # it has ended since
                await daemon.request("kernel.stop", timeout=60, pod=args.name, kernel=kernel)
        deadline = time.monotonic() + _END_SECONDS
        while alive:
            await asyncio.sleep(_AGAIN_SECONDS)
            left = await _alive(daemon, args.name)
            for kernel in alive:
                if kernel not in left:
                    print(f"{args.name}: kernel {kernel[:8]} has ended.", flush=True)
            alive = [k for k in alive if k in left]
            if alive and time.monotonic() > deadline:
                raise PodError(
                    f"Kernel {alive[0][:8]} was told to end and has not yet: see "
                    f"`jupyter remote-gpu kernels {args.name}`."
                )
    return 0


async def attach(args: argparse.Namespace) -> int:
    """``attach ID``: an execution's output from its first line, and on until it ends."""
    wanted = args.id.strip().lower()
    if not _MIN_ID <= len(wanted) <= 32 or set(wanted) - set("0123456789abcdef"):
        raise BadInput(
            f"{args.id!r:.80} is not the id of a cell: give at least {_MIN_ID} of its digits, as "
            "`jupyter remote-gpu status --json` or the notebook shows them."
        )
    async with control() as daemon:
        try:
            found = await daemon.request("execution.find", id=wanted)
        except NotFound as e:
            where = "`jupyter remote-gpu status --json` lists the newest of each kernel."
            raise NotFound(f"{e.message} {where}") from e
    execution = found.get("execution") or {}
    printer = Printer(str(execution.get("id")), int(found.get("newest") or 0))
    channel = Channel(
        pod=str(found.get("pod")),
        kernel=str(found.get("kernel")),
        identity=str(found.get("identity")),
        client=uuid.uuid4().hex,
        cursor=max(0, int(execution.get("first") or 1) - 1),
        on_batch=printer.batch,
        on_control=printer.control,
    )
    following = asyncio.create_task(channel.run())
    ended = asyncio.create_task(printer.ended.wait())
    try:
        await asyncio.wait([following, ended], return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended.cancel()
        await channel.close()
        await asyncio.wait([following, ended])
    if not printer.ended.is_set():
        following.result()  # raises what ended it
        raise RemoteGPUError("The daemon let go of the kernel before the cell ended.")
    return printer.status()


async def _alive(daemon: Control, name: str) -> list[str]:
    """The kernels that the pod itself lists as alive: the laptop may know of lost ones."""
    found, _ = await _kernels(daemon, name)
    (pod,) = pods_of(await daemon.request("snapshot"), name)
    if pod.get("state") != PodState.CONNECTED:
        what = "connect it first"
        if pod.get("state") in _ON_ITS_WAY:
            what = "wait until it is connected, then try again"
        raise NotConnected(
            f"Pod {name} is {pod.get('state')}, so its kernels cannot be ended: {what}."
        )
    return [str(k.get("id")) for k in found if k.get("listed") and k.get("alive") is not False]


async def _kernels(daemon: Control, pod: str | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The kernels, and by pod why those of some could not be asked for."""
    pods_of(await daemon.request("snapshot"), pod)
    args = {"pod": pod} if pod is not None else {}
    answer = await daemon.request("kernel.list", timeout=60, **args)
    kernels = [k for k in answer.get("kernels", []) if isinstance(k, dict)]
    return kernels, answer.get("errors") or {}


def _state(kernel: dict[str, Any]) -> str:
    if kernel.get("orphan"):
        return "orphan"
    alive = kernel.get("alive")
    return "alive" if alive is True else "ended" if alive is False else "unknown"
