"""``outputs NOTEBOOK``: completes a saved notebook with what its cells said on their pods."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..client import matching, refill
from ..client.aio import Control
from ..client.cell_text import longer, same_text, source
from ..client.matching import COMPLETE, REPLACED, UNDONE, Decision
from ..errors import Conflict, NotFound, RemoteGPUError, plain
from ..models import asked_at
from .asking import control, print_json, print_table

__all__ = ["outputs"]

_WORDS = {
    ("fill", ""): "fill in",
    ("mark", ""): "nothing to add",
    ("offer", "text"): "offered: the text differs",
    ("offer", "gone"): "offered: its cell is gone",
    ("offer", "shared-id"): "offered: cells share an id",
    ("offer", "no-ids"): "offered: cells have no ids",
    ("offer", "other"): "offered: shows a run unknown here",
    ("offer", "undone"): "offered: was taken back",
    ("offer", "gaps"): "offered: the cell has more",
    ("leave", "complete"): "has it all",
    ("leave", "replaced"): "left: run again or cleared since",
    ("leave", "older"): "left: shows a newer run",
    ("leave", "detached"): "left: shows its handle",
    ("leave", "shared-id"): "left: cells share an id",
    ("leave", "invalid"): "left: no valid output",
    ("leave", "unread"): "left: could not be read",
}
_SHOWN = ("fill", "mark")
_ID = re.compile(r"[0-9a-f]{32}")
_HALF = re.compile("[\ud800-\udfff]")
Json = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What becomes of one cell.

    Attributes
    ----------
    decision : Decision
        ``mark`` is a further action: what the cell shows is right already.
    state : str
        ``ok`` and so on, ``queued`` or ``running``.
    """

    decision: Decision
    state: str


async def outputs(args: argparse.Namespace) -> int:
    """``outputs NOTEBOOK [--write [--force]] [--ran-as PATH] [--json]``.

    Raises
    ------
    Conflict
        If the notebook is open, or was changed meanwhile.
    RemoteGPUError
        If it is no notebook that can be completed.
    """
    from .saved import SavedNotebook  # nbformat takes a moment, which other commands save

    saved = await asyncio.to_thread(SavedNotebook, args.notebook)
    if args.write and not args.force:
        await _refuse_if_open(args.notebook)
    async with control() as daemon:
        executions = await _executions(daemon, args.ran_as or args.notebook)
        executions, times = await _with_shown(daemon, saved.notebook, executions)
        notebook, rows = await _completed(
            daemon, saved.notebook, matching.decide(saved.notebook, executions, times, saved.time)
        )
    changed = args.write and notebook != saved.notebook
    if changed:
        if not args.force:
            await _refuse_if_open(args.notebook)  # reading a long log takes a while
        await asyncio.to_thread(saved.replace, notebook)
    if args.json:
        print_json({"notebook": str(saved.file), "written": changed, "cells": _json(rows)})
    else:
        _print(rows, args, changed)
    return int(any(row.decision.reason in ("unread", "invalid") for row in rows))


async def _executions(daemon: Control, path: str) -> list[Json]:
    """What the notebook ran, oldest first: each of its kernels was told one of these paths."""
    whole = os.path.abspath(path)
    folder, name = os.path.split(whole)
    paths = [whole, os.path.join(os.path.realpath(folder), name), os.path.realpath(whole)]
    found: dict[str, Json] = {}
    for candidate in dict.fromkeys(paths):
        told = await refill.executions_of(daemon, candidate)
        found.update((str(execution["id"]), execution) for execution in told)
    return sorted(found.values(), key=asked_at)


async def _with_shown(
    daemon: Control, notebook: Json, executions: list[Json]
) -> tuple[list[Json], dict[str, float]]:
    """What ran, and when that was asked for which cells show and another notebook ran.

    A notebook that was renamed or copied before a cell ended goes on with that.
    """
    known, times = {str(e["id"]) for e in executions}, {}
    for cell in notebook["cells"]:
        shows = matching.shown_in(cell)
        name = shows.get("execution")
        if not isinstance(name, str) or name in known or not _ID.fullmatch(name):
            continue
        known.add(name)
        with contextlib.suppress(NotFound):
            execution = await refill.find(daemon, name)
            times[name] = asked_at(execution)
            is_open = shows.get("state") not in (COMPLETE, REPLACED, UNDONE)
            if is_open and (execution.get("meta") or {}).get("cell") == cell.get("id"):
                executions = [*executions, execution]
    return sorted(executions, key=asked_at), times


async def _completed(
    daemon: Control, notebook: Json, decisions: list[Decision]
) -> tuple[Json, list[Row]]:
    """The notebook as it would be, and a row for each decision."""
    rows = [Row(d, _state(d.execution)) for d in decisions]
    fills = [n for n, row in enumerate(rows) if row.decision.action == "fill"]
    # The oldest first: of a widget that several cells show the state of the newest counts.
    async with refill.Kernels() as kernels:
        for n in sorted(fills, key=lambda n: asked_at(rows[n].decision.execution or {})):
            notebook, rows[n] = await _filled(daemon, kernels, notebook, rows[n].decision)
    return notebook, rows


