"""Stand-ins for remote comms: what passes, both ways."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from comm import get_comm_manager

from jupyter_remote_gpu.client.comms import CommFold
from jupyter_remote_gpu.magic import pacing
from jupyter_remote_gpu.magic.pacing import Pacer
from tests.support.magic import Setup

E, ID = "e" * 32, "d" * 32


@pytest.fixture
def setup() -> Iterator[Setup]:
    setup = Setup()
    yield setup
    assert setup.remote.hub is not None
    setup.remote.close()
    assert get_comm_manager().comms == {}
    assert get_comm_manager().targets == {}


def shown(setup: Setup) -> list[dict[str, Any]]:
    assert setup.kernel is not None
    return setup.kernel.received()


def comm_open(setup: Setup, comm_id: str = ID, target: str = "jupyter.widget", **state: Any) -> Any:
    data = {"state": state, "buffer_paths": []}
    content = {"comm_id": comm_id, "target_name": target, "data": data}
    return setup.log.iopub("comm_open", content, E, buffers=[b"\x01\x02"])


def comm_msg(setup: Setup, state: dict[str, Any], comm_id: str = ID, execution: str = E) -> Any:
    content = {"comm_id": comm_id, "data": {"method": "update", "state": state}}
    return setup.log.iopub("comm_msg", content, execution)


def test_a_remote_comm_gets_a_stand_in_and_its_messages_go_on(setup: Setup) -> None:
    setup.feed(comm_open(setup, value=3), comm_msg(setup, {"value": 4}))
    stand_in = get_comm_manager().get_comm(ID)
    assert stand_in is not None
    assert stand_in.target_name == "jupyter.widget"
    opened, update = shown(setup)
    assert [opened["msg_type"], update["msg_type"]] == ["comm_open", "comm_msg"]
    assert bytes(opened["buffers"][0]) == b"\x01\x02"
    assert update["content"]["data"]["state"] == {"value": 4}


def test_comms_to_other_targets_do_not_pass(setup: Setup) -> None:
    setup.feed(comm_open(setup, target="evil"), comm_msg(setup, {"value": 4}))
    assert shown(setup) == []
    assert get_comm_manager().comms == {}


def test_a_front_ends_message_reaches_the_remote_without_the_local_subshell(setup: Setup) -> None:
    setup.feed(comm_open(setup))
    header = {"msg_id": "f1", "session": "lab", "subshell_id": "local-subshell"}
    header["date"] = datetime(2026, 11, 1, tzinfo=UTC)  # type: ignore[assignment]
    content = {"comm_id": ID, "data": {"method": "update", "state": {"value": 7}}}
    msg = {"header": header, "content": content, "buffers": [memoryview(b"raw")]}
    get_comm_manager().comm_msg(None, "", msg)
    [sent] = setup.face.channel.submitted
    assert (sent["type"], sent["channel"], sent["msg_id"]) == ("comm_msg", "shell", "f1")
    assert sent["content"] == content
    assert sent["buffers"] == [b"raw"]
    assert sent["header"]["date"] == "2026-11-01T00:00:00+00:00"
    assert "subshell_id" not in sent["header"]


def test_what_a_callback_prints_comes_back_under_the_front_ends_message(setup: Setup) -> None:
    setup.feed(comm_open(setup))
    header = {"msg_id": "f1", "session": "lab", "subshell_id": "s"}
    msg = {"header": header, "content": {"comm_id": ID, "data": {}}, "buffers": []}
    get_comm_manager().comm_msg(None, "", msg)
    said = {"name": "stdout", "text": "changed"}
    setup.feed(
        setup.log.iopub("status", {"execution_state": "busy"}, parent="f1"),
        setup.log.iopub("stream", said, parent="f1"),
        setup.log.iopub("stream", said, parent="somebody else's"),
    )
    _, callback = shown(setup)
    assert callback["content"] == said
    assert callback["parent_header"] == header


def test_closing_goes_both_ways(setup: Setup) -> None:
    setup.feed(comm_open(setup), comm_open(setup, "b" * 32))
    setup.feed(setup.log.iopub("comm_close", {"comm_id": ID, "data": {}}, E))
    assert list(get_comm_manager().comms) == ["b" * 32]
    msg = {"header": {"msg_id": "f2"}, "content": {"comm_id": "b" * 32, "data": {}}, "buffers": []}
    get_comm_manager().comm_close(None, "", msg)
    assert setup.face.channel.submitted[-1]["type"] == "comm_close"
    assert get_comm_manager().comms == {}


def test_collecting_garbage_closes_nothing(setup: Setup) -> None:
    setup.feed(comm_open(setup))
    before = len(shown(setup))
    assert setup.remote.hub is not None
    stand_in = setup.remote.hub.open[ID]
    setup.remote.hub._forget(ID)
    del stand_in
    gc.collect()
    assert setup.face.channel.submitted == []
    assert len(shown(setup)) == before


def test_a_comm_lives_on_after_its_cell_and_ends_with_its_kernel(setup: Setup) -> None:
    setup.feed(comm_open(setup), setup.log.ended(E), comm_msg(setup, {"value": 9}))
    assert shown(setup)[-1]["content"]["data"]["state"] == {"value": 9}
    setup.feed(setup.log.keeper("died", code=None, signal="SIGKILL", asked=False, stderr=""))
    assert shown(setup)[-1]["msg_type"] == "comm_close"
    assert get_comm_manager().comms == {}


def reading(records: list[Any]) -> CommFold:
    fold = CommFold()
    for record in records:
        fold.feed(record)
    return fold


def test_reopened_comms_are_announced_and_their_past_is_left_out(setup: Setup) -> None:
    read = [
        comm_open(setup, value=1),
        comm_open(setup, "c" * 32, "evil"),
        comm_open(setup, "é", value=1),  # no comm is called so; it costs no other one
        comm_open(setup, "b" * 32, value=2),
    ]
    live = [comm_msg(setup, {"value": 5}), comm_msg(setup, {"value": 6})]
    setup.remote.seen = 4
    assert not asyncio.run(setup.remote.reopen(reading(read[:3])))
    assert shown(setup) == []
    assert asyncio.run(setup.remote.reopen(reading([*read, live[0]])))
    setup.feed(*live)
    said = [(m["msg_type"], m["content"]["data"]["state"]) for m in shown(setup)]
    assert said == [
        ("comm_open", {"value": 5}),
        ("comm_open", {"value": 2}),
        ("comm_msg", {"value": 6}),
    ]
    assert set(get_comm_manager().comms) == {ID, "b" * 32}


@pytest.mark.parametrize("end", ["reopen", "died", "close"])
def test_many_widgets_are_paced(setup: Setup, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """250 bars are 2,000 comms; the local kernel's iopub holds 1,000 messages."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(pacing.asyncio, "sleep", sleep)
    opened = [comm_open(setup, f"{i:032x}", value=i) for i in range(2000)]
    if end != "reopen":
        setup.feed(*opened)
        setup.remote.pacer = Pacer()
        slept.clear()
    if end == "reopen":
        assert asyncio.run(setup.remote.reopen(reading(opened)))
    elif end == "died":
        setup.feed(setup.log.keeper("died", code=None, signal="SIGKILL", asked=False, stderr=""))
    else:
        setup.remote.close(tell=True)
    kind = "comm_open" if end == "reopen" else "comm_close"
    assert sum(m["msg_type"] == kind for m in shown(setup)) == 2000
    assert len(slept) > 1000


def test_what_a_widget_refers_to_is_opened_before_it(setup: Setup) -> None:
    box, inner, button, style = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
    fold = reading(
        [
            comm_open(setup, box, children=[]),
            comm_open(setup, inner, style="IPY_MODEL_" + style, back="IPY_MODEL_" + box),
            comm_open(setup, style),
            comm_open(setup, button),
            comm_msg(
                setup, {"children": ["IPY_MODEL_" + button, {"x": ["IPY_MODEL_" + inner]}]}, box
            ),
        ]
    )
    assert [comm_id for comm_id, *_ in fold.reopened()] == [button, style, inner, box]
