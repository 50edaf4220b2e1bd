"""What `%%gpu` itself says in a cell: displays of its own, taken away when they are over."""

from __future__ import annotations

import sys
import uuid
from dataclasses import dataclass
from typing import Any

from ..models import PodState
from .messages import new_message
from .sink import KernelSink, running_kernel

__all__ = ["Notices", "link_sentence", "stopped"]


def stopped(reason: object) -> str:
    """A reason as a sentence that another one may follow: not all end with a full stop."""
    text = str(reason).strip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def link_sentence(pod: str, link: dict[str, Any]) -> str:
    """What to tell while a pod is not connected but will be; empty when there is nothing.

    Parameters
    ----------
    link : dict
        ``state`` and ``reason``: a link message, or `PodInfo` as JSON.
    """
    state = str(link.get("state") or "")
    if state in ("", PodState.CONNECTED):
        return ""
    reason = str(link.get("reason") or "").rstrip(". ")
    why = f" ({reason})" if reason else ""
    return (
        f"The link to {pod} is down{why}: reconnecting. What runs there runs on; this cell waits."
    )


@dataclass
class _Shown:
    display: str
    text: str
    cleared: int


class Notices:
    """Sentences among a cell's outputs, one of a kind at a time.

    They are displays and no streams, so that the cell's text stays what the pod printed. None
    is shown where it would change what the cell shows: to what captures in this process
    (``%%capture``), into an `ipywidgets.Output`, or while a ``clear_output(wait=True)`` waits
    for whatever comes next. It is shown, or taken away, when that is over.

    Parameters
    ----------
    sink : Sink
        Of the cell.
    """

    def __init__(self, shell: Any, sink: Any) -> None:
        self._shell, self._sink = shell, sink
        self._shown: dict[str, _Shown] = {}
        self._wanted: dict[str, str] = {}

    def __contains__(self, kind: str) -> bool:
        return bool(self._wanted.get(kind))

    def show(self, kind: str, text: str) -> None:
        """Show a sentence in the place of the last one of its kind; an empty one takes it away."""
        if text == self._wanted.get(kind, ""):
            return
        self._wanted[kind] = text
        if not isinstance(self._sink, KernelSink):
            if text and running_kernel(self._shell) is None:
                print(f"[gpu] {text}", file=sys.stderr)
            return
        self.settle()

    def settle(self) -> None:
        """Show, or take away, what could not be before."""
        for kind in [*self._wanted]:
            self._settle(kind, self._wanted[kind])
            if not self._wanted[kind] and kind not in self._shown:
                del self._wanted[kind]

    def _settle(self, kind: str, text: str) -> None:
        sink, shown = self._sink, self._shown.get(kind)
        if not isinstance(sink, KernelSink):
            return
        if shown is not None and shown.cleared != sink.cleared:
            del self._shown[kind]  # a clear_output took it away
            shown = None
        if text == (shown.text if shown is not None else "") or sink.captures:
            return
        if shown is None and sink.clearing:
            return
        display = f"jrg-{uuid.uuid4().hex}" if shown is None else shown.display
        content = {
            "data": {"text/plain": f"[gpu] {text}"} if text else {},
            "metadata": {},
            "transient": {"display_id": display},
        }
        kind_of = "display_data" if shown is None else "update_display_data"
        sink.emit(new_message(kind_of, content))
        if text:
            self._shown[kind] = _Shown(display, text, sink.cleared)
        else:
            del self._shown[kind]
