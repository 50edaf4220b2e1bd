"""The laptop sleeps: all its processes stand still, and the pod goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from tests.faults.mixed import Plain, mixed, without_notices
from tests.support.notebook import LocalKernel
from tests.support.place import Place

NEXT_LINE_SECONDS = 4.0
PAUSE = 0.05
LONG = pytest.mark.long


def _laptop(place: Place, notebook: LocalKernel) -> list[psutil.Process]:
    """The local kernel and the daemon, with whatever they have started."""
    assert notebook.manager.provisioner is not None
    roots = [psutil.Process(p) for p in (place.daemon.pid, notebook.manager.provisioner.pid)]
    return [*roots, *(child for root in roots for child in root.children(recursive=True))]


def _signal(processes: list[psutil.Process], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


@contextlib.contextmanager
def _sleeper(
    place: Place, notebook: LocalKernel, seconds: float, reset: bool
) -> Iterator[tuple[Callable[[], None], threading.Event]]:
    """What sends the laptop to sleep for `seconds`, and an event for its waking."""
    awake, timers = threading.Event(), list[threading.Timer]()
    stopped: list[psutil.Process] = []

    def wake() -> None:
        if reset:  # meanwhile the router has forgotten the connection
            place.proxy.reset()
        _signal(stopped, signal.SIGCONT)
        awake.set()

    def sleep() -> None:
        stopped.extend(_laptop(place, notebook))
        _signal(stopped, signal.SIGSTOP)
        timers.append(threading.Timer(seconds, wake))
        timers[0].start()

    try:
        yield sleep, awake
    finally:
        for timer in timers:
            timer.cancel()
        _signal(stopped, signal.SIGCONT)


@pytest.mark.parametrize(
    ("seconds", "reset"),
    [(10, False), (10, True), pytest.param(120, False, marks=LONG)],
)
def test_a_laptop_asleep_finds_everything_when_it_wakes(
    place: Place, notebook: LocalKernel, plain: Plain, seconds: int, reset: bool
) -> None:
    # It ends before the laptop wakes: all that is to come waits on the pod by then.
    rounds = int((seconds - 3) / PAUSE / 1.2)
    slept: list[bool] = []
    with _sleeper(place, notebook, seconds, reset) as (sleep, awake):

        def on(kind: str, content: dict[str, Any]) -> None:
            if "out 20\n" in content.get("text", "") and not slept:
                slept.append(True)
                sleep()

        patience = 2 * seconds + 5 * NEXT_LINE_SECONDS
        cell = notebook.run(f"%%gpu\n{mixed(rounds, PAUSE)}", on=on, patience=patience)
        assert slept
        assert awake.is_set(), "the cell ended while the laptop slept"
    assert cell.reply["status"] == "ok"
    plain.check(without_notices(cell.shown), rounds, paced=True)
    assert notebook.run("%%gpu\n6 * 7").result == "42"
    assert os.path.exists(f"/proc/{place.daemon.pid}") or psutil.pid_exists(place.daemon.pid)
