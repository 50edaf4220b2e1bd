"""Samples, their summary, and where they are kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(os.environ.get("JRG_BENCH_RESULTS") or Path(__file__).parent / "results")


def quantile(values: Sequence[float], q: float) -> float:
    """The `q` quantile, interpolated."""
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def ms(values: Sequence[float]) -> str:
    """``median (p10 … p95)`` of seconds, in milliseconds."""
    p10, middle, p95 = (1e3 * quantile(values, q) for q in (0.1, 0.5, 0.95))
    return f"{middle:.1f} ({p10:.1f} … {p95:.1f}) ms"


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


@dataclass
class Row:
    """One row of the table.

    Attributes
    ----------
    must : str
        What is to be reached; `ok` says whether it was.
    notes : list of str
        Sentences below the table: hops, CPU, what the figure rests on.
    """

    what: str
    found: str
    against: str
    must: str
    ok: bool
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        return f"| {self.what} | {self.found} | {self.against} | {self.must} | {_mark(self.ok)} |"


HEADER = "| what | found | against | must reach | |\n|---|---|---|---|---|"


def _mark(ok: bool) -> str:
    return "yes" if ok else "**no**"


class Book:
    """Keeps the raw samples of one run of the benchmarks as JSON, with the load beside them."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or RESULTS / time.strftime("%Y%m%d-%H%M%S")
        self.folder.mkdir(parents=True, exist_ok=True)

    def keep(
        self, name: str, samples: dict[str, Any], rows: Sequence[Row], load: list[Any]
    ) -> None:
        content = {
            "name": name,
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "machine": machine(),
            "load": load,
            "rows": [vars(r) for r in rows],
            "samples": samples,
        }
        (self.folder / f"{name}.json").write_text(json.dumps(content, indent=1, default=str))


def machine() -> dict[str, Any]:
    """What the figures were found on."""
    packages = ("ipykernel", "jupyter_client", "pyzmq", "asyncssh")
    return {
        "cpus": os.cpu_count(),
        "processor": platform.processor() or platform.machine(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "commit": _commit(),
        **{p: version(p) for p in packages},
    }


def _commit() -> str:
    words = ("git", "describe", "--always", "--dirty")
    told = subprocess.run(
        words, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=20
    )
    return told.stdout.strip() or "unknown"


def load() -> dict[str, float]:
    """The load now: to be recorded before and after whatever is timed."""
    one, five, _ = os.getloadavg()
    return {"time": time.time(), "load1": one, "load5": five}
