"""What cells made of each other's widgets and displays: a kernel's log from its beginning."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ..errors import WireError
from ..wire.records import Record
from .area import Output
from .comm_state import CommState, widgets_json
from .comms import CommFold
from .log_reading import READ_SECONDS, LogReading

__all__ = ["Display", "KernelReading", "Kernels", "shown_widgets", "widget_of"]

_VIEW = "application/vnd.jupyter.widget-view+json"
_SHOWING = frozenset(["display_data", "execute_result", "update_display_data"])
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Display:
    """What a display id shows since the record `at`."""

    at: int
    data: dict[str, Any]
    metadata: dict[str, Any]


class KernelReading(LogReading):
    """Follows all of a kernel's log; `close` it.

    Parameters
    ----------
    place : dict
        With ``pod``, ``kernel`` and ``identity``.

    Attributes
    ----------
    comms : CommFold
        The merged state of the widgets that are open.
    displays : dict of str to Display
        Of each display id which more than one execution has set: what it shows.
    cursor : int
        Everything up to this record is in them.
    """

    def __init__(self, place: dict[str, Any]) -> None:
        self.comms = CommFold()
        self.displays: dict[str, Display] = {}
        self.cursor = 0
        self._showing: dict[str, str | None] = {}
        super().__init__(place, 0, f"kernel {str(place['kernel'])[:8]}")

    async def upto(self, last: int, seconds: float = READ_SECONDS) -> None:
        """Wait until all up to the record `last` was read.

        Raises
        ------
        RemoteGPUError
            If the log cannot be read, or not within so many seconds.
        """
        await self._until(lambda: self.cursor >= last, seconds)

    def _take(self, record: Record) -> None:
        try:
            self._fold(record)
        except WireError:  # one odd record costs no other one
            log.warning("record %d of %s", record.last, self._what, exc_info=True)
        self.cursor = self.comms.cursor = record.last

    def _fold(self, record: Record) -> None:
        self.comms.feed(record)
        if record.channel != "iopub":
            return
        if record.type in _SHOWING:
            self._display(record)
        if record.type.startswith("comm_") or self.comms.captured_by(record) is not None:
            self.changed = record.last

    def _display(self, record: Record) -> None:
        content = record.content
        transient = content.get("transient")
        name = transient.get("display_id") if isinstance(transient, dict) else None
        if not isinstance(name, str) or not name:
            return
        # Of its own displays an execution's fold knows: those of a night are not kept here.
        first = self._showing.setdefault(name, record.execution)
        if name in self.displays or first != record.execution:
            data, metadata = content.get("data"), content.get("metadata")
            self.displays[name] = Display(record.last, data or {}, metadata or {})
            self.changed = record.last


class Kernels:
    """Readings of whole kernels, one for each; leaving the context closes them."""

    def __init__(self) -> None:
        self._all: dict[str, KernelReading] = {}

    @contextlib.contextmanager
    def of(self, place: dict[str, Any]) -> Iterator[KernelReading]:
        """The reading of the kernel of an execution (`find`)."""
        name = str(place["kernel"])
        if name not in self._all:
            self._all[name] = KernelReading(place)
        yield self._all[name]

    async def __aenter__(self) -> Kernels:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.gather(*(each.close() for each in self._all.values()))


def widget_of(output: Output) -> str | None:
    """The comm id of the widget that an output shows; None if it shows none."""
    data = output.get("data")
    view = data.get(_VIEW) if isinstance(data, dict) else None
    model = view.get("model_id") if isinstance(view, dict) else None
    return model if isinstance(model, str) else None


def shown_widgets(
    outputs: Iterable[Output], own: CommFold, whole: CommFold | None
) -> dict[str, Any] | None:
    """``metadata.widgets`` for what a cell shows, opened or changed.

    Parameters
    ----------
    outputs : iterable of dict
        The cell's.
    own : CommFold
        Fed with the records from the cell's request to its end.
    whole : CommFold, optional
        Fed with all of the kernel's: its states are the newest.

    Returns
    -------
    dict or None
        With what the widgets refer to; None if there are none.
    """
    known: dict[str, CommState] = {} if whole is None else dict(whole.comms)
    if whole is None or whole.cursor < own.cursor:
        # It has not read so far yet, or cannot; else what it does not know was closed since.
        known = {**known, **own.comms}
    wanted = [*own.comms, *own.changed_before, *filter(None, map(widget_of, outputs))]
    seen: set[str] = set()
    while wanted:
        name = wanted.pop()
        if name in seen or name not in known:
            continue
        seen.add(name)
        comm = known[name]
        wanted += comm.references()
        if comm.area is not None:
            wanted += filter(None, map(widget_of, comm.area.outputs))
    return widgets_json(comm for name, comm in known.items() if name in seen) or None
