"""A remote kernel's cells as this process sees them: who is told what."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jupyter_remote_gpu.client.outputs import fold
from jupyter_remote_gpu.errors import DaemonError
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.reopen import joined_sentence
from jupyter_remote_gpu.wire.records import Record
from tests.support.magic import LOCAL_MSG_ID, ListSink, Setup
from tests.support.script import PATIENCE

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


GAP = {"messages": 1234, "bytes": 5_600_000, "reason": "the disk was full"}
SAID = "[1,234 messages (5.6 MB) are missing here: the disk was full]\n"


def printed(setup: Setup, text: str, execution: str = E) -> Record:
    return setup.log.iopub("stream", {"name": "stdout", "text": text}, execution)


@pytest.mark.parametrize("owner", [E, None])
def test_a_gap_is_told_where_it_is(owner: str | None) -> None:
    setup = Setup()
    execution, queued = setup.execution(), setup.execution("f" * 32)
    sink, other = ListSink(), ListSink()
    execution.sink, queued.sink = sink, other
    records = [
        setup.log.keeper("request", E),
        setup.log.keeper("running", E),
        setup.log.keeper("request", "f" * 32),
        printed(setup, "a\n"),
        setup.log.keeper("gap", owner, **GAP),
        setup.log.keeper("request", E, answers=3),  # an answer to input(): not a beginning
        printed(setup, "b\n"),
        setup.log.ended(E),
        setup.log.keeper("running", "f" * 32),
        printed(setup, "theirs", "f" * 32),
        setup.log.ended("f" * 32),
    ]
    setup.feed(*records)
    said = [(c["name"], c["text"]) for c in sink.contents]
    assert said == [("stdout", "a\n"), ("stderr", SAID), ("stdout", "b\n")]
    assert other.text == "theirs"
    folded = fold(records, E).outputs
    assert [(o["name"], o["text"]) for o in folded] == said
    assert [o["text"] for o in fold(records, "f" * 32).outputs] == ["theirs"]
    assert [e[0] for e in (execution.events.get_nowait(), queued.events.get_nowait())] == [
        "ended",
        "ended",
    ]


def test_a_gap_that_took_all_of_a_cell_is_told_at_its_end() -> None:
    setup = Setup()
    execution = setup.execution()
    sink = ListSink()
    execution.sink = sink
    setup.feed(
        setup.log.keeper("running", E), setup.log.keeper("gap", None, **GAP), setup.log.ended(E)
    )
    assert sink.text == SAID


def test_an_odd_answer_of_the_daemon_ends_nothing() -> None:
    setup = Setup()
    execution = setup.execution()
    odd: list[Any] = [["x"], {}, None, 5]
    for value in odd:
        setup.control(type="ack", execution=value, record=3)
    assert not execution.accepted.is_set()
    setup.control(type="ack", execution=E, record=3)
    assert execution.record == 3


def test_who_waits_after_a_channel_gave_up_and_came_back_lets_others_work() -> None:
    """`attach` of a cell while no daemon could be had: its reader is ahead of the kernel's own."""
    setup = Setup()
    setup.face.channel.done.set_exception(DaemonError("No daemon can be had."))
    setup.remote.resume()

    async def scenario() -> None:
        waiting = asyncio.ensure_future(setup.remote.caught_up(1))
        await asyncio.sleep(0)  # it waits, and does not hold the loop
        await setup.remote.on_batch([setup.log.keeper("running", E)])
        await waiting

    loop = threading.Thread(target=asyncio.run, args=(scenario(),), daemon=True)
    loop.start()
    loop.join(PATIENCE)
    assert not loop.is_alive()


def test_a_cell_for_a_kernel_that_nobody_reads_any_more_hears_of_it() -> None:
    """The channel gave up after the kernel was opened, before the cell was there to be told."""
    setup = Setup()
    setup.face.channel.done.set_exception(DaemonError("The daemon is newer."))
    execution = setup.execution()
    kind, error = execution.events.get(timeout=0)
    assert (kind, str(error)) == ("broken", "The daemon is newer.")


def test_a_count_of_names_that_was_rejected_waits_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is followed: for its sake a daemon that the user stopped would come back."""
    monkeypatch.setattr("jupyter_remote_gpu.magic.reopen.NAMES_SECONDS", 0.0)
    setup = Setup()
    assert joined_sentence(setup.remote, {}).endswith(
        "which is busy; `%gpu restart` for a fresh one."
    )
    assert setup.remote.newest_open() is not None
    error = {"kind": "not-connected", "code": "x", "message": "The pod is off."}
    setup.control(type="rejected", number=1, error=error)
    assert setup.remote.newest_open() is None
