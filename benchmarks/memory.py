"""How much memory keeper and daemon take: idle, and beside gigabytes that nobody reads."""

from __future__ import annotations

import threading
import time
from typing import Any

import psutil  # type: ignore[import-untyped]

from .kernels import LocalKernel
from .measure import Row
from .stage import NEAR, Stage

MB = 1e6
LINE = "line {:010d} of very many, none of them long, that nobody is there to read today"
"""Each is a print of its own, not flushed, as a chatty sampler prints."""


def run(stage: Stage, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Two rows: idle, and after the unread lines."""
    total = 0.5e9 if quick else 5e9
    with LocalKernel(NEAR) as gpu:
        for _ in range(50):
            gpu.gpu("1")
        time.sleep(2)
        keeper = stage.processes(gpu.pid)["keeper"][0]
        daemon = stage.daemon()
        idle = {"keeper": _rss(keeper), "daemon": _rss(daemon)}
        gpu.gpu("import os; done = os.path.expanduser('~/done')")
        gpu.run(f"%%gpu --detach\n{_code(total)}")
    # The local kernel is gone: the cell has no reader.
    with Watch(keeper, daemon) as watch:
        started = time.monotonic()
        marker = stage.machine.home / "done"
        while not marker.exists():
            if time.monotonic() - started > 3600 or not keeper.is_running():
                raise RuntimeError("the cell that prints did not end")
            time.sleep(0.5)
        seconds = time.monotonic() - started
        time.sleep(5)  # what is under way may still arrive
    marker.unlink()
    over = {name: watch.peak[name] - idle[name] for name in idle}
    rows = [
        Row(
            what="memory idle: keeper, daemon (RSS)",
            found=_both(idle),
            against="—",
            must="≤ 60 and ≤ 80 MB",
            ok=idle["keeper"] <= 60 * MB and idle["daemon"] <= 80 * MB,
        ),
        Row(
            what=f"over idle, at most, while {total / 1e9:g} GB of short lines come unread",
            found=_both(over),
            against="—",
            must="≤ 100 MB over idle",
            ok=max(over.values()) <= 100 * MB,
            notes=[f"it took {seconds:.0f} s; at the end {_both(watch.series[-1])}"],
        ),
    ]
    return rows, {"idle": idle, "peak": watch.peak, "series": watch.series, "bytes": total}


def _code(total: float) -> str:
    lines = int(total / len(LINE.format(0)))
    return f"for i in range({lines}):\n    print({LINE!r}.format(i))\nopen(done, 'w').close()"


def _rss(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _both(values: dict[str, int]) -> str:
    return ", ".join(f"{name} {value / MB:.0f} MB" for name, value in values.items())


class Watch(threading.Thread):
    """Looks at the memory of keeper and daemon ten times a second."""

    def __init__(self, keeper: psutil.Process, daemon: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._processes = {"keeper": keeper, "daemon": daemon}
        self._over = threading.Event()
        self.peak = {"keeper": 0, "daemon": 0}
        self.series: list[dict[str, int]] = []

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(10)

    def run(self) -> None:
        last = 0.0
        while not self._over.wait(0.1):
            now = {name: _rss(p) for name, p in self._processes.items()}
            self.peak = {name: max(self.peak[name], now[name]) for name in now}
            if time.monotonic() - last > 1:
                last = time.monotonic()
                self.series.append(now)
