"""The `%gpu` commands: each asks the daemon and tells in sentences and small tables."""

from __future__ import annotations

import queue
import time
from argparse import Namespace
from typing import Any

from ..errors import DaemonError, LinkError, PodError
from ..models import PodState
from . import place, stopping
from .lookup import ADD_ONE, find_execution, find_kernel, user_cells
from .opening import bound_kernel, join_kernel
from .raised import control_back
from .session import Session

__all__ = ["COMMANDS", "run_command"]

CONNECT_SECONDS = 600.0


def run_command(session: Session, args: Namespace) -> None:
    """Do what `args.verb` says and print what came of it."""
    COMMANDS[args.verb](session, args)


def status(session: Session, args: Namespace) -> None:
    """Pods, their kernels and what runs in them."""
    pods = session.pods(now=True)
    if not pods:
        print(ADD_ONE)
    for name, pod in sorted(pods.items()):
        print(_pod_line(name, pod))
        connected = pod.get("state") == PodState.CONNECTED
        for warning in pod.get("warnings") or []:
            print(f"    ! {warning}")
        mine = {r.id for r in session.kernels.values()}
        for kernel in pod.get("kernels") or []:
            live = [e for e in user_cells(kernel) if e.get("state") != "ended"]
            if kernel.get("alive") is False and not live:
                continue
            here = " (this notebook's)" if kernel.get("id") in mine else ""
            print(f"    kernel {kernel['id'][:6]}{here}: {_where(kernel, connected)}")
            for e in live:
                first = str(e.get("code") or "").strip().split("\n")[0][:60]
                print(f"        {e['id'][:6]} {e.get('state')}: {first}")


def connect(session: Session, args: Namespace) -> None:
    """Connect and show each state once; nothing is asked."""
    news: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    name = session.pod(args.pod)
    arguments: dict[str, Any] = {"name": name}
    if args.accept_host_key:
        arguments["accept_host_key"] = args.accept_host_key
    session.face.request("pod.connect", **arguments)
    session.listeners.append(news.put)
    deadline = time.monotonic() + CONNECT_SECONDS
    shown = None
    try:
        pod = session.pods(now=True).get(name, {})
        while True:
            state = str(pod.get("state"))
            if state != shown:
                shown = state
                print(_pod_line(name, pod))
            if state == PodState.CONNECTED:
                return
            if state == PodState.HOST_KEY:
                raise LinkError(_host_key(name, pod), code="host-key")
            if state in (PodState.FAILED, PodState.DISCONNECTED):
                raise LinkError(
                    f"{name} is {state}: {pod.get('reason') or 'no reason was given.'} "
                    f"`jupyter remote-gpu log {name}` tells more."
                )
            try:
                snapshot = news.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                print("It goes on in the background; `%gpu status` tells how.")
                return
            pod = next((p for p in snapshot.get("pods", []) if p["name"] == name), {})
    except KeyboardInterrupt:
        raise control_back(
            f"{name} goes on connecting in the background; `%gpu status` tells how, and "
            f"`%gpu disconnect {name}` ends it."
        ) from None
    finally:
        session.listeners.remove(news.put)


def disconnect(session: Session, args: Namespace) -> None:
    """Let go of a pod."""
    name = session.pod(args.pod)
    session.face.request("pod.disconnect", name=name)
    print(f"{name} is disconnected. Its kernels run on, and it still costs what it costs.")


def restart(session: Session, args: Namespace) -> None:
    """A fresh kernel for this notebook."""
    name = session.pod(args.pod)
    session.refuse_if_down(name)
    try:
        ended = stopping.restart(session, name)
    except PodError as e:
        print(f"The old kernel could not be ended ({e}) The next %%gpu cell gets a fresh one.")
        return
    what = f"The kernel on {name} was ended" if ended else f"No kernel was open on {name}"
    print(f"{what}; the next %%gpu cell gets a fresh one.")


def interrupt(session: Session, args: Namespace) -> None:
    """Interrupt what runs (a detached cell, or one of before a restart)."""
    name = session.pod(args.pod)
    session.refuse_if_down(name)
    nothing = f"Nothing runs in this notebook's kernel on {name}."
    remote = session.kernels.get(name)
    if remote is None and (bound := bound_kernel(session, name)) is not None:
        remote = session.reader(bound)
    if remote is None or remote.died is not None:
        print(nothing)
        return
    try:
        if isinstance(remote.broken, DaemonError):
            remote.resume()  # there was no daemon: nobody would hear of it
        # By its name: "whatever runs" would be void after a cut, when something else may run.
        infos = session.pods(now=True).get(name, {}).get("kernels") or []
        cells = [e for info in infos if info.get("id") == remote.id for e in user_cells(info)]
        running = next((e["id"] for e in cells if e.get("state") == "running"), None)
        print(stopping.interrupt(remote, running or remote.newest_open(), nothing))
    finally:
        session.release(remote)


