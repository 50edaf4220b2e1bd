"""Which cells of a notebook its executions complete, and how: pure, with no input or output.

The same rule as the front end's (``src/refill/rule.ts``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..models import asked_at
from .cell_text import detached, same_text, source
from .refill import Completed

__all__ = [
    "COMPLETE",
    "PARTIAL",
    "REPLACED",
    "UNDONE",
    "Decision",
    "apply",
    "decide",
    "same_text",
    "shown_in",
    "source",
]

COMPLETE, PARTIAL, REPLACED, UNDONE = "complete", "partial", "replaced", "undone"
KEY = "remote_gpu"
"""Of a cell's metadata: which execution it shows, and how far."""

_NONE: Mapping[str, float] = {}
Json = dict[str, Any]


@dataclass(frozen=True)
class Decision:
    """What becomes of a cell, or of an execution whose cell is gone.

    Attributes
    ----------
    action : str
        ``fill``; ``offer``: its output is worth showing, but never written; ``leave``.
    reason : str
        Of ``fill``: ``new``, ``partial``, ``newer``. Of ``offer``: ``text``, ``gone``,
        ``shared-id``, ``no-ids``, ``other`` (the cell shows a run of which nothing is known),
        ``undone`` (the user took it back). Of ``leave``: ``none``, ``complete``, ``replaced``,
        ``older``, ``detached``, ``shared-id``.
    index : int or None
        The cell's place among the notebook's cells; None if there is no such cell.
    execution : dict or None
        As `refill.executions_of` has it; None where nothing is known.
    """

    action: str
    reason: str
    index: int | None
    execution: Json | None


def decide(
    notebook: Mapping[str, Any],
    executions: Sequence[Json],
    times: Mapping[str, float] = _NONE,
    saved: float = math.inf,
) -> list[Decision]:
    """A decision for each code cell with an id, and for each execution whose cell is gone.

    Parameters
    ----------
    notebook : mapping
        Of nbformat 4.
    executions : sequence of dict
        What this notebook ran, oldest first (`refill.executions_of`).
    times : mapping
        When others were asked for that its cells show, by their ids.
    saved : float
        When the notebook was saved: what ran since may be of a cell that was not.
    """
    cells = notebook["cells"]
    named: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        if cell.get("cell_type") == "code" and _word(cell.get("id")):
            named.setdefault(cell["id"], []).append(index)
    ran = _Ran(sorted(executions, key=asked_at), times)
    newest = ran.newest()
    made = []
    for name, places in named.items():
        candidate = newest.pop(name, None)
        if candidate is None:
            made += [Decision("leave", "none", place, None) for place in places]
        elif len(places) == 1:
            (place,) = places
            made.append(Decision(*_judged(cells[place], candidate, ran), place, candidate))
        else:
            made += _shared(cells, places, candidate, ran)
    made.sort(key=lambda d: len(cells) if d.index is None else d.index)
    lost = "gone" if named else "no-ids"
    ours = ran.ours(cells, _gone(notebook), saved)
    made += (Decision("offer", lost, None, e) for e in newest.values() if not named or ours(e))
    return made


def apply(notebook: Mapping[str, Any], index: int, done: Completed) -> Json:
    """The notebook with an execution's outputs in a cell; what it was made from stays as it was.

    Metadata of trust is not touched.
    """
    cells = list(notebook["cells"])
    cell = cells[index]
    state = PARTIAL if done.outcome is None else COMPLETE
    shown: Json = {KEY: {"execution": str(done.execution["id"]), "state": state}}
    if asked := asked_at(done.execution):
        shown[KEY]["asked"] = asked
    cells[index] = {
        **cell,
        "outputs": done.outputs,
        "execution_count": done.execution_count,
        "metadata": {**cell.get("metadata", {}), **shown},
    }
    metadata = dict(notebook.get("metadata", {}))
    if done.widgets:
        metadata["widgets"] = _merged(metadata.get("widgets"), done.widgets)
    return {**notebook, "metadata": metadata, "cells": cells}


