"""From the records of one execution to the outputs of a notebook cell, by nbclient's rules.

A pure fold: no input or output, no clock. Raw and compacted records give the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..wire.compact import trim
from ..wire.records import Record
from .area import Output, OutputArea, output_of
from .comms import CommFold
from .gaps import Gaps

__all__ = ["OutputFold", "fold", "trim"]

OnDisplay = Callable[[str, dict[str, Any], dict[str, Any]], None]


class OutputFold:
    """Folds the log's records into what the cell of one execution shows.

    Parameters
    ----------
    execution : str
        Records of other executions are passed over.
    cursor : int
        Records up to this one are left out; of a compacted one only the rest counts.
    count : int, optional
        The local execution count, in place of the remote one.
    comms : CommFold, optional
        Shared by the cells of a notebook, so that a cell finds the `ipywidgets.Output` of
        an earlier one; the caller feeds it each record *before* this fold. By default the
        fold has one of its own.
    on_display : callable, optional
        Called with ``(display_id, data, metadata)`` whenever this cell sets what a display
        id shows, so that other cells can be told by their `update_display`.

    Attributes
    ----------
    execution_count : int or None
        `count`, or what the kernel told.
    outcome : str or None
        ``ok``, ``error``, ``aborted`` or ``died``; None while it is queued or runs.
    ended, died : dict
        The keeper's words about the end of the execution, and of the kernel.
    ran : bool
        The kernel has taken it up.
    has_gaps : bool
        Something of it was dropped from the log; the outputs say what.
    """

    def __init__(
        self,
        execution: str,
        *,
        cursor: int = 0,
        count: int | None = None,
        comms: CommFold | None = None,
        on_display: OnDisplay | None = None,
    ) -> None:
        self.execution = execution
        self.cursor = cursor
        self.execution_count = count
        self.outcome: str | None = None
        self.ended: dict[str, Any] = {}
        self.died: dict[str, Any] = {}
        self.ran = False
        self.has_gaps = False
        self.comms = CommFold(cursor) if comms is None else comms
        self._own_comms = comms is None
        self._count = count
        self._on_display = on_display
        self._area = OutputArea()
        self._gaps = Gaps(execution)

    @property
    def outputs(self) -> list[Output]:
        """The cell's outputs, as nbformat 4 has them."""
        return self._area.outputs

    def feed(self, record: Record) -> None:
        """Take the next record of the log (of any execution).

        Raises
        ------
        WireError
            If it is not what its type says.
        """
        rest = trim(record, self.cursor)
        if rest is None:
            return
        self.cursor = rest.last
        if self._own_comms:
            self.comms.feed(rest)
        if missing := self._gaps.before(rest):
            self._area.add({"output_type": "stream", "name": "stderr", "text": missing})
            self.has_gaps = self.ran = True
        if rest.channel == "keeper" and rest.type == "died":
            self.died = rest.content
        if rest.execution == self.execution:
            if rest.channel == "iopub":
                self._on_message(rest)
            elif rest.channel == "keeper" and rest.type == "running":
                self.ran = True
            elif rest.channel == "keeper" and rest.type == "ended":
                self.ended = rest.content
                self.outcome = str(self.ended.get("outcome"))

    def and_then(self, output: Output) -> list[Output]:
        """The outputs as they were if that one came now."""
        return self._area.and_then(output)

    def update_display(
        self, display_id: str, data: Mapping[str, Any], metadata: Mapping[str, Any]
    ) -> bool:
        """Show something else under a display id of this cell; whether it had one."""
        return self._area.update(display_id, data, metadata)

    def _on_message(self, record: Record) -> None:
        kind = record.type
        if kind == "execute_input":
            self._set_count(record.content)
        elif kind == "clear_output":
            if self.comms.captured_by(record) is None:
                self._area.clear(bool(record.content.get("wait")))
        elif kind == "update_display_data":
            self._set_display(record.content)
        else:
            output = output_of(record)
            if output is not None:
                self._show(record, output)

    def _show(self, record: Record, output: Output) -> None:
        display_id = None
        if record.type in ("display_data", "execute_result"):
            content = record.content
            display_id = self._set_display(content)
            self._set_count(content)
            if self._count is not None and record.type == "execute_result":
                output["execution_count"] = self._count
        if self.comms.captured_by(record) is None:
            self._area.add(output, display_id)

    def _set_display(self, content: dict[str, Any]) -> str | None:
        transient = content.get("transient")
        display_id = transient.get("display_id") if isinstance(transient, dict) else None
        if not isinstance(display_id, str) or not display_id:
            return None
        data, metadata = content.get("data") or {}, content.get("metadata") or {}
        self._area.update(display_id, data, metadata)
        if self._on_display is not None:
            self._on_display(display_id, data, metadata)
        return display_id

    def _set_count(self, content: dict[str, Any]) -> None:
        count = content.get("execution_count")
        if self._count is None and isinstance(count, int):
            self.execution_count = count


def fold(records: Iterable[Record], execution: str, **options: Any) -> OutputFold:
    """Feed all `records` to an `OutputFold`, and return it."""
    result = OutputFold(execution, **options)
    for record in records:
        result.feed(record)
    return result
