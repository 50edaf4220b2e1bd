"""Commands about pods: add, remove, list, connect, disconnect, status, key."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from ..client.aio import Control
from ..errors import BadInput, LinkError, plain
from ..models import PodState
from .asking import age, control, pods_of, print_json, print_table

PATIENCE_SECONDS = 60.0
_SHORT = (PodState.CONNECTING, PodState.PREPARING)

__all__ = ["add", "connect", "disconnect", "key", "remove", "show_list", "status"]


async def add(args: argparse.Namespace) -> int:
    """``add NAME SSH-COMMAND… [--python PATH]``."""
    ssh: list[str] | str = args.ssh if len(args.ssh) > 1 else args.ssh[0]
    async with control() as daemon:
        pod = await daemon.request("pod.add", name=args.name, ssh=ssh, python=args.python)
    print(f"{pod.get('name')}: {pod.get('address')}")
    print(f"Connect with `jupyter remote-gpu connect {pod.get('name')}`.")
    return 0


async def remove(args: argparse.Namespace) -> int:
    """``remove NAME``."""
    async with control() as daemon:
        left = (await daemon.request("pod.remove", name=args.name)).get("key_left")
    print(f"{args.name} is forgotten. What ran on it runs on.")
    if left:
        print(
            "Our key could not be taken off it. Its private half is deleted here, so nobody gets "
            "in with it;\nto be tidy, delete this line from ~/.ssh/authorized_keys there:"
        )
        print(plain(str(left), line=True))
    return 0


async def show_list(args: argparse.Namespace) -> int:
    """``list [--json]``."""
    async with control() as daemon:
        pods = pods_of(await daemon.request("snapshot"))
    if args.json:
        print_json({"pods": [{"name": p.get("name"), "address": p.get("address")} for p in pods]})
    elif not pods:
        print("No pods yet. Add one with `jupyter remote-gpu add NAME SSH-COMMAND`.")
    else:
        print_table(("NAME", "ADDRESS"), [(p.get("name"), p.get("address")) for p in pods])
    return 0


async def status(args: argparse.Namespace) -> int:
    """``status [NAME] [--json]``."""
    async with control() as daemon:
        pods = pods_of(await daemon.request("snapshot"), args.name)
    if args.json:
        print_json({"pods": pods})
        return 0
    if not pods:
        print("No pods yet. Add one with `jupyter remote-gpu add NAME SSH-COMMAND`.")
        return 0
    print_table(
        ("NAME", "STATE", "SINCE", "LATENCY", "WAITING", "ADDRESS"),
        [
            (
                p.get("name"),
                p.get("state"),
                age(p.get("since")),
                _latency(p),
                p.get("waiting") or 0,
                p.get("address"),
            )
            for p in pods
        ],
    )
    for p in pods:
        for text in (p.get("reason"), *(p.get("warnings") or [])):
            if text:
                print(plain(f"{p.get('name')}: {text}", line=True))
    return 0


async def disconnect(args: argparse.Namespace) -> int:
    """``disconnect NAME``."""
    async with control() as daemon:
        await daemon.request("pod.disconnect", name=args.name)
    print(f"{args.name}: disconnected; its kernels run on.")
    return 0


async def key(args: argparse.Namespace) -> int:
    """``key NAME [--remove]``."""
    async with control() as daemon:
        op = "key.remove" if args.remove else "key.install"
        answer = await daemon.request(op, timeout=120, name=args.name)
    if args.remove:
        print(f"Our key is off {args.name}.")
    else:
        print(f"{args.name} now lets in this key of ours, which lies on this machine only:")
        print(answer.get("public_key", ""))
    return 0


async def connect(args: argparse.Namespace) -> int:
    """``connect NAME [--accept-host-key SHA256:…]``: each state once, until it is decided.

    Raises
    ------
    LinkError
        If the pod cannot be connected; its reason.
    """
    accepted = args.accept_host_key
    if accepted is not None and not accepted.startswith("SHA256:"):
        raise BadInput(
            "A host key is named by its fingerprint, which begins with SHA256: (the pod's log or "
            "the provider's page shows it)."
        )
    async with control() as daemon:
        pods_of(await daemon.request("snapshot"), args.name)
        told = _Told()
        while True:
            extra = {"accept_host_key": accepted} if accepted else {}
            told(await daemon.request("pod.connect", name=args.name, **extra))
            pod = await _decided(daemon, args.name, told)
            state = pod.get("state")
            if state == PodState.CONNECTED:
                return 0
            if state != PodState.HOST_KEY:
                why = pod.get("reason") or f"{args.name} was disconnected meanwhile."
                raise LinkError(str(why), code=str(pod.get("code") or "link"))
            shown = pod.get("host_key") or {}
            accepted = await _ask_about_key(args.name, pod, str(shown.get("fingerprint", "")))


class _Told:
    """Prints each state once, as it comes; on stderr why a pod is still not back."""

    def __init__(self) -> None:
        self._state: object = None
        self._reason: object = None

    def __call__(self, pod: dict[str, Any]) -> None:
        state, reason = pod.get("state"), pod.get("reason")
        if state != self._state:
            self._state, self._reason = state, None
            latency = f" ({_latency(pod)})" if pod.get("latency") is not None else ""
            print(f"{pod.get('name')}: {state}{latency}", flush=True)
            if state == PodState.CONNECTED:
                for warning in pod.get("warnings") or []:
                    self._aside(pod, warning)
        if state == PodState.RECONNECTING and reason and reason != self._reason:
            self._reason = reason
            self._aside(pod, reason)

    def _aside(self, pod: dict[str, Any], text: object) -> None:
        print(plain(f"{pod.get('name')}: {text}", line=True), file=sys.stderr, flush=True)


async def _decided(daemon: Control, name: str, told: _Told) -> dict[str, Any]:
    """The pod once it is connected, failed, disconnected, or asks about its host key.

    Raises
    ------
    LinkError
        If it was not back after `PATIENCE_SECONDS` of reconnecting.
    """
    pod: dict[str, Any] = {}
    try:
        async with asyncio.timeout(None) as patience:
            async for snapshot in daemon.snapshots():
                (pod,) = pods_of(snapshot, name)
                told(pod)
                state = pod.get("state")
                if state not in (*_SHORT, PodState.RECONNECTING):
                    return pod
                if state in _SHORT:
                    patience.reschedule(None)
                elif patience.when() is None:
                    patience.reschedule(asyncio.get_running_loop().time() + PATIENCE_SECONDS)
    except TimeoutError:
        why = pod.get("reason") or "It does not answer."
        raise LinkError(
            f"{name} is not back after {PATIENCE_SECONDS:.0f} s: {why} It is tried on; see "
            f"`jupyter remote-gpu status`, or end it with `jupyter remote-gpu disconnect {name}`."
        ) from None
    raise AssertionError("snapshots end only with the face")


async def _ask_about_key(name: str, pod: dict[str, Any], fingerprint: str) -> str:
    """The fingerprint, if the person at the terminal trusts it.

    Raises
    ------
    LinkError
        If nobody is there to ask, or the answer is no.
    """
    why = pod.get("reason") or f"{name} shows a host key that is not known yet: {fingerprint}"
    print(plain(str(why)), file=sys.stderr, flush=True)
    again = f"jupyter remote-gpu connect {name} --accept-host-key {fingerprint}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise LinkError(f"The host key waits for your word. If it is right: {again}")
    print("Trust it? [yes/no] ", end="", file=sys.stderr, flush=True)
    if (await _typed_line()).strip().lower() not in ("yes", "y"):
        raise LinkError(f"Not connected: you did not trust the host key of {name}.")
    return fingerprint


async def _typed_line() -> str:
    """A line from the terminal. Ctrl-C ends the waiting, as it would not end a read."""
    loop = asyncio.get_running_loop()
    typed = asyncio.Event()
    loop.add_reader(sys.stdin, typed.set)
    try:
        await typed.wait()
    finally:
        loop.remove_reader(sys.stdin)
    return sys.stdin.readline()


def _latency(pod: dict[str, Any]) -> str:
    value = pod.get("latency")
    return f"{value * 1000:.0f} ms" if isinstance(value, int | float) else "-"
