"""Which frames of a log are replaced by later ones (rule 8), found by looking into few records.

Everything is judged within one execution: a frame and what replaces it are kept or
dropped together by retention, and an execution that is replayed alone shows the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .records import Record, loads

CAPTURED = frozenset(("stream", "display_data", "execute_result", "error"))
"""What an `ipywidgets.Output` takes to itself while its ``msg_id`` is set."""

_COMM = frozenset(("comm_open", "comm_msg", "comm_close"))
_SHOWN = CAPTURED | {"clear_output"}
_LOST = frozenset(("gap", "superseded"))

Key = tuple[str | None, str]
"""An execution, and a display id or a comm id."""


@dataclass(slots=True)
class Bracket:
    """An ipywidgets.Output's ``msg_id=X … msg_id=""`` and what it captured.

    Attributes
    ----------
    clears : bool or None
        Whether it begins with `clear_output`; None while it has captured nothing.
    wipes : bool
        Nothing that was there before it is left after it.
    plain : bool
        It touches nothing but its own widget.
    places : list of int
        Where its own records are, as `Frames` was told.
    """

    key: Key
    msg_id: str
    clears: bool | None = None
    wipes: bool = False
    plain: bool = True
    places: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Frame:
    """One thing that a record does to what is shown.

    ``kind`` is ``display`` (an `update_display_data`), ``update`` (of a comm's `keys`),
    ``barrier`` (before and after it a comm's state may mean different things) or
    ``bracket`` (one has just become complete).
    """

    kind: str
    key: Key
    place: int
    keys: frozenset[str] = frozenset()
    bracket: Bracket | None = None


class Frames:
    """Finds the frames in records that are fed in order."""

    def __init__(self) -> None:
        self._open: list[Bracket] = []

    def feed(self, place: int, record: Record) -> Iterator[Frame]:
        """The frames that `record` makes; it is parsed only where that is needed."""
        kind = record.head.get("type")
        if kind == "update_display_data":
            transient = _content(record).get("transient")
            display = transient.get("display_id") if isinstance(transient, dict) else None
            if isinstance(display, str):
                yield Frame("display", (record.execution, display), place)
        elif kind in _COMM and record.head.get("channel") == "iopub":
            yield from self._comm(place, record)
        elif self._open:
            if kind in _SHOWN:
                self._capture(place, record, str(kind))
            elif kind in _LOST and record.head.get("channel") == "keeper":
                for bracket in self._open:
                    bracket.plain = False

    def _comm(self, place: int, record: Record) -> Iterator[Frame]:
        content = _content(record)
        comm, data = content.get("comm_id"), content.get("data")
        if not isinstance(comm, str):
            return
        key = (record.execution, comm)
        state = data.get("state") if isinstance(data, dict) else None
        if record.type != "comm_msg":
            self._open = [b for b in self._open if b.key[1] != comm]
            yield Frame("barrier", key, place)
        elif not isinstance(data, dict) or not isinstance(state, dict):
            yield Frame("barrier", key, place)  # a custom message may rest on the state so far
        elif data.get("method") != "update":
            return  # an echo tells front ends what one of them said: it neither goes nor replaces
        elif "msg_id" in state:
            yield from self._switch(place, record, key, state)
        else:
            keys = {str(k) for k in state}
            paths = data.get("buffer_paths")
            for path in paths if isinstance(paths, list) else ():
                if isinstance(path, list) and path:
                    keys.add(str(path[0]))
            yield Frame("update", key, place, frozenset(keys))

    def _switch(
        self, place: int, record: Record, key: Key, state: dict[str, Any]
    ) -> Iterator[Frame]:
        mine = next((b for b in self._open if b.key[1] == key[1]), None)
        if mine is not None:
            self._open.remove(mine)
        msg_id = state["msg_id"]
        if isinstance(msg_id, str) and msg_id:
            # Set anew while it was set: not the simple pair that may be dropped.
            bracket = Bracket(key, msg_id, plain=mine is None and len(state) == 1)
            bracket.places.append(place)
            self._open.append(bracket)
        elif mine is not None and mine.key == key and len(state) == 1:
            mine.places.append(place)
            yield Frame("bracket", key, place, bracket=mine)

    def _capture(self, place: int, record: Record, kind: str) -> None:
        try:
            parent = loads(record.parts[1]).get("msg_id")
        except (IndexError, ValueError, AttributeError):
            return
        bracket = next((b for b in reversed(self._open) if b.msg_id == parent), None)
        if bracket is None:
            return
        bracket.places.append(place)
        if kind == "clear_output":
            bracket.clears = bracket.clears is not False
            bracket.wipes = bracket.wipes or not _content(record).get("wait")
            return
        bracket.wipes = bracket.wipes or bool(bracket.clears)
        bracket.clears = bool(bracket.clears)
        # A display id reaches beyond the widget, a result sets the cell's count.
        if kind == "execute_result" or b'"display_id"' in record.parts[3]:
            bracket.plain = False


def _content(record: Record) -> dict[str, Any]:
    try:
        value = loads(record.parts[3])
    except (IndexError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
