"""This notebook's kernel on a pod: the open one, the one it is bound to, or a new one."""

from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any

from ..errors import DaemonError
from . import place
from .kernels import RemoteKernel
from .notices import Notices, link_sentence
from .raised import control_back
from .reopen import Reopening, fresh_sentence, joined_sentence

if TYPE_CHECKING:
    from .session import Session

__all__ = ["bound_kernel", "join_kernel", "open_kernel"]

OPEN_SECONDS = 24 * 3600.0
"""A kernel is waited for as long as the pod reconnects; Stop ends the waiting."""
QUIET_SECONDS = 1.0
"""How long that may last before the cell says what it waits for."""


def open_kernel(session: Session, pod: str) -> tuple[RemoteKernel, str]:
    """This notebook's kernel on `pod`, opened if it is not, and what to say about it.

    Raises
    ------
    NotConnected
        If the pod is not connected and will not be by itself.
    ControlBack
        If the user pressed Stop while it was waited for.
    """
    before = session.kernels.get(pod)
    if before is not None and before.died is None:
        if isinstance(before.broken, DaemonError):
            before.resume()  # there was no daemon: the kernel may live
        if before.broken is None:
            return before, ""
    session.refuse_if_down(pod)
    try:
        opened = _ask(session, pod, fresh=pod in session.fresh)
        session.fresh.discard(pod)
        if before is not None:
            del session.kernels[pod]
            if str(opened["kernel"]) != before.id:  # else it runs on, and so do its cells
                before.lose({"gone": True})
            before.close(tell=True)
            # A terminal is not known by what it ran before; nor to the daemon what ran nothing.
            if not opened.get("before") or not before.ran:
                opened["before"] = _became(before)
        remote = session.adopt(opened)
        if not opened.get("joined"):
            return remote, fresh_sentence(opened)
        return remote, _joined(session, remote)
    except KeyboardInterrupt:
        raise control_back(f"Nothing was handed over to {pod}.") from None


def join_kernel(session: Session, pod: str, kernel: str) -> tuple[RemoteKernel | None, str]:
    """Make a living kernel this notebook's one; the one that it had until then, and what to say.

    Raises
    ------
    NotConnected
        If the pod is not connected: nothing was changed.
    NotFound
        If the kernel does not live.
    """
    opened = session.face.request(
        "kernel.bind",
        timeout=60.0,
        pod=pod,
        kernel=kernel,
        notebook=place.notebook(),
        local_kernel=place.local_kernel(session.shell),
    )
    before = session.kernels.pop(pod, None)
    if before is not None and before.newest_open() is not None:
        session.others[before.id] = before  # somebody may hold the handle of a cell in it
    elif before is not None:
        before.close(tell=True)
    session.fresh.discard(pod)
    session.last_pod = pod
    return before, _joined(session, session.adopt(opened))


def _joined(session: Session, remote: RemoteKernel) -> str:
    widgets = Reopening(remote) if remote.hub is not None and remote.seen > 0 else None
    sentence = joined_sentence(remote, session.pods().get(remote.pod, {}))
    if widgets is not None:
        widgets.wait()
    return sentence


def bound_kernel(session: Session, pod: str) -> dict[str, Any] | None:
    """The kernel on `pod` that this notebook is bound to, as far as is known; starts none."""
    found = session.face.request("kernel.open", start=False, **_who(session, pod, fresh=False))
    return found if found.get("kernel") else None


def _who(session: Session, pod: str, *, fresh: bool) -> dict[str, Any]:
    return {
        "pod": pod,
        "client": session.face.client,
        "notebook": place.notebook(),
        "local_kernel": place.local_kernel(session.shell),
        "folder": place.folder(),
        "fresh": fresh,
    }


def _ask(session: Session, pod: str, *, fresh: bool) -> dict[str, Any]:
    """Ask for a kernel; while the pod reconnects the cell says so."""
    asked = session.face.ask("kernel.open", timeout=OPEN_SECONDS, **_who(session, pod, fresh=fresh))
    notices = Notices(session.shell, session.sink_for_notices())
    try:
        while True:
            done, _ = concurrent.futures.wait([asked], QUIET_SECONDS)
            if done:
                return asked.result()
            notices.show("link", link_sentence(pod, session.pods().get(pod, {})))
    finally:
        asked.cancel()  # nobody waits for it any more
        notices.show("link", "")


def _became(remote: RemoteKernel) -> dict[str, Any]:
    """What became of a kernel, as ``kernel.open`` tells it in ``before``."""
    died = remote.died or {}
    ended = "stopped" if died.get("asked") else "died" if remote.ran else "unstarted"
    return {
        "started": remote.info.get("started"),
        "ended": "gone" if died.get("gone") else "idle" if died.get("idle") else ended,
        "time": died.get("time"),
        "signal": died.get("signal"),
    }
