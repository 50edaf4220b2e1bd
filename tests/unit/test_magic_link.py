"""What a `%%gpu` cell says itself: of its link, of its pod, of what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_remote_gpu.magic.ending import finish
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.raised import ControlBack, KernelDied
from jupyter_remote_gpu.magic.runner import Runner
from jupyter_remote_gpu.magic.sink import PythonSink
from tests.support.magic import Setup
from tests.support.script import PATIENCE, Script, shown, stop, until

E = "e" * 32


def link(setup: Setup, state: str) -> Callable[[], None]:
    return lambda: setup.control(type="link", state=state, reason="the network is gone")


def test_a_cut_is_told_once_and_taken_back(
    setup: Setup, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.QUIET_SECONDS", 0.0)

    def count(n: int) -> Callable[[], Any]:
        return lambda: until(lambda: len(shown(setup)) == n)

    steps = [
        link(setup, "reconnecting"),
        count(1),
        link(setup, "connecting"),
        link(setup, "connected"),
        count(2),
        link(setup, "reconnecting"),
        count(3),
        link(setup, "connected"),
        lambda: setup.feed(setup.log.ended(E)),
    ]
    Script(setup, *steps).run(runner)
    said = shown(setup)
    # The second one stands where the cell is by then, and is seen also if that was cleared.
    assert [k for k, _ in said] == ["display_data", "update_display_data"] * 2
    assert "the network is gone" in said[0][1]["text/plain"]
    assert "waits" in said[0][1]["text/plain"]
    assert [bool(d) for _, d in said] == [True, False, True, False]


def test_a_hiccup_of_the_link_leaves_no_trace(
    setup: Setup, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.QUIET_SECONDS", PATIENCE)
    steps = [link(setup, "reconnecting"), link(setup, "connected")]
    Script(setup, *steps, lambda: setup.feed(setup.log.ended(E))).run(runner)
    assert shown(setup) == []


def test_stop_during_a_cut_says_when_it_will_be_sent(setup: Setup, runner: Runner) -> None:
    setup.control(type="link", state="reconnecting", reason=None)

    def end() -> None:
        until(lambda: any("interrupted when it is back" in str(d) for _, d in shown(setup)))
        setup.feed(setup.log.ended(E))

    Script(setup, stop, end).run(Runner(setup.shell, setup.remote, runner._execution))
    assert setup.face.channel.interrupts == [E]


@pytest.mark.parametrize("state", ["reconnecting", "connected", ""])
@pytest.mark.parametrize("cut", ["shown", "queued", "unknown"])
def test_what_becomes_of_a_cell_is_told_by_the_facts(
    setup: Setup, execution: Execution, cut: str, state: str
) -> None:
    """Stop twice in a cut, noticed or not: the interrupt is done when the link is back."""
    said = {
        "shown": "runs on until it hears of the interrupt; `%gpu attach",
        "queued": "stays queued until the interrupt comes there, and is then taken back unrun; "
        "`%gpu attach",
        "unknown": "Whether demo has taken the cell is not known: .* is then interrupted; "
        "`%gpu status`",
    }[cut]
    if cut != "unknown":
        execution.accept(1)
    if cut == "shown":
        setup.feed(setup.log.keeper("running", E))
    setup.control(type="link", state=state, reason=None)

    def again() -> None:
        until(lambda: setup.face.channel.interrupts)
        stop()

    with pytest.raises(ControlBack, match=said):
        Script(setup, stop, again).run(Runner(setup.shell, setup.remote, execution))


def test_an_answered_interrupt_is_not_announced_again(
    setup: Setup, execution: Execution, runner: Runner
) -> None:
    def again() -> None:
        until(lambda: setup.face.channel.interrupts)
        setup.control(type="interrupted", tag="tag1", done=True)
        setup.control(type="link", state="reconnecting", reason=None)
        stop()

    setup.feed(setup.log.keeper("running", E))
    with pytest.raises(ControlBack, match="On demo the cell runs on; `%gpu attach"):
        Script(setup, stop, again).run(runner)


def test_a_kernel_that_the_pod_has_no_more_ends_its_cell(setup: Setup, runner: Runner) -> None:
    setup.feed(setup.log.keeper("running", E))
    waiting = setup.execution("f" * 32)
    gone = {"state": "failed", "reason": "The pod has no kernel any more.", "code": "kernel-gone"}
    with pytest.raises(KernelDied, match=r"is gone while this cell ran(.|\n)*a fresh kernel"):
        Script(setup, lambda: setup.control(type="link", **gone)).run(runner)
    assert setup.remote.died is not None
    assert waiting.state == "died"


def test_a_cell_ends_when_its_kernel_is_ended_in_another_thread(
    setup: Setup, execution: Execution
) -> None:
    """`%gpu restart` in a subshell: the kernel is let go of before its log says `ended`."""
    setup.feed(setup.log.keeper("running", E))
    setup.remote.lose({"gone": True})
    assert execution.events.get(timeout=0)[0] == "ended"
    with pytest.raises(KernelDied, match="is gone while this cell ran"):
        finish(setup.shell, setup.remote, execution)


def test_an_attached_cell_hears_that_the_kernel_is_gone(setup: Setup, execution: Execution) -> None:
    gone = {"state": "failed", "reason": "No such kernel.", "code": "kernel-gone"}
    execution.events.put(("link", gone))
    with pytest.raises(KernelDied):
        Runner(setup.shell, setup.remote, execution).wait()


def _notices(setup: Setup) -> list[str]:
    """The sentences that stand there now, by nbclient's rules for displays."""
    assert setup.kernel is not None
    places: dict[str, str] = {}
    pending = False
    for message in setup.kernel.received():
        kind, content = message["msg_type"], message["content"]
        if kind == "clear_output":
            pending = content["wait"]
            places = places if pending else {}
        elif kind in ("stream", "display_data"):
            places, pending = ({}, False) if pending else (places, False)
        id = content.get("transient", {}).get("display_id")
        if kind == "display_data" or (kind == "update_display_data" and id in places):
            places[id] = content["data"].get("text/plain", "")
    return [text for text in places.values() if text]


