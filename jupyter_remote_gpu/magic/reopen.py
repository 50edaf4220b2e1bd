"""A local kernel that joins a remote one which was there before it."""

from __future__ import annotations

import logging
import queue
import sys
import threading
import time
import uuid
from collections import OrderedDict
from concurrent.futures import Future
from typing import Any

from ..client.aio import Channel
from ..client.comms import CommFold
from ..client.threaded import ThreadedChannel
from ..wire.records import Record
from .execution import Execution
from .kernels import RemoteKernel
from .lookup import user_cells

__all__ = ["Reopening", "clock", "joined_sentence"]

REOPEN_SECONDS = 5.0
"""How long the first cell waits until the widgets of before are there."""

log = logging.getLogger(__name__)
NAMES_SECONDS = 2.0
"""How long a remote kernel may take to count its names before the cell goes on."""
_COUNT_NAMES = (
    "len([n for n in get_ipython().user_ns if not n.startswith('_')"
    " and n not in get_ipython().user_ns_hidden])"
)


class Reopening:
    """Reads a kernel's log from its beginning and opens stand-ins for the comms in it.

    The log tells also while the kernel is busy, when nobody there would answer.
    """

    def __init__(self, remote: RemoteKernel) -> None:
        self._remote = remote
        self._fold = CommFold()
        self._unread = 0
        self._trouble = ""
        self._done = threading.Event()
        channel = Channel(
            pod=remote.pod,
            kernel=remote.id,
            identity=remote.identity,
            client=uuid.uuid4().hex,
            cursor=0,
            on_batch=self._on_batch,
            on_control=self._on_control,
        )
        self._channel = ThreadedChannel(channel, remote.face)
        self._channel.done.add_done_callback(self._ended)

    def wait(self) -> None:
        """Wait until they are open, at most `REOPEN_SECONDS`; else it goes on behind."""
        self._done.wait(REOPEN_SECONDS)
        if self._trouble:
            print(f"[gpu] {self._trouble}", file=sys.stderr)

    async def _on_batch(self, records: list[Record]) -> None:
        for record in records:
            try:
                self._fold.feed(record)
            except Exception:  # one odd record costs no other one
                log.warning("record %d of kernel %s", record.last, self._remote.id, exc_info=True)
                self._unread += 1
                self._fold.cursor = max(self._fold.cursor, record.last)
        if self._done.is_set() or not await self._remote.reopen(self._fold):
            return
        if self._unread:
            self._trouble = (
                f"{self._unread} messages of before cannot be read; widgets may lack something."
            )
        self._done.set()
        self._channel.close()

    async def _on_control(self, message: dict[str, Any]) -> None:
        """The kernel's own channel hears the same."""

    def _ended(self, done: Future[None]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self._trouble = f"The widgets of before could not be opened again: {error}"
            log.warning("%s", self._trouble)
        self._done.set()


def clock(started: object) -> str:
    """Seconds since the epoch as ``14:02``, or ``the 3rd, 14:02`` when it was another day."""
    if not isinstance(started, (int, float)):
        return "before"
    then = time.localtime(started)
    today = time.localtime()
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%Y-%m-%d %H:%M", then)


_ENDS = {
    "idle": "ended after a day without work and without a notebook",
    "stopped": "was stopped",
    "died": "died",
}


def fresh_sentence(opened: dict[str, Any]) -> str:
    """What to tell about a kernel that is not the one the notebook had, or could have.

    Parameters
    ----------
    opened : dict
        The answer of ``kernel.open``.
    """
    before = opened.get("before")
    if not isinstance(before, dict):
        return _left_sentence(opened)
    if before.get("ended") == "unstarted":
        return f"The last kernel on {opened['pod']} did not start; this is another one."
    how = _ENDS.get(str(before.get("ended")), "is gone")
    if before.get("signal"):
        how = f"was killed by {before['signal']}"
    at = f" at {clock(before['time'])}" if before.get("time") else ""
    return (
        f"The kernel of {clock(before.get('started'))} on {opened['pod']} {how}{at}; this is a "
        "fresh one, without its variables."
    )


def _left_sentence(opened: dict[str, Any]) -> str:
    """Where the notebook had no kernel: which ones live there that nobody works with."""
    left = opened.get("left") or []
    if not left:
        return ""
    id, path = str(left[0].get("id"))[:6], str(left[0].get("notebook") or "")
    which = f" ({path.rsplit('/', 1)[-1]})" if path else ""
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return (
        f"this is a fresh kernel. On {opened['pod']} the kernel {id}{which} of "
        f"{clock(left[0].get('started'))}{more} lives on with no notebook at it: `%gpu join {id}` "
        "takes it up here (`%gpu kernels` lists all)."
    )


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
        for e in user_cells(kernel)
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
    remote.submit(execution, content, meta={"silent": True})
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
