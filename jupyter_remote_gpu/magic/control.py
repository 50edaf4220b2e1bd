"""What a front end is told that asks for all widgets, as it does after a page was loaded."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from comm import get_comm_manager
from comm.base_comm import BaseComm

if TYPE_CHECKING:
    from ..client.comms import States
    from .comms import CommHub

__all__ = ["CONTROL", "WidgetControl", "widget_control"]

CONTROL = "jupyter.widget.control"
log = logging.getLogger(__name__)


class WidgetControl:
    """Answers for the widgets of every kernel that is open here; one a process.

    A front end takes the first answer only. So it gets one, made of what the logs tell (a
    busy kernel would not answer) and of what ipywidgets tells, where it is imported in the
    local kernel too.
    """

    def __init__(self) -> None:
        self._hubs: list[CommHub] = []
        self._local: Callable[[Any, Any], None] | None = None
        self._lock = threading.Lock()

    def join(self, hub: CommHub, shell: Any) -> None:
        """Answer for the widgets of `hub` too."""
        with self._lock:
            self._hubs.append(hub)
        self.take()
        if shell is not None:
            # ipywidgets takes the place when a cell imports it.
            shell.events.register("post_run_cell", self.take)

    def leave(self, hub: CommHub, shell: Any) -> None:
        """Do not answer for `hub` any more; after the last one things are as they were."""
        with self._lock:
            if hub in self._hubs:
                self._hubs.remove(hub)
            if self._hubs:
                return
        targets = get_comm_manager().targets
        if targets.get(CONTROL) == self._opened:
            del targets[CONTROL]
            if self._local is not None:
                targets[CONTROL] = self._local
        if shell is not None and self.take in shell.events.callbacks["post_run_cell"]:
            shell.events.unregister("post_run_cell", self.take)

    def take(self, *_: Any) -> None:
        """Be the one that is asked, and ask who was."""
        targets = get_comm_manager().targets
        if self._hubs and targets.get(CONTROL) != self._opened:
            self._local = targets.get(CONTROL)
            targets[CONTROL] = self._opened

    def _opened(self, comm: Any, opened: Any) -> None:
        comm.on_msg(lambda request: self._answer(comm, opened, request))

    def _answer(self, comm: Any, opened: Any, request: Any) -> None:
        if request["content"]["data"].get("method") != "request_states":
            return
        with self._lock:
            hubs = list(self._hubs)
        states: dict[str, Any] = {}
        paths: list[Any] = []
        buffers: list[bytes] = []
        for part in [*(hub.states() for hub in hubs), self._local_states(opened, request)]:
            states |= part[0]
            paths += part[1]
            buffers += part[2]
        data = {"method": "update_states", "states": states, "buffer_paths": paths}
        comm.send(data, buffers=buffers)

    def _local_states(self, opened: Any, request: Any) -> States:
        if self._local is None:
            return {}, [], []
        listener = _Listener(target_name=CONTROL, primary=False)
        try:
            self._local(listener, opened)
            listener.ask(request)
        except Exception:  # whatever is registered there: the others' widgets must come back
            log.exception("the local widgets do not say how they are")
        data = listener.said
        return data.get("states") or {}, data.get("buffer_paths") or [], listener.buffers


class _Listener(BaseComm):
    """Hears what a local target would tell a front end."""

    def __init__(self, **keys: Any) -> None:
        self.said: dict[str, Any] = {}
        self.buffers: list[bytes] = []
        super().__init__(**keys)

    def ask(self, request: Any) -> None:
        if self._msg_callback is not None:
            self._msg_callback(request)

    def publish_msg(
        self, msg_type: str, data: Any = None, metadata: Any = None, buffers: Any = None, **_: Any
    ) -> None:
        if msg_type == "comm_msg":
            self.said, self.buffers = data or {}, list(buffers or ())

    def close(self, *args: Any, **keys: Any) -> None:
        """Nothing: no front end knows of it."""


widget_control = WidgetControl()
