"""How the wait for a cell ends, and what of it is raised or shown."""

from __future__ import annotations

from typing import Any

from ..client.ends import UNRUN, death
from ..models import Outcome
from .execution import Execution
from .kernels import RemoteKernel
from .raised import KernelDied, remote_error
from .sink import running_kernel

__all__ = ["finish", "kernel_died"]


def finish(shell: Any, remote: RemoteKernel, execution: Execution) -> None:
    """Show or raise what a cell that has ended leaves to be shown or raised.

    Raises
    ------
    RemoteError, RemoteInterrupt
        What the remote cell raised.
    KernelDied
        If the kernel ended under it.
    """
    outcome = execution.outcome
    _page(shell, execution)
    if outcome == Outcome.OK:
        return
    if outcome == Outcome.DIED:
        raise kernel_died(remote, execution)
    if outcome == Outcome.ABORTED:
        raise remote_error({"ename": "KeyboardInterrupt", "evalue": UNRUN}, {})
    reply = {**execution.ended, **execution.reply}
    if execution.error is not None and not execution.error_shown:
        raise remote_error(execution.error, remote.counts)
    # The remote has shown it: as an error in its place, or (a UsageError) on stderr.
    raise remote_error(reply, remote.counts, shown=True)


def kernel_died(remote: RemoteKernel, execution: Execution) -> KernelDied:
    """The error that says how the kernel ended."""
    said = {**execution.ended, **execution.died}
    return KernelDied(death(remote.pod, said, ran=execution.started_at is not None))


def _page(shell: Any, execution: Execution) -> None:
    """Show what ``obj?`` brought; other payloads would act on this machine: dropped."""
    payload = execution.reply.get("payload")
    for entry in payload if isinstance(payload, list) else []:
        if not isinstance(entry, dict) or entry.get("source") != "page":
            continue
        if running_kernel(shell) is not None:
            shell.payload_manager.write_payload(
                {"source": "page", "data": entry.get("data") or {}, "start": 0}
            )
        else:
            data = entry.get("data")
            print(data.get("text/plain", "") if isinstance(data, dict) else "")
