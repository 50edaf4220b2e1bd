"""One open comm: what it holds, and the forms in which that is told."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .area import OutputArea

__all__ = ["WIDGET", "CommState", "Path", "widgets_json"]

WIDGET = "jupyter.widget"
_REFERENCE = "IPY_MODEL_"
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

    def model(self, *, whole: bool = False) -> dict[str, Any]:
        """A widget as notebooks and front ends keep it; with `whole` its buffers are in it."""
        state = self.full_state()
        model: dict[str, Any] = {
            "model_name": state.get("_model_name"),
            "model_module": state.get("_model_module"),
            "model_module_version": state.get("_model_module_version"),
            "state": state,
        }
        if whole and self.buffers:
            model["buffers"] = [
                {
                    "data": base64.b64encode(data).decode("ascii"),
                    "encoding": "base64",
                    "path": list(path),
                }
                for path, data in self.buffers.items()
            ]
        return model

    def references(self) -> list[str]:
        """The comm ids of other widgets that are named in its state."""
        found: list[str] = []
        values: list[Any] = [self.state]
        while values:
            value = values.pop()
            if isinstance(value, dict):
                values += reversed(value.values())
            elif isinstance(value, list):
                values += reversed(value)
            elif isinstance(value, str) and value.startswith(_REFERENCE):
                found.append(value.removeprefix(_REFERENCE))
        return found


def widgets_json(comms: Iterable[CommState]) -> dict[str, Any]:
    """A notebook's ``metadata.widgets``; empty if none of `comms` is a widget."""
    models = {c.comm_id: c.model(whole=True) for c in comms if "_model_name" in c.state}
    if not models:
        return {}
    whole = {"state": models, "version_major": 2, "version_minor": 0}
    return {"application/vnd.jupyter.widget-state+json": whole}