def attach(session: Session, args: Namespace) -> None:
    """Show a cell from its first line and follow it."""
    found = find_execution(session, args.id)
    session.follow(session.remote_of(found), found["execution"])


def kernels(session: Session, args: Namespace) -> None:
    """The kernels on one pod or on all."""
    arguments: dict[str, Any] = {} if args.pod is None else {"pod": session.pod(args.pod)}
    answer = session.face.request("kernel.list", timeout=60.0, **arguments)
    for name, error in (answer.get("errors") or {}).items():
        print(f"{name}: {error}")
    rows = answer["kernels"]
    if not rows:
        print("No kernel is known.")
        return
    mine = {r.id for r in session.kernels.values()}
    table = [("id", "pod", "state", "age", "memory", "gpu", "notebook")]
    for row in rows:
        state = "orphan" if row.get("orphan") else "alive" if row.get("alive") else "ended"
        if row.get("alive") is None:
            state = "unknown"
        name = str(row.get("notebook") or "") + (" (this one)" if row["id"] in mine else "")
        table.append(
            (
                row["id"][:6],
                str(row.get("pod") or ""),
                state,
                _age(row.get("age")),
                _size(row.get("memory")),
                _size(row.get("gpu_memory")),
                name,
            )
        )
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)))


def join(session: Session, args: Namespace) -> None:
    """Work on in a kernel that lives on the pod."""
    row = find_kernel(session, str(args.id))
    id, pod = str(row["id"]), str(row["pod"])
    mine = session.kernels.get(pod)
    if mine is not None and mine.id == id and mine.died is None:
        print(f"The kernel {id[:6]} on {pod} is this notebook's already.")
        return
    before, said = join_kernel(session, pod, id)
    print(said[:1].upper() + said[1:])
    if before is not None and before.died is None:
        print(
            f"The kernel {before.id[:6]}, which this notebook had until now, runs on: "
            f"`%gpu stop {before.id[:6]}` ends it."
        )


def stop(session: Session, args: Namespace) -> None:
    """End one kernel."""
    row = find_kernel(session, str(args.id))
    mine = session.kernels.get(row["pod"])
    if mine is not None and mine.id == row["id"]:
        stopping.restart(session, row["pod"])
        said = "was ended"
    else:
        session.face.request("kernel.stop", timeout=60.0, pod=row["pod"], kernel=row["id"])
        said = "was told to end"
    print(f"The kernel {row['id'][:6]} on {row['pod']} {said}; what it printed is kept.")


COMMANDS = {
    "status": status,
    "connect": connect,
    "disconnect": disconnect,
    "restart": restart,
    "interrupt": interrupt,
    "attach": attach,
    "kernels": kernels,
    "join": join,
    "stop": stop,
}


def _pod_line(name: str, pod: dict[str, Any]) -> str:
    parts = [f"{name}: {pod.get('state')}"]
    if pod.get("address"):
        parts[0] = f"{name} ({pod['address']}): {pod.get('state')}"
    if pod.get("reason"):
        parts.append(str(pod["reason"]))
    if isinstance(pod.get("latency"), (int, float)) and pod.get("state") == PodState.CONNECTED:
        parts.append(f"{pod['latency'] * 1000:.0f} ms")
    if pod.get("waiting"):
        parts.append(f"{pod['waiting']} requests wait")
    return " — ".join(parts)


def _where(kernel: dict[str, Any], connected: bool) -> str:
    folder = kernel.get("notebook") or kernel.get("cwd") or ""
    if folder and folder == place.notebook():
        folder = str(folder).rsplit("/", 1)[-1]
    if (alive := kernel.get("alive")) is not None:
        state = "alive" if alive else "ended"
    elif connected:  # it may well live: only nobody on this laptop asks it
        state = "not followed here (`%gpu kernels` asks)"
    else:
        state = "not reachable"
    return ", ".join(p for p in (kernel.get("display_name"), str(folder), state) if p)


def _host_key(name: str, pod: dict[str, Any]) -> str:
    key = pod.get("host_key") or {}
    fingerprint = key.get("fingerprint", "")
    return (
        f"{name} shows a host key that nobody has confirmed yet:\n"
        f"    {fingerprint} ({key.get('type', 'unknown type')})\n"
        "Compare it with what the pod itself says: its start-up log in the provider's console, "
        "or `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` in the provider's web terminal.\n"
        "Trusting it means: what that machine sends is shown in your notebook and can act as "
        "you in JupyterLab.\n"
        f"If it is the same, type:  %gpu connect {name} --accept-host-key {fingerprint}"
    )


def _age(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return ""
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.0f} d"


def _size(count: object) -> str:
    return f"{count / 1e9:.1f} GB" if isinstance(count, (int, float)) else ""
