"""Interrupting what runs on a pod, and ending a kernel there: and what came of it."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING

from ..errors import DaemonError, NotFound, PodError, RemoteGPUError
from ..models import PodState
from .kernels import RemoteKernel
from .notices import stopped
from .opening import bound_kernel
from .raised import control_back
from .runner import refuse_if_down

if TYPE_CHECKING:
    from .session import Session

__all__ = ["end_kernel", "interrupt", "restart"]

ANSWER_SECONDS = 10.0
"""How long the answer to an interrupt is waited for."""
END_SECONDS = 15.0
"""A kernel has 10 s to end by itself, then it is killed."""
_TICK = 0.2


def interrupt(remote: RemoteKernel, execution: str | None, what: str) -> str:
    """Interrupt `execution` (None: whatever runs), and tell what came of it.

    Parameters
    ----------
    what : str
        What is said to run no more, where nothing was interrupted.

    Raises
    ------
    NotConnected
        If the pod was let go meanwhile: it runs on.
    RemoteGPUError
        If its channel gave up: the interrupt is not sent.
    """
    answer: queue.SimpleQueue[bool] = queue.SimpleQueue()
    remote.interrupt(execution, answer.put)
    end = time.monotonic() + ANSWER_SECONDS
    while True:
        try:
            done = answer.get(timeout=_TICK)
            break
        except queue.Empty:
            if remote.broken is not None:
                raise RemoteGPUError(
                    f"It was not interrupted: {stopped(remote.broken)} Restart this notebook's "
                    "kernel, attach to the cell (`%gpu attach ID`), then press Stop."
                ) from remote.broken
            down = remote.link.get("state") not in (None, PodState.CONNECTED)
            if down or time.monotonic() > end:
                return f"The link to {remote.pod} is down: the interrupt is sent when it is back."
    if not done:
        refuse_if_down(remote.pod, remote.link)
    return "Interrupted." if done else what


def end_kernel(session: Session, remote: RemoteKernel) -> None:
    """End a kernel, and wait until it has ended: only then is its memory free.

    Raises
    ------
    NotConnected
        If the pod is not connected: nothing was done.
    PodError
        If it does not end.
    ControlBack
        If the user pressed Stop: it was told to end.
    """
    if remote.died is not None:
        return
    pod = remote.pod
    if isinstance(remote.broken, DaemonError):
        remote.resume()  # there was no daemon: nobody would hear of the end
    try:
        session.face.request("kernel.stop", timeout=60.0, pod=pod, kernel=remote.id)
        if not remote.over.wait(END_SECONDS):
            raise PodError(f"The kernel {remote.id[:6]} has not ended within {END_SECONDS:.0f} s.")
    except NotFound:
        remote.lose({"gone": True})  # the pod has it no more: that is what was wanted
    except KeyboardInterrupt:
        raise control_back(f"The kernel on {pod} may have been told to end.") from None


def restart(session: Session, pod: str) -> bool:
    """End this notebook's kernel on `pod`; the next cell gets a fresh one.

    Returns
    -------
    bool
        Whether there was one.

    Raises
    ------
    NotConnected
        If the pod is not connected: nothing was changed.
    PodError
        If the kernel could not be ended; the next cell gets a fresh one all the same.
    """
    remote = session.kernels.get(pod)
    if remote is None:
        bound = bound_kernel(session, pod)
        if bound is None:
            session.fresh.add(pod)
            return False
        remote = session.reader(bound)
    try:
        end_kernel(session, remote)
        remote.lose({"gone": True})  # what it has not told yet of its cells is not read any more
    except PodError:
        session.fresh.add(pod)
        session.forget(remote)
        raise
    finally:
        session.release(remote)
    session.fresh.add(pod)
    session.forget(remote)
    return True
