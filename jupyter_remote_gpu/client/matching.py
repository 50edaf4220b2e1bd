"""Which cells of a notebook its executions complete, and how: pure, with no input or output.

The same rule as the front end's (``src/refill/rule.ts``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .refill import Completed

__all__ = ["COMPLETE", "PARTIAL", "REPLACED", "Decision", "apply", "decide", "same_text", "source"]

COMPLETE, PARTIAL, REPLACED = "complete", "partial", "replaced"
KEY = "remote_gpu"
"""Of a cell's metadata: which execution it shows, and how far."""
CUT = 120
"""A listed code of at least so many characters may be the beginning of a longer one."""

_MAGIC_LINE = re.compile(r"\s*%%gpu(?P<words>[^\S\n][^\n]*)?(?:\n|\Z)")
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
        ``shared-id``, ``no-ids``. Of ``leave``: ``none``, ``complete``, ``replaced``,
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


def decide(notebook: Mapping[str, Any], executions: Sequence[Json]) -> list[Decision]:
    """A decision for each code cell with an id, and for each execution whose cell is gone.

    Parameters
    ----------
    notebook : mapping
        Of nbformat 4.
    executions : sequence of dict
        What this notebook ran, oldest first (`refill.executions_of`).
    """
    cells = notebook["cells"]
    named: dict[str, list[int]] = {}
    for index, cell in enumerate(cells):
        if cell.get("cell_type") == "code" and _word(cell.get("id")):
            named.setdefault(cell["id"], []).append(index)
    ages = {str(e.get("id")): age for age, e in enumerate(sorted(executions, key=_requested))}
    newest = _newest(executions)
    made = []
    for name, places in named.items():
        candidate = newest.pop(name, None)
        if candidate is None:
            made += [Decision("leave", "none", place, None) for place in places]
        elif len(places) == 1:
            (place,) = places
            made.append(Decision(*_judged(cells[place], candidate, ages), place, candidate))
        else:
            made += _shared(cells, places, candidate, ages)
    made.sort(key=lambda d: len(cells) if d.index is None else d.index)
    lost = "gone" if named else "no-ids"
    made += (Decision("offer", lost, None, e) for e in sorted(newest.values(), key=_requested))
    return made


def apply(notebook: Mapping[str, Any], index: int, done: Completed) -> Json:
    """The notebook with an execution's outputs in a cell; what it was made from stays as it was.

    Metadata of trust is not touched.
    """
    cells = list(notebook["cells"])
    cell = cells[index]
    state = PARTIAL if done.outcome is None else COMPLETE
    shown = {KEY: {"execution": str(done.execution["id"]), "state": state}}
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


def source(cell: Mapping[str, Any]) -> str:
    """The text of a cell, which a file may have in lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def same_text(text: str, code: str, *, whole: bool = False) -> bool:
    """Whether a cell's text is what an execution ran.

    Parameters
    ----------
    whole : bool
        `code` is not cut.
    """
    line = _MAGIC_LINE.match(text)
    if line is None:
        return False  # it would not run on a pod any more
    body = text[line.end() :]
    if body.rstrip() == code.rstrip():
        return True
    return not whole and len(code) >= CUT and body.startswith(code)


def _judged(cell: Mapping[str, Any], candidate: Json, ages: Mapping[str, int]) -> tuple[str, str]:
    """Action and reason for the only cell that has the candidate's id."""
    reason = _wanted(cell, candidate, ages)
    if reason in (COMPLETE, REPLACED, "older"):
        return "leave", reason
    text = source(cell)
    if _detached(text):
        return "leave", "detached"
    if not same_text(text, str(candidate.get("code", ""))):
        return "offer", "text"
    return "fill", reason


def _shared(
    cells: Sequence[Mapping[str, Any]],
    places: Sequence[int],
    candidate: Json,
    ages: Mapping[str, int],
) -> Iterable[Decision]:
    """Several cells share an id (older files): the only one with that text, else none."""
    code = str(candidate.get("code", ""))
    known = [p for p in places if _shows(cells[p]).get("execution") == candidate.get("id")]
    fits = known or [p for p in places if same_text(source(cells[p]), code)]
    alone = fits[0] if len(fits) == 1 else None
    for place in places:
        if place == alone:
            yield Decision(*_judged(cells[place], candidate, ages), place, candidate)
        else:
            yield Decision("leave", "shared-id", place, candidate)
    if not fits or (alone is None and not known):
        yield Decision("offer", "shared-id", None, candidate)


def _wanted(cell: Mapping[str, Any], candidate: Json, ages: Mapping[str, int]) -> str:
    """By the cell's metadata: ``new``, ``partial``, ``newer``, or why it stays as it is."""
    shows = _shows(cell)
    execution, state = shows.get("execution"), shows.get("state")
    if not isinstance(execution, str) or not execution:
        return "new"
    if execution == candidate.get("id"):
        return str(state) if state in (COMPLETE, REPLACED) else PARTIAL
    return "newer" if ages[str(candidate["id"])] > ages.get(execution, -1) else "older"


def _newest(executions: Sequence[Json]) -> dict[str, Json]:
    """The newest execution of each cell id that is named."""
    found: dict[str, Json] = {}
    for execution in sorted(executions, key=_requested):
        meta = execution.get("meta")
        if isinstance(meta, dict) and _word(meta.get("cell")) and not meta.get("silent"):
            found[meta["cell"]] = execution
    return found


def _requested(execution: Json) -> float:
    when = execution.get("requested")
    return float(when) if isinstance(when, int | float) else 0.0


def _shows(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = cell.get("metadata")
    shows = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    return shows if isinstance(shows, Mapping) else {}


def _detached(text: str) -> bool:
    """Whether the cell shows a handle; the magic takes ``--det`` too, as argparse does."""
    line = _MAGIC_LINE.match(text)
    words = (line["words"] or "").split() if line else ()
    return any(len(word) > 2 and "--detach".startswith(word) for word in words)


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
