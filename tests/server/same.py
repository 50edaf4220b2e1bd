"""What two notebooks show, made comparable: only what differs between any two runs is changed."""

from __future__ import annotations

import re
from typing import Any

from tests.server.frontend import Notebook

_SOURCE = re.compile(r"(ipykernel_)\d+(?=[/\\])")
"""ipykernel names the files of cells after its own process (seen in warnings)."""


def shown(notebook: Notebook, first: int = 0) -> list[dict[str, Any]]:
    """Outputs, count and end of each cell from `first` on.

    Changed are: (1) displays without any data are left out, which show nothing: a sentence of
    `%%gpu` about the link leaves one; adjacent texts of one stream are joined, as a front end
    shows them; (2) the ids that widgets get by chance are numbered in the order of their opening;
    (3) the process id in the path of a cell's source.
    """
    cells = [
        {
            "outputs": _joined(cell.outputs),
            "count": cell.execution_count,
            "reply": {k: cell.reply.get(k) for k in ("status", "ename", "evalue")},
        }
        for cell in notebook.fold.nb.cells[first:]
    ]
    changed: list[dict[str, Any]] = _renamed(cells, _widgets(notebook))
    return changed


def widgets(notebook: Notebook) -> dict[str, Any]:
    """The state of each widget as the front end has it, by its number; changed as in `shown`."""
    state: dict[str, Any] = _renamed(dict(notebook.fold.widget_state), _widgets(notebook))
    return state


def _widgets(notebook: Notebook) -> dict[str, str]:
    opened = [m for m in notebook.messages if m["msg_type"] == "comm_open"]
    ids = dict.fromkeys(m["content"]["comm_id"] for m in opened)
    return {id: f"widget-{n}" for n, id in enumerate(ids)}


def _joined(outputs: list[Any]) -> list[dict[str, Any]]:
    out: list[dict[str, Any]] = []
    for output in outputs:
        if output["output_type"] == "display_data" and not output["data"]:
            continue
        if (
            out
            and output["output_type"] == out[-1]["output_type"] == "stream"
            and output["name"] == out[-1]["name"]
        ):
            out[-1]["text"] += output["text"]
        else:
            out.append(dict(output))
    return out


def _renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_renamed(k, names): _renamed(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(v, names) for v in value]
    if isinstance(value, str):
        value = re.sub(r"[0-9a-f]{32}", lambda m: names.get(m[0], m[0]), value)
        return _SOURCE.sub(r"\g<1>PID", value)
    return value
