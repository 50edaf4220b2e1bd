"""A cell that is shown a second time while its kernel's own channel goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from jupyter_remote_gpu.magic import follower
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.follower import Follower
from jupyter_remote_gpu.magic.session import Session
from jupyter_remote_gpu.magic.sink import KernelSink
from jupyter_remote_gpu.wire.records import Record
from tests.support.magic import LOCAL_MSG_ID, Setup

E, ID, NEW = "e" * 32, "d" * 32, "attached-cell"
OUTPUT = {"_model_name": "OutputModel", "_model_module": "@jupyter-widgets/output"}
Attach = Callable[[], Follower]


class Unconnected:
    """In place of the follower's channel: the test feeds it."""

    def __init__(self, channel: Any, face: Any) -> None:
        self.done: Future[None] = Future()

    def close(self) -> None:
        pass


@pytest.fixture
def setup(monkeypatch: pytest.MonkeyPatch) -> Iterator[Setup]:
    monkeypatch.setattr(follower, "ThreadedChannel", Unconnected)
    setup = Setup()
    yield setup
    setup.remote.close()


def attach(setup: Setup) -> Follower:
    """What `Session.follow` makes."""
    assert setup.kernel is not None
    execution = Execution(E, NEW, 9, setup.remote.counts, catch_up=setup.remote.seen)
    execution.swap = LOCAL_MSG_ID.encode(), NEW.encode()
    execution.sink = execution.comm_sink = KernelSink(setup.kernel, {"msg_id": NEW}, "-1")
    return Follower(setup.remote, execution, 1, setup.log.last)


def replay(reader: Follower, *records: Record) -> None:
    asyncio.run(reader.on_batch(list(records)))


def opened(setup: Setup, **state: Any) -> Record:
    content = {"comm_id": ID, "target_name": "jupyter.widget", "data": {"state": state}}
    return setup.log.iopub("comm_open", content, E)


def changed(setup: Setup, execution: str | None = E, **state: Any) -> Record:
    data = {"method": "update", "state": state}
    return setup.log.iopub("comm_msg", {"comm_id": ID, "data": data}, execution)


def printed(setup: Setup, text: str) -> Record:
    return setup.log.iopub("stream", {"name": "stdout", "text": text}, E)


def said(setup: Setup, start: int = 0) -> list[Any]:
    """Texts, and states of widgets, as the front end hears them."""
    assert setup.kernel is not None
    contents = [m["content"] for m in setup.kernel.received()[start:]]
    return [c["text"] if "text" in c else c["data"]["state"] for c in contents]


def test_comms_go_on_while_the_replay_is_behind(setup: Setup) -> None:
    setup.execution().let_go()
    setup.feed(opened(setup, value=0))
    reader = attach(setup)
    setup.feed(changed(setup, value=1))
    reader.close()  # Stop twice, before the reader came so far
    setup.feed(changed(setup, value=2))
    assert said(setup) == [{"value": 0}, {"value": 1}, {"value": 2}]


def test_comms_after_the_end_go_on_beside_a_replay(setup: Setup) -> None:
    """A thread of a cell that has ended moves its bar on."""
    setup.execution().let_go()
    records = [opened(setup, value=0), setup.log.ended(E)]
    setup.feed(*records)
    reader = attach(setup)
    replay(reader, *records)
    late = changed(setup, value=1, msg_id="")
    setup.feed(late)
    replay(reader, late)
    assert said(setup) == [{"value": 0}, {"value": 1, "msg_id": ""}]


def test_a_replay_comes_after_what_its_kernel_showed(setup: Setup) -> None:
    setup.execution().let_go()
    reader = attach(setup)
    view = setup.log.iopub("display_data", {"data": {"state": "a view of it"}}, E)
    widget = opened(setup, value=0)

    async def ahead() -> None:
        """The reader is faster than the kernel's own channel."""
        reading = asyncio.ensure_future(reader.on_batch([view, widget]))
        for _ in range(10):
            await asyncio.sleep(0)
        assert said(setup) == []
        await setup.remote.on_batch([view, widget])
        await asyncio.wait_for(reading, 10)

    asyncio.run(ahead())
    assert said(setup) == [{"value": 0}, "a view of it"]


