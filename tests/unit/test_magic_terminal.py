"""Output that the main thread writes: plain ipython, and whatever captures in a kernel."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jupyter_remote_gpu.magic.events import WAITING
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.raised import ControlBack
from jupyter_remote_gpu.magic.runner import Runner
from jupyter_remote_gpu.magic.sink import PythonSink
from jupyter_remote_gpu.wire.records import Record
from tests.support.magic import Setup

E = "e" * 32
PATIENCE = 30.0


@pytest.fixture
def setup() -> Setup:
    return Setup(kernel=False)


def begun(setup: Setup) -> Execution:
    execution = setup.execution()
    execution.sink = PythonSink(setup.shell, execution)
    setup.feed(setup.log.keeper("running", E))
    return execution


def lines(setup: Setup, count: int) -> list[Record]:
    """Texts of two streams in turn, which cannot be joined."""
    names = ("stdout", "stderr")
    return [
        setup.log.iopub("stream", {"name": names[i % 2], "text": f"{i}\n"}, E) for i in range(count)
    ]


@contextmanager
def feeding(setup: Setup, records: list[Record]) -> Iterator[threading.Thread]:
    """The background thread takes `records`; at the end it has taken all of them."""
    thread = threading.Thread(target=setup.feed, args=records)
    thread.start()
    yield thread
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the background thread waits for ever"


def reached(condition: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_is_not_read_waits_in_the_log(setup: Setup, capsys: Any) -> None:
    execution = begun(setup)
    count = 10 * WAITING
    with feeding(setup, [*lines(setup, count), setup.log.ended(E)]) as background:
        reached(lambda: execution.events._queue.qsize() >= WAITING)
        background.join(0.2)
        assert background.is_alive()
        assert execution.events._queue.qsize() == WAITING
        Runner(setup.shell, setup.remote, execution).wait()
    out, err = capsys.readouterr()
    assert out == "".join(f"{i}\n" for i in range(0, count, 2))
    assert err == "".join(f"{i}\n" for i in range(1, count, 2))


def test_what_comes_after_the_end_is_written_too(setup: Setup, capsys: Any) -> None:
    """A thread of the cell prints on."""
    execution = begun(setup)
    with feeding(setup, [*lines(setup, 2), setup.log.ended(E), *lines(setup, 3)]):
        Runner(setup.shell, setup.remote, execution).wait()
    assert capsys.readouterr() == ("0\n0\n2\n", "1\n1\n")
    assert execution.events.empty()


class Slow:
    """A terminal that takes its time."""

    def __init__(self) -> None:
        self.shown = 0

    def write(self, text: str) -> None:
        self.shown += 1
        time.sleep(0.005)

    def flush(self) -> None:
        pass


def test_stop_goes_ahead_of_what_waits_and_twice_it_gives_control_back(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution, slow = begun(setup), Slow()
    monkeypatch.setattr(sys, "stdout", slow)
    monkeypatch.setattr(sys, "stderr", slow)
    at_stop: list[int] = []

    def stops() -> None:
        reached(lambda: slow.shown > 5)
        at_stop.append(slow.shown)
        os.kill(os.getpid(), signal.SIGINT)
        reached(lambda: setup.face.channel.interrupts == [E])
        at_stop.append(slow.shown)
        os.kill(os.getpid(), signal.SIGINT)

    user = threading.Thread(target=stops)
    with feeding(setup, lines(setup, 2000)):
        user.start()
        with pytest.raises(ControlBack):
            Runner(setup.shell, setup.remote, execution).wait()
        shown = slow.shown
    user.join(PATIENCE)
    assert at_stop[1] - at_stop[0] < 10
    assert shown < 2000
    assert slow.shown == shown  # the rest is in the log, for who attaches


def test_a_reader_that_fails_holds_nothing_up(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Slow):
        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Broken())
    execution = begun(setup)
    with feeding(setup, lines(setup, 1000)), pytest.raises(BrokenPipeError):
        Runner(setup.shell, setup.remote, execution).wait()
    assert execution.sink is None