async def _filled(
    daemon: Control, kernels: refill.Kernels, notebook: Json, decision: Decision
) -> tuple[Json, Row]:
    """The notebook with one more cell filled in, if it can be."""
    index = decision.index or 0
    try:
        done = await refill.completed(daemon, _id(decision), kernels)
    except RemoteGPUError as e:
        print(plain(f"cell {index + 1}: {e.message}", line=True), file=sys.stderr)
        return notebook, Row(replace(decision, action="leave", reason="unread"), "-")
    cell = notebook["cells"][index]
    row = Row(decision, done.outcome or _state(done.execution))
    if not same_text(source(cell), done.code, whole=True):
        return notebook, replace(row, decision=replace(decision, action="offer", reason="text"))
    if done.gaps and longer(cell["outputs"], done.outputs):
        return notebook, replace(row, decision=replace(decision, action="offer", reason="gaps"))
    done = replace(done, outputs=_savable(done.outputs), widgets=_savable(done.widgets))
    if why := _trouble(done):
        print(plain(f"cell {index + 1}: {why}", line=True), file=sys.stderr)
        return notebook, replace(row, decision=replace(decision, action="leave", reason="invalid"))
    if done.outputs == cell["outputs"] and done.execution_count == cell["execution_count"]:
        row = replace(row, decision=replace(decision, action="mark"))
    return matching.apply(notebook, index, done), row


def _trouble(done: refill.Completed) -> str | None:
    """What makes of outputs none that a notebook may have."""
    from .saved import trouble

    shown = {"outputs": done.outputs, "execution_count": done.execution_count}
    cell: Json = {"cell_type": "code", "metadata": {}, "source": "", **shown}
    head = {"metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    return trouble({**head, "cells": [cell]}, strict=True)


async def _refuse_if_open(path: str) -> None:
    from .opened import opened_at

    opened, unknown = await asyncio.to_thread(opened_at, path)
    for url in unknown:
        print(f"{url} could not be asked whether it has the notebook open.", file=sys.stderr)
    if opened:
        raise Conflict(
            f"{path} is open at {opened[0]}, where JupyterLab fills it in by itself. Close it "
            "there, or write all the same with --force: what is not saved there is then at odds "
            "with the file."
        )


def _savable(value: Any) -> Any:
    """`value` as a browser would have got it: without NaN, and with whole characters."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub("\ufffd", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_savable(k): _savable(v) for k, v in value.items()}
    return [_savable(v) for v in value] if isinstance(value, list) else value


def _id(decision: Decision) -> str:
    return str((decision.execution or {}).get("id"))


def _state(execution: Json | None) -> str:
    found = execution or {}
    return str(found.get("outcome") or found.get("state") or "-")


def _json(rows: list[Row]) -> list[Json]:
    return [
        {
            "number": None if row.decision.index is None else row.decision.index + 1,
            "action": row.decision.action,
            "reason": row.decision.reason,
            "state": row.state,
            "execution": row.decision.execution,
        }
        for row in rows
        if row.decision.execution
    ]


def _print(rows: list[Row], args: argparse.Namespace, changed: bool) -> None:
    known = [row for row in rows if row.decision.execution]
    if not known:
        print(
            f"Nothing is known here that {args.notebook} ran on a pod. A notebook that was renamed "
            "or moved since is found by --ran-as and its old path."
        )
        return
    print_table(("CELL", "EXECUTION", "RAN", "STATE", "OUTPUT", "FIRST LINE"), map(_columns, known))
    actions = [row.decision.action for row in known]
    fills = actions.count("fill")
    cells = f"{fills} cell{'' if fills == 1 else 's'}"
    if args.write:
        print(f"{cells} filled in." if fills else "There was nothing to fill in.", end="")
        print(" Marked as complete." if changed and not fills else "")
    elif fills:
        print(f"Nothing was written. `--write` fills in {cells}.")
    if any(row.state in ("running", "queued") for row in known if row.decision.action in _SHOWN):
        print("What still runs is filled in as far as it is; the same again completes it.")
    if "offer" in actions:
        print("What is offered is never written: `jupyter remote-gpu attach EXECUTION` shows it.")


def _columns(row: Row) -> tuple[object, ...]:
    decision, execution = row.decision, row.decision.execution or {}
    reason = "" if decision.action in _SHOWN else decision.reason
    lines = [line for line in str(execution.get("code", "")).splitlines() if line.strip()]
    return (
        None if decision.index is None else decision.index + 1,
        _id(decision)[:8],
        _when(execution),
        row.state,
        _WORDS[decision.action, reason],
        lines[0].strip()[:60] if lines else None,
    )


def _when(execution: Json) -> str:
    begun, ended = execution.get("started") or execution.get("requested"), execution.get("ended")
    if not isinstance(begun, int | float):
        return "-"
    first = time.strftime("%Y-%m-%d %H:%M", time.localtime(begun))
    if not isinstance(ended, int | float):
        return f"{first}–"
    return f"{first}–{time.strftime('%H:%M', time.localtime(ended))}"