def test_what_an_output_caught_is_caught_again_and_not_doubled(setup: Setup) -> None:
    setup.execution().let_go()
    records = [
        opened(setup, **OUTPUT),
        changed(setup, msg_id=LOCAL_MSG_ID),
        printed(setup, "in"),
        changed(setup, msg_id=""),
        printed(setup, "below"),
        changed(setup, msg_id=LOCAL_MSG_ID),
        printed(setup, "in again"),
        changed(setup, msg_id=""),
    ]
    setup.feed(*records)
    assert setup.kernel is not None
    start = len(setup.kernel.sent)
    reader = attach(setup)
    replay(reader, *records)
    assert said(setup, start) == [
        {"outputs": []},
        {"msg_id": NEW},
        "in",
        {"msg_id": ""},
        "below",
        {"msg_id": NEW},
        "in again",
        {"msg_id": ""},
    ]


def test_a_live_toggle_comes_once_and_in_its_row(setup: Setup) -> None:
    setup.execution().let_go()
    setup.feed(opened(setup, **OUTPUT))
    reader = attach(setup)
    live = [
        changed(setup, msg_id=LOCAL_MSG_ID, value=1),
        printed(setup, "in"),
        changed(setup, msg_id=""),
    ]
    setup.feed(*live)
    assert said(setup)[1:] == [{"value": 1}]
    replay(reader, *live)
    assert said(setup)[2:] == [{"outputs": []}, {"msg_id": NEW}, "in", {"msg_id": ""}]


def test_a_replay_that_is_left_leaves_no_output_catching(setup: Setup) -> None:
    setup.execution().let_go()
    records = [opened(setup, **OUTPUT), changed(setup, msg_id=LOCAL_MSG_ID)]
    setup.feed(*records)
    reader = attach(setup)
    replay(reader, *records)
    reader.close()
    assert said(setup)[-2:] == [{"msg_id": NEW}, {"msg_id": ""}]


def test_what_was_run_before_keeps_its_counts(setup: Setup) -> None:
    setup.execution(count=5)
    taken_up = setup.log.iopub("execute_input", {"execution_count": 3}, E)
    setup.feed(taken_up)
    replay(attach(setup), taken_up)
    assert dict(setup.remote.counts) == {3: 5}
    setup.remote.counts.clear()
    replay(attach(setup), taken_up)
    assert dict(setup.remote.counts) == {3: 9}


@pytest.mark.parametrize(
    ("meta", "own"),
    [
        ({"local_kernel": "L", "notebook": "/n/other.ipynb"}, True),  # it was renamed
        ({"local_kernel": "M", "notebook": "/n/mine.ipynb"}, True),  # closed, and opened again
        ({"local_kernel": "M", "notebook": "/n/other.ipynb"}, False),
        ({"local_kernel": None, "notebook": None}, False),  # of a terminal
        ({}, False),
    ],
)
def test_whose_cell_it_is_decides_what_stop_does(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, meta: dict[str, Any], own: bool
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.place.local_kernel", lambda shell: "L")
    monkeypatch.setattr("jupyter_remote_gpu.magic.place.notebook", lambda: "/n/mine.ipynb")
    monkeypatch.setattr("jupyter_remote_gpu.magic.session.Follower", _NoFollower)
    watched: list[bool] = []

    def wait(self: Any) -> None:
        watched.append(self._watching)

    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.Runner.wait", wait)
    monkeypatch.setattr("jupyter_remote_gpu.magic.place.cell_count", lambda _: 1)
    session = Session(setup.shell)
    info = {"id": E, "first": 1, "last": 1, "meta": meta}
    session.follow(setup.remote, info)
    setup.execution()  # one of this process's own, as the handle of a detached cell has it
    session.follow(setup.remote, info)
    assert watched == [not own, False]


class _NoFollower:
    channel = None

    def __init__(self, *_: Any) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_cell_of_a_kernel_that_was_let_go_of_is_shown_all_the_same(setup: Setup) -> None:
    """Nobody reads its own channel any more (`%gpu join`, say), and it said more since."""
    reader = attach(setup)
    setup.remote.close()
    said = setup.log.iopub("stream", {"name": "stdout", "text": "all of it"}, E)

    async def scenario() -> None:
        await asyncio.wait_for(reader.on_batch([said]), 5)

    asyncio.run(scenario())
    assert setup.kernel is not None
    assert [m["content"].get("text") for m in setup.kernel.received()] == ["all of it"]
