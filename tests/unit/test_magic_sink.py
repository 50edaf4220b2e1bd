"""Where a remote cell's messages go in the local kernel, and what of them does not go."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_remote_gpu.magic import raised
from jupyter_remote_gpu.magic.messages import Message
from jupyter_remote_gpu.magic.raised import RemoteError, RemoteInterrupt, remote_error
from jupyter_remote_gpu.magic.sink import KernelSink
from jupyter_remote_gpu.wire.records import Record
from tests.support.magic import LOCAL_MSG_ID, FakeKernel, ListSink, Setup, stream

E = "e" * 32
TRACE = ["\x1b[32mIn[3]\x1b[39m, line 1", "Cell In[1], line 2", "Input In [9]"]


def shown(setup: Setup) -> list[tuple[str, dict[str, Any]]]:
    assert setup.kernel is not None
    return [(m["msg_type"], m["content"]) for m in setup.kernel.received()]


def sink_of(setup: Setup) -> KernelSink:
    assert setup.kernel is not None
    return KernelSink(setup.kernel, setup.kernel.get_parent()["header"])


def printed(setup: Setup, text: str) -> Record:
    return setup.log.iopub("stream", {"name": "stdout", "text": text}, E)


def test_a_message_goes_on_byte_for_byte_under_the_local_parent() -> None:
    kernel = FakeKernel()
    header = {"msg_id": "r1", "msg_type": "display_data", "session": "the remote kernel's"}
    message = Message("display_data", header, b'{"a" : 1}', b'{"data" : {}}', [b"\x00buffer"])
    KernelSink(kernel, {"msg_id": LOCAL_MSG_ID}).emit(message)
    [frames] = kernel.sent
    assert json.loads(frames[3]) == {**message.header, "session": kernel.session.session}
    assert json.loads(frames[4]) == {"msg_id": LOCAL_MSG_ID}
    assert frames[5:] == [message.metadata, message.content, b"\x00buffer"]
    [read] = kernel.received()
    assert read["header"]["msg_id"] == "r1"


def test_shown_twice_it_is_no_replay_to_who_checks_signatures() -> None:
    kernel, message = FakeKernel(), stream("x")
    for suffix in ("", "-1", "-2"):
        KernelSink(kernel, {"msg_id": LOCAL_MSG_ID}, suffix).emit(message)
    assert len(kernel.received()) == 3


def test_what_only_concerns_the_remote_is_not_shown() -> None:
    setup = Setup()
    execution = setup.execution()
    execution.sink = sink_of(setup)
    log = setup.log
    setup.feed(
        log.iopub("status", {"execution_state": "busy"}, E),
        log.iopub("execute_input", {"code": "1", "execution_count": 3}, E),
        log.iopub("stream", {"name": "stdout", "text": "hello"}, E),
        log.iopub("execute_result", {"data": {}, "metadata": {}, "execution_count": 3}, E),
        log.iopub("status", {"execution_state": "idle"}, E),
        log.ended(E),
    )
    assert shown(setup) == [
        ("stream", {"name": "stdout", "text": "hello"}),
        ("execute_result", {"data": {}, "metadata": {}, "execution_count": 7}),
    ]
    assert execution.events.get_nowait()[0] == "ended"


def test_records_of_other_executions_are_passed_over() -> None:
    setup = Setup()
    setup.execution().sink = sink_of(setup)
    setup.feed(setup.log.iopub("stream", {"name": "stdout", "text": "theirs"}, "f" * 32))
    assert shown(setup) == []


def test_two_executions_of_one_cell_are_told_apart() -> None:
    setup, other = Setup(), "f" * 32
    first, second = setup.execution(), setup.execution(other)
    a, b = ListSink(), ListSink()
    first.sink, second.sink = a, b
    setup.feed(
        setup.log.iopub("stream", {"name": "stdout", "text": "one"}, E),
        setup.log.ended(E),
        setup.log.iopub("stream", {"name": "stdout", "text": "two"}, other),
        setup.log.ended(other, "error"),
    )
    assert (a.text, b.text) == ("one", "two")
    assert (first.outcome, second.outcome) == ("ok", "error")


def test_the_end_is_told_after_what_stands_before_it() -> None:
    setup = Setup()
    execution = setup.execution()
    seen: list[str] = []

    async def send(message: Message) -> None:
        seen.append(message.type)

    execution.sink = SimpleNamespace(paced=True, send=send)
    execution.events = SimpleNamespace(put=lambda e: seen.append(e[0]))  # type: ignore[assignment]
    setup.feed(
        setup.log.iopub("stream", {"name": "stdout", "text": "a"}, E),
        setup.log.iopub("stream", {"name": "stdout", "text": "b"}, E),
        setup.log.ended(E),
    )
    assert seen == ["stream", "ended"]


def error(setup: Setup, execution: str = E) -> Any:
    content = {"ename": "ZeroDivisionError", "evalue": "division by zero", "traceback": TRACE}
    return setup.log.iopub("error", content, execution)


def test_the_last_error_is_held_back_to_be_raised() -> None:
    setup = Setup()
    execution = setup.execution()
    execution.sink = sink_of(setup)
    setup.feed(error(setup), setup.log.ended(E, "error"))
    assert shown(setup) == []
    assert execution.error is not None
    assert not execution.error_shown


def test_an_error_in_the_middle_is_shown_in_its_place() -> None:
    """`ip.showtraceback()`, as ipywidgets.Output does it: the cell goes on."""
    setup = Setup()
    execution = setup.execution()
    execution.sink = sink_of(setup)
    setup.remote.counts.update({3: 7})
    setup.feed(error(setup), setup.log.iopub("stream", {"name": "stdout", "text": "on"}, E))
    kinds = shown(setup)
    assert [k for k, _ in kinds] == ["error", "stream"]
    assert kinds[0][1]["traceback"][0] == "\x1b[32mIn[7]\x1b[39m, line 1"
    assert execution.error_shown
    other = setup.execution("f" * 32)
    other.sink = sink_of(setup)
    setup.feed(error(setup, "f" * 32), setup.log.ended("f" * 32, "ok"))
    assert [k for k, _ in shown(setup)] == ["error", "stream", "error"]


def test_a_detached_cell_keeps_its_last_lines_only() -> None:
    setup = Setup()
    execution = setup.execution()
    execution.let_go()
    text = "".join(f"line {i}\n" for i in range(10_000))
    setup.feed(setup.log.iopub("stream", {"name": "stdout", "text": text}, E))
    assert shown(setup) == []
    assert execution.tail.endswith("line 9999\n")
    assert len(execution.tail) < 10_000


def test_the_raised_type_has_the_remote_name_and_its_traceback() -> None:
    content = {"ename": "ZeroDivisionError", "evalue": "no", "traceback": TRACE}
    e = remote_error(content, {3: 30, 1: 10})
    assert isinstance(e, RemoteError)
    assert (type(e).__name__, str(e)) == ("ZeroDivisionError", "no")
    assert e._render_traceback_() == [
        "\x1b[32mIn[30]\x1b[39m, line 1",
        "Cell In[10], line 2",
        "Input In [9]",
    ]


def test_an_interrupted_cell_raises_a_keyboard_interrupt() -> None:
    e = remote_error({"ename": "KeyboardInterrupt", "evalue": "", "traceback": ["t"]}, {})
    assert isinstance(e, RemoteInterrupt)
    assert isinstance(e, KeyboardInterrupt)
    assert type(e).__name__ == "KeyboardInterrupt"


@pytest.mark.parametrize("ename", [None, 5, "", "not a name", "class:X"])
def test_an_odd_error_is_raised_all_the_same(ename: object) -> None:
    e = remote_error({"ename": ename, "evalue": None, "traceback": None}, {})
    assert isinstance(e, RemoteError)
    assert e._render_traceback_()


def test_a_traceback_is_not_shown_twice() -> None:
    calls: list[Any] = []

    class Shell:
        _last_traceback: Any = None

        def _showtraceback(self, etype: Any, value: Any, lines: Any) -> None:
            calls.append(value)

    shell = Shell()
    installed = raised.install_quiet_traceback(shell)
    content = {"ename": "UsageError", "evalue": "no such magic", "traceback": None}
    for shown_already in (True, False):
        e = remote_error(content, {}, shown=shown_already)
        shell._showtraceback(type(e), e, e._render_traceback_())
    assert [e.shown for e in calls] == [False]
    raised.uninstall_quiet_traceback(shell, installed)
    assert "_showtraceback" not in shell.__dict__


def test_an_unreadable_record_costs_no_other_one() -> None:
    for kind, part in (("execute_result", 3), ("stream", 3), ("display_data", 2), ("stream", 0)):
        setup = Setup()
        execution = setup.execution()
        execution.sink = sink_of(setup)
        before = printed(setup, "a")
        broken = setup.log.iopub(kind, {"name": "stdout", "text": "-"}, E)
        broken.parts[part] = b"not JSON"
        setup.feed(before, broken, printed(setup, "b"), setup.log.ended(E))
        assert shown(setup) == [("stream", {"name": "stdout", "text": "ab"})]
        (kind, why), ended = execution.events.get_nowait(), execution.events.get_nowait()
        assert (kind, ended[0]) == ("trouble", "ended")
        assert "not JSON" in why


def test_an_unreadable_question_doubles_nothing() -> None:
    setup = Setup()
    execution = setup.execution()
    sink = ListSink()
    execution.sink = sink
    before = printed(setup, "once")
    broken = setup.log.iopub("input_request", {}, E, channel="stdin")
    broken.parts[3] = b"not JSON"
    setup.feed(before, broken)
    assert sink.text == "once"


def test_what_a_sink_cannot_show_costs_no_other_message() -> None:
    setup = Setup()
    execution = setup.execution()
    shown: list[str] = []

    async def send(message: Message) -> None:
        if message.type == "display_data":
            raise RuntimeError("no")
        shown.append(message.parse()["text"])

    execution.sink = SimpleNamespace(paced=True, send=send)
    before, picture = printed(setup, "a"), setup.log.iopub("display_data", {"data": {}}, E)
    setup.feed(before, picture, printed(setup, "b"))
    assert shown == ["a", "b"]


def test_text_that_is_no_utf8_is_shown_as_by_a_local_kernel() -> None:
    """`print("\\udcff")`: ipykernel sends the byte as it is, readers put a mark in its place."""
    setup = Setup()
    execution = setup.execution()
    execution.sink = sink_of(setup)
    records = [printed(setup, "x") for _ in range(2)]
    for record in records:
        record.parts[3] = b'{"name":"stdout","text":"\xff\\n"}'
    setup.feed(*records)
    assert shown(setup) == [("stream", {"name": "stdout", "text": "\ufffd\n\ufffd\n"})]


EVIL = {"comm_id": "d" * 32, "target_name": "evil", "data": {}}


@pytest.mark.parametrize("execution", [E, None])
@pytest.mark.parametrize("disguise", ["stream", "display_data", "comm_msg"])
def test_the_type_that_is_judged_is_the_type_that_is_sent(
    execution: str | None, disguise: str
) -> None:
    """A pod that says one thing in the record and another in the message gets nothing through."""
    for header in (
        b'{"msg_id":"1","msg_type":"comm_open"}',
        b'{"msg_type":"comm_open","msg_id":"1","msg_type":"%s"}' % disguise.encode(),
    ):
        setup = Setup()
        setup.execution().sink = sink_of(setup)
        assert setup.remote.hub is not None
        setup.remote.hub.parent_of = lambda _: {"msg_id": "front end's"}  # type: ignore[method-assign]
        record = setup.log.iopub(disguise, {**EVIL, "name": "stdout", "text": "x"}, execution)
        record.parts[0] = header
        setup.feed(record)
        assert setup.kernel is not None
        assert all(b"comm_open" not in frames[3] for frames in setup.kernel.sent)


@pytest.mark.parametrize("execution", [E, None])
@pytest.mark.parametrize("kind", ["shutdown_reply", "input_request", "execute_reply", "odd", "é"])
def test_only_what_shows_something_passes(execution: str | None, kind: str) -> None:
    setup = Setup()
    setup.execution().sink = sink_of(setup)
    assert setup.remote.hub is not None
    setup.remote.hub.parent_of = lambda _: {"msg_id": "front end's"}  # type: ignore[method-assign]
    setup.feed(setup.log.iopub(kind, {"name": "stdout", "text": "x"}, execution))
    assert shown(setup) == []
