"""A laptop that slept is noticed by whichever clock went on (Linux's monotonic one does not)."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace

import pytest

from jupyter_remote_gpu.link import retrying
from jupyter_remote_gpu.link.retrying import WAKE_SECONDS, Clock


class Clocks(SimpleNamespace):
    """Stands for the module `time`; either clock can be put forward."""

    def __init__(self) -> None:
        self.slept = {"monotonic": 0.0, "time": 0.0}

    def monotonic(self) -> float:
        return time.monotonic() + self.slept["monotonic"]

    def time(self) -> float:
        return time.time() + self.slept["time"]


@pytest.mark.parametrize(
    ("clock", "seconds", "wakes"),
    [
        ("time", WAKE_SECONDS + 1, 1),
        ("monotonic", WAKE_SECONDS + 1, 1),
        ("time", WAKE_SECONDS / 2, 0),
        ("time", -3600.0, 0),
    ],
)
def test_one_clock_jumps(
    monkeypatch: pytest.MonkeyPatch, clock: str, seconds: float, wakes: int
) -> None:
    clocks = Clocks()
    monkeypatch.setattr(retrying, "time", clocks)
    monkeypatch.setattr(retrying, "TICK_SECONDS", 0.05)
    woken: list[float] = []

    async def work() -> None:
        watched = Clock(lambda: False, lambda: woken.append(watched.left))
        watched.tried()
        watching = asyncio.create_task(watched.watch())
        await asyncio.sleep(0.12)
        assert not woken
        clocks.slept[clock] += seconds
        await asyncio.sleep(0.3)
        assert len(woken) == wakes
        assert (watched.left <= 0) is (wakes > 0)  # the next try is made at once
        watching.cancel()
        await asyncio.wait([watching])

    asyncio.run(work())
