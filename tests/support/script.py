"""The background loop's part, played in a thread while the main thread waits for a cell."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from jupyter_remote_gpu.magic.runner import Runner
from tests.support.magic import Setup

E = "e" * 32
PATIENCE = 20.0


class Script:
    """Plays the background loop in a thread while the main thread waits."""

    def __init__(self, setup: Setup, *steps: Callable[[], Any]) -> None:
        self.setup, self.steps = setup, steps
        self.failure: BaseException | None = None
        self._before = signal.getsignal(signal.SIGINT)

    def run(self, runner: Runner, submit: Callable[[], int] | None = None) -> None:
        thread = threading.Thread(target=self._play)
        thread.start()
        try:
            runner.wait(submit)
        finally:
            thread.join(PATIENCE)
            assert not thread.is_alive()
            if self.failure is not None:
                raise self.failure

    def _play(self) -> None:
        try:
            until(lambda: signal.getsignal(signal.SIGINT) != self._before)
            for step in self.steps:
                step()
        except BaseException as e:  # noqa: BLE001 - raised again in the main thread
            self.failure = e
            self.setup.feed(self.setup.log.ended(E))


def until(condition: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)
    return value


def stop() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def shown(setup: Setup) -> list[tuple[str, Any]]:
    """Type and data of what the front end was sent."""
    assert setup.kernel is not None
    return [(m["msg_type"], m["content"].get("data")) for m in setup.kernel.received()]
