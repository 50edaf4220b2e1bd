"""What every command needs: the daemon, and tables that line up."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from ..client.aio import Control
from ..errors import plain
from ..models import no_such_pod

__all__ = ["age", "control", "duration", "pods_of", "print_json", "print_table", "size"]


@contextlib.asynccontextmanager
async def control(*, spawn: bool = True) -> AsyncIterator[Control]:
    """The daemon's control service, for the length of a command."""
    opened = await Control.open(kind="cli", spawn=spawn)
    try:
        yield opened
    finally:
        await opened.close()


def pods_of(snapshot: dict[str, Any], name: str | None = None) -> list[dict[str, Any]]:
    """The pods of a snapshot, or the one called `name`.

    Raises
    ------
    NotFound
        If there is none of that name.
    """
    pods = [p for p in snapshot.get("pods", []) if isinstance(p, dict)]
    if name is None:
        return pods
    found = [p for p in pods if p.get("name") == name]
    if not found:
        raise no_such_pod(name, [str(p.get("name")) for p in pods])
    return found


def print_json(value: Any) -> None:
    """For programs: one JSON value."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """For people: columns that line up; the last one as long as it is."""
    table = [list(head), *([_cell(v) for v in row] for row in rows)]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    for row in table:
        print("  ".join(v.ljust(w) for v, w in zip(row, widths, strict=True)).rstrip())


def _cell(value: object) -> str:
    return "-" if value is None else plain(str(value), 500, line=True)


def age(since: object, now: float | None = None) -> str:
    """How long ago `since` (seconds since the epoch) was: ``3 min``, ``2.5 h``."""
    if not isinstance(since, int | float) or not since:
        return "-"
    return duration((time.time() if now is None else now) - since)


def duration(seconds: object) -> str:
    """``12 s``, ``3 min``, ``2.5 h``, ``4.0 days``."""
    if not isinstance(seconds, int | float):
        return "-"
    seconds = max(0.0, float(seconds))
    for limit, unit, text in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {text}"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"


def size(number: object) -> str:
    """``12 kB``, ``3.4 MB``: bytes as a person reads them."""
    if not isinstance(number, int | float):
        return "-"
    value = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
