"""A remote kernel's cells as this process sees them: who is told what."""

from __future__ import annotations

import threading
from typing import Any

from jupyter_remote_gpu.magic.execution import Execution
from tests.support.magic import LOCAL_MSG_ID, Setup

E = "e" * 32


def test_a_cell_may_begin_while_news_are_told() -> None:
    """The user's thread adds a cell while the background thread goes through all of them."""
    setup = Setup()
    adding: list[threading.Thread] = []

    class Meddling(Execution):
        @property
        def outcome(self) -> str | None:  # type: ignore[override]
            new = Execution(f"{len(adding):032x}", LOCAL_MSG_ID, 1, setup.remote.counts)
            adding.append(threading.Thread(target=setup.remote.add, args=(new,)))
            adding[-1].start()
            adding[-1].join(0.2)
            return None

        @outcome.setter
        def outcome(self, value: str | None) -> None:
            pass

    told = [Meddling(name * 32, LOCAL_MSG_ID, 1, setup.remote.counts) for name in "ab"]
    for execution in told:
        setup.remote.add(execution)
    setup.control(type="link", state="reconnecting", reason=None)
    for thread in adding:
        thread.join(10)
        assert not thread.is_alive()
    assert [e.events.get_nowait()[0] for e in told] == ["link", "link"]
    assert {t * 32 for t in "ab"} | {"0" * 32} <= set(setup.remote.executions)


def test_an_odd_answer_of_the_daemon_ends_nothing() -> None:
    setup = Setup()
    execution = setup.execution()
    odd: list[Any] = [["x"], {}, None, 5]
    for value in odd:
        setup.control(type="ack", execution=value, record=3)
    assert not execution.accepted.is_set()
    setup.control(type="ack", execution=E, record=3)
    assert execution.record == 3
