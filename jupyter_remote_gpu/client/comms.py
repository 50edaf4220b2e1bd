"""The merged state of the open comms (widgets) of one kernel, as a pure fold of its log."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..wire.compact import closed_comms, trim
from ..wire.records import Record
from .area import Output, OutputArea

__all__ = ["CommFold", "CommState"]

WIDGET = "jupyter.widget"
_OUTPUT_MODULE = "@jupyter-widgets/output"
Path = tuple[str | int, ...]


@dataclass(eq=False)
class CommState:
    """One open comm.

    Attributes
    ----------
    state : dict
        A widget's state without its buffers.
    buffers : dict of tuple to bytes
        Where in the state each belongs, and what it is.
    data : dict
        What else came with `comm_open`.
    area : OutputArea or None
        What an `ipywidgets.Output` has captured; None for other comms.
    """

    comm_id: str
    target_name: str
    target_module: str | None = None
    execution: str | None = None
    state: dict[str, Any] = field(default_factory=dict)
    buffers: dict[Path, bytes] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    area: OutputArea | None = None

    @property
    def module(self) -> str | None:
        """``_model_module`` of a widget."""
        value = self.state.get("_model_module")
        return value if isinstance(value, str) else None

    def full_state(self) -> dict[str, Any]:
        """The state with what an Output has captured."""
        if self.area is None:
            return dict(self.state)
        return {**self.state, "outputs": [dict(o) for o in self.area.outputs]}

    def open_data(self) -> tuple[dict[str, Any], list[bytes]]:
        """``data`` and buffers of a `comm_open` that makes a comm in this state."""
        if self.target_name != WIDGET and not self.state:
            return dict(self.data), []
        paths = [list(path) for path in self.buffers]
        data = {**self.data, "state": self.full_state(), "buffer_paths": paths}
        return data, list(self.buffers.values())


class CommFold:
    """Folds comm messages; other records only move the cursor.

    Parameters
    ----------
    cursor : int
        Records up to this one are left out.

    Attributes
    ----------
    comms : dict of str to CommState
        The open comms, in the order in which they were opened.
    """

    def __init__(self, cursor: int = 0) -> None:
        self.cursor = cursor
        self.comms: dict[str, CommState] = {}
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

    # -- what faces ask

    @property
    def captures(self) -> bool:
        """Whether any Output captures at the moment."""
        return bool(self._capturing)

    def capturing(self, msg_id: str) -> OutputArea | None:
        """Where outputs of the request `msg_id` go instead of below its cell, if anywhere."""
        ids = self._capturing.get(msg_id)
        if not ids:
            return None
        known = self.comms.get(ids[-1])
        if known is not None and known.area is not None:
            return known.area
        return self._strangers.setdefault(ids[-1], OutputArea())

    def reopened(self) -> Iterator[tuple[str, str, dict[str, Any], list[bytes]]]:
        """``(comm_id, target_name, data, buffers)`` of each open comm, oldest first."""
        for comm in self.comms.values():
            yield (comm.comm_id, comm.target_name, *comm.open_data())

    def widget_state(self) -> dict[str, Any]:
        """A notebook's ``metadata.widgets``; empty if there is no widget."""
        models = {c.comm_id: _model(c) for c in self.comms.values() if "_model_name" in c.state}
        if not models:
            return {}
        whole = {"state": models, "version_major": 2, "version_minor": 0}
        return {"application/vnd.jupyter.widget-state+json": whole}

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


def _model(comm: CommState) -> dict[str, Any]:
    state = comm.full_state()
    model: dict[str, Any] = {
        "model_name": state.get("_model_name"),
        "model_module": state.get("_model_module"),
        "model_module_version": state.get("_model_module_version"),
        "state": state,
    }
    if comm.buffers:
        model["buffers"] = [
            {"data": base64.b64encode(b).decode("ascii"), "encoding": "base64", "path": list(path)}
            for path, b in comm.buffers.items()
        ]
    return model
