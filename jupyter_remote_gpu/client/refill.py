"""What a notebook ran on its pods, and what each of its cells shows by the mirror."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ..errors import RemoteGPUError, WireError
from ..models import Outcome
from ..wire.records import Record
from .area import Output
from .control import Control
from .ends import end_output
from .kernel_reading import KernelReading, Kernels, shown_widgets, widget_of
from .log_reading import READ_SECONDS, LogReading
from .outputs import OutputFold

__all__ = [
    "Completed",
    "Found",
    "KernelReading",
    "Kernels",
    "Reading",
    "completed",
    "executions_of",
    "find",
    "seek",
]

SOON_SECONDS = 2.0
"""For so long a cell that runs waits for what others make of its widgets; then the next time."""
KernelOf = Callable[[dict[str, Any]], AbstractContextManager[KernelReading]]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """An execution, as `find` has it, and the newest record of its kernel's log."""

    execution: dict[str, Any]
    newest: int


@dataclass(frozen=True)
class Completed:
    """What the cell of an execution shows, as far as the mirror knows.

    Attributes
    ----------
    execution : dict
        As `executions_of` has it.
    code : str
        All of the cell's code.
    outputs : list of dict
        As nbformat 4 has them.
    outcome : str or None
        See `Outcome`; None while it is queued or runs.
    cursor : int
        Everything up to this record of the log is in the outputs.
    first : int
        The record of the request.
    widgets : dict or None
        A notebook's ``metadata.widgets`` for what is shown; None where there is no widget.
    gaps : bool
        Something of it was dropped from the log: the cell may have more of it.
    """

    execution: dict[str, Any]
    code: str
    outputs: list[Output]
    execution_count: int | None
    outcome: str | None
    cursor: int
    first: int
    widgets: dict[str, Any] | None
    gaps: bool = False


async def executions_of(control: Control, notebook: str) -> list[dict[str, Any]]:
    """What a notebook ran, oldest first, on whichever pod and kernel.

    Parameters
    ----------
    notebook : str
        As its kernel was told (``JPY_SESSION_NAME``): an absolute path.

    Raises
    ------
    DaemonError
        If it does not answer.
    """
    told = await control.request("execution.list", notebook=notebook)
    rows: list[dict[str, Any]] = told["executions"]
    return rows


async def find(control: Control, execution: str) -> dict[str, Any]:
    """One execution, with where it runs.

    Raises
    ------
    NotFound
        If nothing is known of it here.
    """
    return (await seek(control, execution)).execution


async def seek(control: Control, execution: str) -> Found:
    """The same, for who reads its log.

    Raises
    ------
    NotFound
        If nothing is known of it here.
    """
    told = await control.request("execution.find", id=execution)
    found = {**told.pop("execution"), **told}
    return Found(found, int(found.pop("newest", found["last"])))


async def completed(control: Control, execution: str, kernels: Kernels) -> Completed:
    """Read what an execution has said so far.

    Raises
    ------
    RemoteGPUError
        If nothing is known of it, or its log cannot be read.
    """
    found = await seek(control, execution)
    reading = Reading(found.execution, kernels.of)
    try:
        return await reading.upto(found)
    finally:
        await reading.close()


class Reading(LogReading):
    """Follows the log from an execution's request to its end; `close` it.

    Parameters
    ----------
    found : dict
        The execution, by `find`.
    kernel_of : callable
        Gives the reading of the kernel's whole log, which others may share, for as long as it
        is used; only where the cell has widgets or displays that other cells may have changed.
    """

    def __init__(self, found: dict[str, Any], kernel_of: KernelOf) -> None:
        self._id = str(found["id"])
        self._first = int(found["first"])
        self._kernel_of = kernel_of
        self._code: str | None = None
        self._displays: dict[str, int] = {}
        self._fold = OutputFold(
            self._id, cursor=self._first - 1, count=_count(found), on_display=self._on_display
        )
        super().__init__(found, self._first - 1, f"execution {self._id[:8]}")

    async def upto(self, found: Found, seconds: float = READ_SECONDS) -> Completed:
        """What is shown once all that `seek` tells of was read.

        Raises
        ------
        RemoteGPUError
            If the log cannot be read, or not within so many seconds.
        """
        last = found.execution["last"]
        await self._until(lambda: self._fold.cursor >= last or self._over, seconds)
        if not self._is_shared:
            return self._so_far(found.execution, None)
        with self._kernel_of(found.execution) as kernel:
            # Who asks about one that runs asks again: its lines need not wait for the others'.
            seconds = seconds if self._over else min(seconds, SOON_SECONDS)
            try:
                await kernel.upto(max(found.newest, self._fold.cursor), seconds)
            except RemoteGPUError as e:
                # Of an older part of the log, perhaps: what this cell said is there all the same.
                log.info("%s: widgets and displays as it left them: %s", self._what, e.message)
            self.changed = max(self.changed, kernel.changed)
            return self._so_far(found.execution, kernel)

    @property
    def _is_shared(self) -> bool:
        """Whether it has to do with widgets or displays that other cells may have changed."""
        comms = self._fold.comms
        if self._displays or comms.comms or comms.changed_before:
            return True
        return any(map(widget_of, self._fold.outputs))

    @property
    def _over(self) -> bool:
        return self._fold.outcome is not None

    def _so_far(self, found: dict[str, Any], kernel: KernelReading | None) -> Completed:
        fold = self._fold
        outcome = fold.outcome
        if outcome is None and (found.get("outcome") or found.get("kernel_ended")):
            # Its keeper was killed, or its end was dropped from the log.
            outcome = str(found.get("outcome") or Outcome.DIED)
        if kernel is not None:
            for name, at in self._displays.items():
                told = kernel.displays.get(name)
                if told is not None and told.at > at:
                    fold.update_display(name, told.data, told.metadata)
        # Live the magic raises it; no message of the kernel says so.
        said = {**fold.ended, **fold.died}
        end = end_output(outcome, str(found.get("pod")), said, ran=fold.ran)
        shown = fold.outputs if end is None else fold.and_then(end)
        outputs = [dict(output) for output in shown]  # theirs go on changing
        return Completed(
            execution=found,
            code=str(found["code"]) if self._code is None else self._code,
            outputs=outputs,
            execution_count=fold.execution_count,
            outcome=outcome,
            cursor=fold.cursor,
            first=self._first,
            widgets=shown_widgets(outputs, fold.comms, None if kernel is None else kernel.comms),
            gaps=fold.has_gaps,
        )

    def _take(self, record: Record) -> None:
        if self._over:
            return
        try:
            self._fold.feed(record)
        except WireError:  # one odd record costs no other one
            log.warning("record %d of %s", record.last, self._what, exc_info=True)
        if record.channel == "iopub" or record.execution == self._id:
            self.changed = record.last
        if record.type == "request" and record.execution == self._id:
            code = record.content.get("code")
            self._code = code if isinstance(code, str) else self._code

    def _on_display(self, name: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self._displays[name] = self._fold.cursor


def _count(found: dict[str, Any]) -> int | None:
    count = (found.get("meta") or {}).get("count")
    return count if isinstance(count, int) and not isinstance(count, bool) else None
