"""A local kernel that joins a remote one which was there before it."""

from __future__ import annotations

import queue
import time
import uuid
from collections import OrderedDict
from typing import Any

from .execution import Execution
from .kernels import RemoteKernel

__all__ = ["clock", "joined_sentence"]

NAMES_SECONDS = 2.0
"""How long a remote kernel may take to count its names before the cell goes on."""
_COUNT_NAMES = (
    "len([n for n in get_ipython().user_ns if not n.startswith('_')"
    " and n not in get_ipython().user_ns_hidden])"
)


def clock(started: object) -> str:
    """Seconds since the epoch as ``14:02``, or ``the 3rd, 14:02`` when it was another day."""
    if not isinstance(started, (int, float)):
        return "before"
    then = time.localtime(started)
    today = time.localtime()
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%Y-%m-%d %H:%M", then)


def joined_sentence(remote: RemoteKernel, pod: dict[str, Any]) -> str:
    """What to tell about a kernel that was joined: since when it lives and what it holds.

    Parameters
    ----------
    pod : dict
        `PodInfo` of the latest snapshot.
    """
    since = clock(remote.info.get("started"))
    fresh = "`%gpu restart` for a fresh one"
    running = [
        e
        for kernel in pod.get("kernels") or []
        if kernel.get("id") == remote.id
        for e in kernel.get("executions") or []
        if e.get("state") != "ended"
    ]
    if running:
        return (
            f"joined the kernel of {since}, which is busy: this cell waits for its turn "
            f"(`%gpu attach {running[0]['id'][:6]}` shows what runs); {fresh}."
        )
    names = _names(remote)
    if names is None:
        return f"joined the kernel of {since}, which is busy; {fresh}."
    return f"joined the kernel of {since} with {names} name{'s' * (names != 1)}; {fresh}."


def _names(remote: RemoteKernel) -> int | None:
    """How many names the user has there; None if it does not answer soon."""
    execution = Execution(uuid.uuid4().hex, uuid.uuid4().hex, 0, OrderedDict())
    remote.add(execution)
    content = {
        "code": "",
        "silent": True,
        "store_history": False,
        "user_expressions": {"names": _COUNT_NAMES},
        "allow_stdin": False,
        "stop_on_error": False,
    }
    remote.channel.submit(
        "execute_request", content, msg_id=execution.msg_id, execution=execution.id
    )
    deadline = time.monotonic() + NAMES_SECONDS
    while True:
        try:
            kind, *_ = execution.events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            # Taken back, so that it does not stand in the way of the user's cell.
            remote.interrupt(execution.id)
            return None
        if kind == "ended":
            break
    try:
        return int(execution.reply["user_expressions"]["names"]["data"]["text/plain"])
    except (KeyError, TypeError, ValueError):
        return None