def test_a_cut_after_a_cleared_one_is_told_again(
    setup: Setup, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.QUIET_SECONDS", 0.0)
    log = setup.log

    def clear() -> None:
        setup.feed(
            log.iopub("clear_output", {"wait": True}, E),
            log.iopub("stream", {"name": "stdout", "text": "round"}, E),
        )

    def told(n: int) -> Callable[[], Any]:
        return lambda: until(lambda: len(_notices(setup)) == n)

    cut, back = link(setup, "reconnecting"), link(setup, "connected")
    Script(
        setup,
        cut,
        told(1),
        clear,
        told(0),
        back,
        cut,
        told(1),
        back,
        told(0),
        lambda: setup.feed(log.ended(E)),
    ).run(runner)


def test_a_notice_never_wipes_a_figure_that_waits_to_be_replaced(
    setup: Setup, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.QUIET_SECONDS", 0.0)
    log = setup.log
    setup.feed(
        log.iopub("display_data", {"data": {"text/plain": "figure"}, "metadata": {}}, E),
        log.iopub("clear_output", {"wait": True}, E),
    )
    steps = [
        link(setup, "reconnecting"),
        lambda: until(lambda: "link" in runner._notices),
        link(setup, "connected"),
        lambda: setup.feed(log.ended(E)),
    ]
    Script(setup, *steps).run(runner)
    assert [k for k, _ in shown(setup)] == ["display_data", "clear_output"]


def test_a_notice_is_not_caught_by_an_output_widget(
    setup: Setup, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.QUIET_SECONDS", 0.0)
    execution.comm_sink = execution.sink
    log, comm = setup.log, "c" * 32

    def capture(msg_id: str) -> Any:
        data = {"method": "update", "state": {"msg_id": msg_id}}
        return log.iopub("comm_msg", {"comm_id": comm, "data": data}, E)

    opened = {"comm_id": comm, "target_name": "jupyter.widget", "data": {"state": {}}}
    setup.feed(log.iopub("comm_open", opened, E), capture("local-cell-1"))
    runner = Runner(setup.shell, setup.remote, execution)
    steps = [
        link(setup, "reconnecting"),
        lambda: until(lambda: "link" in runner._notices),
        lambda: setup.feed(capture("")),
        lambda: runner._notices.settle(),
        lambda: until(lambda: len(_notices(setup)) == 1),
        link(setup, "connected"),
        lambda: setup.feed(log.ended(E)),
    ]
    Script(setup, *steps).run(runner)
    kinds = [k for k, _ in shown(setup) if k != "comm_open"]
    assert kinds == ["comm_msg", "comm_msg", "display_data", "update_display_data"]


def test_what_is_over_is_taken_away_and_nothing_is_told_twice(setup: Setup, runner: Runner) -> None:
    error = {"kind": "link", "code": "x", "message": "The slider was not moved."}
    full = {"type": "trouble", "where": "laptop"}

    def tell() -> None:
        for number in (50, 51, 52):
            setup.control(type="rejected", number=number, error=error)
        setup.control(**full, message="The disk is full.")
        until(lambda: len(_notices(setup)) == 2)
        setup.control(**full, message=None)
        until(lambda: len(_notices(setup)) == 1)
        setup.feed(setup.log.ended(E))

    runner._execution.number = 1
    Script(setup, tell).run(runner)
    assert _notices(setup) == ["[gpu] The slider was not moved."]


@pytest.mark.parametrize("state", ["disconnected", "failed", "host-key"])
@pytest.mark.parametrize(
    ("reason", "said"),
    [("Gone.", "Gone."), ("it was removed", "it was removed."), ("Is it on?", "Is it on?")],
)
def test_a_pod_that_is_let_go_gives_control_back(
    setup: Setup, runner: Runner, state: str, reason: str, said: str
) -> None:
    setup.feed(setup.log.keeper("running", E))
    words = re.escape(f"demo: {said} Control is back. On demo the cell runs on")
    with pytest.raises(ControlBack, match=words):
        Script(setup, lambda: setup.control(type="link", state=state, reason=reason)).run(runner)


def test_a_captured_cell_shows_trouble_and_nothing_of_its_link(
    setup: Setup, execution: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.QUIET_SECONDS", 0.0)
    execution.comm_sink, execution.sink = execution.sink, PythonSink(setup.shell, execution)
    runner = Runner(setup.shell, setup.remote, execution)
    steps = [
        link(setup, "reconnecting"),
        lambda: until(lambda: "link" in runner._notices),
        lambda: setup.control(type="trouble", where="pod", message="The disk is full."),
        lambda: setup.feed(setup.log.ended(E)),
    ]
    Script(setup, *steps).run(runner)
    assert _notices(setup) == ["[gpu] The disk is full."]
