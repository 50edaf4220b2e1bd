"""The merged state of the open comms (widgets) of one kernel, as a pure fold of its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..wire.compact import closed_comms, trim
from ..wire.records import Record
from .area import Output, OutputArea, output_of
from .comm_state import CommState, Path, widgets_json

__all__ = ["CommFold", "CommState", "States"]

_OUTPUT_MODULE = "@jupyter-widgets/output"
States = tuple[dict[str, Any], list[list[str | int]], list[bytes]]
"""Models by comm id, where in them the buffers belong, and the buffers."""


class CommFold:
    """Folds comm messages, and what an `ipywidgets.Output` catches.

    Parameters
    ----------
    cursor : int
        Records up to this one are left out.

    Attributes
    ----------
    comms : dict of str to CommState
        The open comms, in the order in which they were opened.
    changed_before : set of str
        Comms that were opened before the cursor, and told something since.
    """

    def __init__(self, cursor: int = 0) -> None:
        self.cursor = cursor
        self.comms: dict[str, CommState] = {}
        self.changed_before: set[str] = set()
        self._capturing: dict[str, list[str]] = {}
        self._strangers: dict[str, OutputArea] = {}

    def feed(self, record: Record) -> None:
        """Take the next record of the log.

        Raises
        ------
        WireError
            If it is not what its type says.
        """
        rest = trim(record, self.cursor)
        if rest is None:
            return
        self.cursor = rest.last
        if rest.channel == "keeper" and rest.type == "superseded":
            for ended in closed_comms(rest):
                self._switch(ended, "")
        elif rest.channel == "iopub" and rest.type in ("comm_open", "comm_msg", "comm_close"):
            content = rest.content
            comm_id, value = content.get("comm_id"), content.get("data")
            if isinstance(comm_id, str):
                data: dict[str, Any] = value if isinstance(value, dict) else {}
                if rest.type == "comm_open":
                    self._open(comm_id, rest, content, data)
                elif rest.type == "comm_msg":
                    self._message(comm_id, rest, data)
                else:
                    self._switch(comm_id, "")
                    self.comms.pop(comm_id, None)
                    self._strangers.pop(comm_id, None)
        elif (area := self.captured_by(rest)) is not None:
            if rest.type == "clear_output":
                area.clear(bool(rest.content.get("wait")))
            elif (output := output_of(rest)) is not None:
                area.add(output)

    # -- what faces ask

    def captured_by(self, record: Record) -> OutputArea | None:
        """Where what `record` shows goes instead of below its cell, if anywhere.

        Also what a callback shows, which no cell asked for.
        """
        if not self._capturing or record.channel != "iopub":
            return None
        return self.capturing(str(record.json(1).get("msg_id")))

    def capturing(self, msg_id: str) -> OutputArea | None:
        """The same for all outputs of the request `msg_id`."""
        ids = self._capturing.get(msg_id)
        if not ids:
            return None
        known = self.comms.get(ids[-1])
        if known is not None and known.area is not None:
            return known.area
        return self._strangers.setdefault(ids[-1], OutputArea())

    def reopened(self) -> Iterator[tuple[str, str, dict[str, Any], list[bytes]]]:
        """``(comm_id, target_name, data, buffers)`` of each open comm.

        What a widget refers to comes before it; else the oldest first.
        """
        for comm in self._by_reference():
            yield (comm.comm_id, comm.target_name, *comm.open_data())

    def _by_reference(self) -> Iterator[CommState]:
        seen: set[str] = set()
        for root in self.comms:
            stack = [(root, False)]
            while stack:
                comm_id, ready = stack.pop()
                if ready:
                    yield self.comms[comm_id]
                elif comm_id not in seen:
                    seen.add(comm_id)
                    stack.append((comm_id, True))
                    inner = reversed(self.comms[comm_id].references())
                    stack += [(i, False) for i in inner if i in self.comms]

    def states(self) -> States:
        """What ipywidgets answers to who asks for all widgets at once."""
        models: dict[str, Any] = {}
        paths: list[list[str | int]] = []
        buffers: list[bytes] = []
        for comm in self.comms.values():
            if "_model_name" in comm.state:
                models[comm.comm_id] = comm.model()
                paths += [[comm.comm_id, "state", *path] for path in comm.buffers]
                buffers += comm.buffers.values()
        return models, paths, buffers

    def widget_state(self) -> dict[str, Any]:
        """A notebook's ``metadata.widgets``; empty if there is no widget."""
        return widgets_json(self.comms.values())

    # -- messages

    def _open(
        self, comm_id: str, record: Record, content: dict[str, Any], data: dict[str, Any]
    ) -> None:
        module = content.get("target_module")
        comm = CommState(
            comm_id,
            str(content.get("target_name", "")),
            module if isinstance(module, str) else None,
            record.execution,
            data={k: v for k, v in data.items() if k not in ("state", "buffer_paths")},
            metadata=record.json(2),
        )
        self._switch(comm_id, "")
        self.comms[comm_id] = comm
        self._strangers.pop(comm_id, None)
        self._merge(comm, data, record.parts[4:])
        if comm.module == _OUTPUT_MODULE:
            comm.area = OutputArea(_outputs(comm.state))
            msg_id = comm.state.get("msg_id")
            if isinstance(msg_id, str):
                self._switch(comm_id, msg_id)

    def _message(self, comm_id: str, record: Record, data: dict[str, Any]) -> None:
        state, method = data.get("state"), data.get("method")
        if not isinstance(state, dict):
            return
        comm = self.comms.get(comm_id)
        msg_id = state.get("msg_id")
        # A comm of which nothing else is known was opened before our cursor.
        is_output = len(state) == 1 if comm is None else comm.area is not None
        if isinstance(msg_id, str) and method == "update" and is_output:
            self._switch(comm_id, msg_id)
        if comm is None:
            self.changed_before.add(comm_id)
            return
        if comm.area is not None and "outputs" in state:
            if method == "update":
                comm.area = OutputArea(_outputs(state))
            else:
                # A front end's copy of what was captured, told back: ours is newer.
                data = {**data, "state": {k: v for k, v in state.items() if k != "outputs"}}
        self._merge(comm, data, record.parts[4:])

    def _merge(self, comm: CommState, data: dict[str, Any], buffers: list[bytes]) -> None:
        state, paths = data.get("state"), data.get("buffer_paths")
        if not isinstance(state, dict):
            return
        placed: dict[Path, bytes] = {}
        for path, buffer in zip(paths if isinstance(paths, list) else (), buffers, strict=False):
            if isinstance(path, list) and path and all(isinstance(p, (str, int)) for p in path):
                placed[tuple(path)] = buffer
        touched = {*state, *(path[0] for path in placed)}
        kept = {path: b for path, b in comm.buffers.items() if path[0] not in touched}
        comm.buffers = {**kept, **placed}
        for key in map(str, touched):
            if key in state:
                comm.state[key] = state[key]
            else:
                comm.state.pop(key, None)

    def _switch(self, comm_id: str, msg_id: str) -> None:
        """Let an Output capture what the request `msg_id` shows, or (``""``) nothing more."""
        for ids in self._capturing.values():
            if comm_id in ids:
                ids.remove(comm_id)
        self._capturing = {k: ids for k, ids in self._capturing.items() if ids}
        if msg_id:
            self._capturing.setdefault(msg_id, []).append(comm_id)
        comm = self.comms.get(comm_id)
        if comm is not None and comm.area is not None:
            comm.state["msg_id"] = msg_id


def _outputs(state: dict[str, Any]) -> list[Output]:
    outputs = state.get("outputs")
    return [o for o in outputs if _is_output(o)] if isinstance(outputs, list) else []


def _is_output(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    if value.get("output_type") != "stream":
        return isinstance(value.get("output_type"), str)
    return isinstance(value.get("name"), str) and isinstance(value.get("text"), str)
