"""An output area: what a cell or an `ipywidgets.Output` shows, as nbformat outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..wire.records import Record
from .stream_text import StreamText

__all__ = ["OutputArea", "output_of"]

Output = dict[str, Any]


def output_of(record: Record) -> Output | None:
    """The nbformat output that an iopub message makes; None if it makes none."""
    if record.type not in ("stream", "display_data", "execute_result", "error"):
        return None
    content = record.content
    if record.type == "stream":
        name, text = str(content.get("name", "stdout")), str(content.get("text", ""))
        return {"output_type": "stream", "name": name, "text": text}
    if record.type == "error":
        trace = content.get("traceback")
        return {
            "output_type": "error",
            "ename": str(content.get("ename", "")),
            "evalue": str(content.get("evalue", "")),
            "traceback": [str(t) for t in trace] if isinstance(trace, list) else [],
        }
    output: Output = {"output_type": record.type}
    if record.type == "execute_result":
        output["execution_count"] = content.get("execution_count")
    return {**output, "data": content.get("data") or {}, "metadata": content.get("metadata") or {}}


class OutputArea:
    """Outputs in their order; adjacent texts of one stream are one output.

    What moves the cursor in a text is worked off (`StreamText`).
    """

    def __init__(self, outputs: Iterable[Output] = ()) -> None:
        self._outputs = [dict(o) for o in outputs]
        self._text: StreamText | None = None  # of the newest output, where it is newer
        self._clear_next = False
        self._displays: dict[str, list[Output]] = {}

    @property
    def outputs(self) -> list[Output]:
        """The outputs; the list and what is in it are the area's own."""
        if self._text is not None:
            # Joined here and not at each text: that would copy all of it each time.
            self._outputs[-1]["text"] = self._text.text
        return self._outputs

    def add(self, output: Output, display_id: str | None = None) -> None:
        """Append an output, after a clearing that waited for it."""
        if self._clear_next:
            self.clear()
        newest = self._outputs[-1] if self._outputs else None
        if output["output_type"] != "stream":
            outputs = self.outputs
            self._text = None
            if display_id is not None:
                self._displays.setdefault(display_id, []).append(output)
            outputs.append(output)
        elif (
            newest is not None
            and newest["output_type"] == "stream"
            and newest["name"] == output["name"]
        ):
            self._text = self._text or StreamText(newest["text"])
            self._text.add(output["text"])
        else:
            self.outputs.append(output)
            self._text = StreamText(output["text"])

    def and_then(self, output: Output) -> list[Output]:
        """The outputs as they were with one more, which is no text."""
        return [*([] if self._clear_next else self.outputs), output]

    def clear(self, wait: bool = False) -> None:
        """Empty the area now, or when the next output comes."""
        self._clear_next = wait
        if not wait:
            self._outputs = []
            self._text = None
            self._displays.clear()

    def update(self, display_id: str, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> bool:
        """Replace what is shown under `display_id`; whether anything was."""
        shown = self._displays.get(display_id, [])
        for output in shown:
            output["data"], output["metadata"] = dict(data), dict(metadata)
        return bool(shown)