class _Ran:
    """What a notebook ran, oldest first, and the times of what it ran under other names."""

    def __init__(self, executions: Sequence[Json], times: Mapping[str, float]) -> None:
        self._all = executions
        self._times = times
        self._ages = {str(e.get("id")): age for age, e in enumerate(executions)}

    def newest(self) -> dict[str, Json]:
        """The newest of each cell id that is named, the oldest of them first."""
        found: dict[str, Json] = {}
        for execution in self._all:
            meta = _meta(execution)
            if _word(meta.get("cell")) and not meta.get("silent"):
                found.pop(meta["cell"], None)
                found[meta["cell"]] = execution
        return found

    def is_newer(self, candidate: Json, shown: str, asked: float) -> bool | None:
        """Whether it was asked for after the one that is shown; None: nobody knows."""
        if shown in self._ages:
            return self._ages[str(candidate["id"])] > self._ages[shown]
        asked = asked or self._times.get(shown, 0.0)
        return asked_at(candidate) > asked if asked else None

    def again(self, text: str, candidate: Json) -> bool:
        """Whether that text ran later where no cell ids are told: that may be this cell."""
        later = self._all[self._ages[str(candidate["id"])] + 1 :]
        return any(
            not _word(_meta(e).get("cell"))
            and not _meta(e).get("silent")
            and same_text(text, str(e.get("code", "")))
            for e in later
        )

    def ours(
        self, cells: Iterable[Mapping[str, Any]], gone: list[object], saved: float
    ) -> Callable[[Json], bool]:
        """Tells what a cell of this notebook ran that is gone; its path may be an older one's.

        The notebook had the cell, one that it has shows it or ran in the same local kernel, or
        the file is older.
        """
        code = [cell for cell in cells if cell.get("cell_type") == "code"]
        ids = {cell["id"] for cell in code if _word(cell.get("id"))}
        shown = [shown_in(cell).get("execution") for cell in code]
        kernels = {_meta(e).get("local_kernel") for e in self._all if _meta(e).get("cell") in ids}
        kernels.discard(None)
        return lambda e: (
            _meta(e).get("cell") in gone
            or e.get("id") in shown
            or _meta(e).get("local_kernel") in kernels
            or asked_at(e) > saved
        )


def _meta(execution: Json) -> Json:
    meta = execution.get("meta")
    return meta if isinstance(meta, dict) else {}


def _judged(cell: Mapping[str, Any], candidate: Json, ran: _Ran) -> tuple[str, str]:
    """Action and reason for the only cell that has the candidate's id."""
    reason = _wanted(cell, candidate, ran)
    if reason in (COMPLETE, REPLACED, "older"):
        return "leave", reason
    text = source(cell)
    if detached(text):
        return "leave", "detached"
    if _began(cell) > asked_at(candidate) or ran.again(text, candidate):
        return "leave", REPLACED
    if not same_text(text, str(candidate.get("code", ""))):
        return "offer", "text"
    return "offer" if reason in ("other", UNDONE) else "fill", reason


def _shared(
    cells: Sequence[Mapping[str, Any]],
    places: Sequence[int],
    candidate: Json,
    ran: _Ran,
) -> Iterable[Decision]:
    """Several cells share an id (older files): the only one with that text, else none."""
    code = str(candidate.get("code", ""))
    known = [p for p in places if shown_in(cells[p]).get("execution") == candidate.get("id")]
    fits = known or [p for p in places if same_text(source(cells[p]), code)]
    alone = fits[0] if len(fits) == 1 else None
    for place in places:
        if place == alone:
            yield Decision(*_judged(cells[place], candidate, ran), place, candidate)
        else:
            yield Decision("leave", "shared-id", place, candidate)
    if not fits or (alone is None and not known):
        yield Decision("offer", "shared-id", None, candidate)


def _wanted(cell: Mapping[str, Any], candidate: Json, ran: _Ran) -> str:
    """By the cell's metadata: ``new``, ``partial``, ``newer``, or why it stays as it is."""
    shows = shown_in(cell)
    execution, state = shows.get("execution"), shows.get("state")
    if not isinstance(execution, str) or not execution:
        return "new"
    if execution == candidate.get("id"):
        return str(state) if state in (COMPLETE, REPLACED, UNDONE) else PARTIAL
    is_newer = ran.is_newer(candidate, execution, asked_at({"meta": shows}))
    return "other" if is_newer is None else "newer" if is_newer else "older"


def _began(cell: Mapping[str, Any]) -> float:
    """When the cell was run last, by whatever notes that (nbclient does, JupyterLab may)."""
    try:
        told = cell["metadata"]["execution"]["iopub.execute_input"]
        return datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp()
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return 0.0


def _gone(notebook: Mapping[str, Any]) -> list[object]:
    """The ids of cells that were deleted before their output was seen."""
    kept = shown_in(notebook).get("gone")
    return kept if isinstance(kept, list) else []


def shown_in(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the metadata of a cell, or of the notebook, have of ours."""
    metadata = part.get("metadata")
    shows = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    return shows if isinstance(shows, Mapping) else {}


def _merged(old: object, new: Mapping[str, Any]) -> Json:
    """A notebook's ``metadata.widgets`` with newer models in it."""
    whole = dict(old) if isinstance(old, Mapping) else {}
    for kind, value in new.items():
        before = whole.get(kind)
        if (
            isinstance(before, Mapping)
            and before.get("version_major") == value.get("version_major")
            and isinstance(before.get("state"), Mapping)
        ):
            value = {**before, **value, "state": {**before["state"], **value["state"]}}
        whole[kind] = value
    return whole


def _word(value: object) -> bool:
    return isinstance(value, str) and bool(value)
