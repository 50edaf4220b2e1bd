"""What is said of a cell whose kernel ended under it, or that was taken back unrun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..models import Outcome
from .area import Output

__all__ = ["UNRUN", "death", "end_output", "how_it_died"]

UNRUN = "The cell was taken back unrun."
_WORDS = 2000
"""So much of the kernel's last words is shown, in characters."""


def how_it_died(pod: str, said: Mapping[str, Any]) -> str:
    """The beginning of a sentence: the kernel on the pod, and how it ended.

    Parameters
    ----------
    said : dict
        The content of the keeper's `died`.
    """
    if said.get("asked"):
        return f"The kernel on {pod} was stopped"
    began = f"The kernel on {pod} did not start: it" if _unstarted(said) else f"The kernel on {pod}"
    if said.get("signal"):
        often = " (often: out of memory)" if said["signal"] == "SIGKILL" else ""
        return f"{began} was killed by {said['signal']}{often}"
    if said.get("code") is None:
        return f"The kernel on {pod} is gone"
    return f"{began} ended with status {said['code']}"


def death(pod: str, said: Mapping[str, Any], *, ran: bool) -> str:
    """How the kernel ended that had the cell, with its last words.

    Parameters
    ----------
    said : dict
        The content of the keeper's `died`.
    ran : bool
        Whether the kernel had taken the cell up.
    """
    stderr = str(said.get("stderr") or "").strip()
    tail = f"\nIts last words:\n{stderr[-_WORDS:]}" if stderr else ""
    how = how_it_died(pod, said)
    if _unstarted(said):  # the next one would do the same
        return (
            f"{how}. Mend what it says, or have the kernels run in another Python: remove the pod "
            f"and add it again with `--python PATH`.{tail}"
        )
    when = "while this cell ran. What it had printed stands above; its"
    if not ran:
        hedge = "" if said.get("asked") or _known(said) else ", as far as is known"
        when = f"before this cell began{hedge}. Its"
    return f"{how} {when} variables are lost. The next `%%gpu` cell starts a fresh kernel.{tail}"


def _unstarted(said: Mapping[str, Any]) -> bool:
    """Whether it ended by itself before it could run anything."""
    return said.get("ready") is False and not said.get("asked") and _known(said)


def _known(said: Mapping[str, Any]) -> bool:
    return bool(said.get("signal")) or said.get("code") is not None


def end_output(
    outcome: str | None, pod: str, said: Mapping[str, Any], *, ran: bool
) -> Output | None:
    """The output that says so: as the magic raises it in a notebook that is there.

    None of a cell that ended by itself: the kernel has said so.
    """
    if outcome == Outcome.DIED:
        ename, evalue = "KernelDied", death(pod, said, ran=ran)
    elif outcome == Outcome.ABORTED:
        ename, evalue = "KeyboardInterrupt", UNRUN
    else:
        return None
    trace = [f"{ename}: {evalue}"]
    return {"output_type": "error", "ename": ename, "evalue": evalue, "traceback": trace}
