"""The wait of a `%%gpu` cell: its end, Stop, the link, questions."""

from __future__ import annotations

import signal
from types import SimpleNamespace

import pytest

from jupyter_remote_gpu.errors import DaemonError, NotConnected, RemoteGPUError
from jupyter_remote_gpu.magic import runner as runner_module
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.raised import ControlBack, KernelDied, RemoteError, RemoteInterrupt
from jupyter_remote_gpu.magic.runner import Runner, refuse_if_down
from tests.support.magic import Setup
from tests.support.script import Script, shown, stop, until

E = "e" * 32


def test_a_cell_that_ends_well_returns(setup: Setup, execution: Execution, runner: Runner) -> None:
    before = signal.getsignal(signal.SIGINT)
    Script(setup, lambda: setup.feed(setup.log.ended(E))).run(runner, lambda: 41)
    assert execution.number == 41
    assert signal.getsignal(signal.SIGINT) is before


def test_a_program_around_python_keeps_its_signal(
    setup: Setup, execution: Execution, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python cannot put back a handler that is not its own."""
    around = SimpleNamespace(SIGINT=signal.SIGINT, getsignal=lambda _: None)  # nothing sets one
    monkeypatch.setattr(runner_module, "signal", around)
    setup.feed(setup.log.ended(E))
    runner.wait(lambda: 41)
    assert execution.outcome == "ok"


def test_a_remote_error_is_raised_once(setup: Setup, runner: Runner) -> None:
    content = {"ename": "ValueError", "evalue": "no", "traceback": ["the remote traceback"]}
    log = setup.log
    records = log.iopub("error", content, E), log.ended(E, "error", ename="ValueError")
    with pytest.raises(RemoteError) as caught:
        Script(setup, lambda: setup.feed(*records)).run(runner)
    assert type(caught.value).__name__ == "ValueError"
    assert caught.value._render_traceback_() == ["the remote traceback"]
    assert not caught.value.shown
    assert shown(setup) == []


def test_a_failure_that_the_remote_has_shown_is_not_shown_again(
    setup: Setup, runner: Runner
) -> None:
    """A UsageError: text on stderr, and an error in the reply only."""
    log = setup.log
    records = (
        log.iopub("stream", {"name": "stderr", "text": "UsageError: no"}, E),
        log.iopub("execute_reply", {"ename": "UsageError", "evalue": "no"}, E, channel="shell"),
        log.ended(E, "error"),
    )
    with pytest.raises(RemoteError) as caught:
        Script(setup, lambda: setup.feed(*records)).run(runner)
    assert (type(caught.value).__name__, caught.value.shown) == ("UsageError", True)


def test_a_dead_kernel_is_an_error_with_its_last_words(setup: Setup, runner: Runner) -> None:
    log = setup.log
    said = {"code": None, "signal": "SIGKILL", "asked": False}
    records = (
        log.iopub("stream", {"name": "stdout", "text": "kept"}, E),
        log.keeper("died", stderr="terminate called", **said),
        log.ended(E, "died", **said),
    )
    with pytest.raises(KernelDied, match=r"SIGKILL.*out of memory(.|\n)*terminate called"):
        Script(setup, lambda: setup.feed(*records)).run(runner)
    assert [k for k, _ in shown(setup)] == ["stream"]
    assert setup.remote.died is not None


def test_stop_interrupts_the_remote_cell_and_waits(setup: Setup, runner: Runner) -> None:
    content = {"ename": "KeyboardInterrupt", "evalue": "", "traceback": ["t"]}

    def end() -> None:
        until(lambda: setup.face.channel.interrupts)
        setup.feed(setup.log.iopub("error", content, E), setup.log.ended(E, "error"))

    with pytest.raises(RemoteInterrupt):
        Script(setup, stop, end).run(runner)
    assert setup.face.channel.interrupts == [E]


def test_a_second_stop_gives_control_back_and_says_how_to_attach(
    setup: Setup, execution: Execution, runner: Runner
) -> None:
    def again() -> None:
        until(lambda: setup.face.channel.interrupts)
        setup.control(type="interrupted", tag="tag1", done=True)
        stop()

    setup.feed(setup.log.keeper("running", E))
    with pytest.raises(ControlBack, match=f"runs on; `%gpu attach {E[:6]}`"):
        Script(setup, stop, again).run(runner)
    assert setup.face.channel.interrupts == [E]
    setup.feed(setup.log.iopub("stream", {"name": "stdout", "text": "later"}, E))
    assert shown(setup) == []
    assert execution.outcome is None


def test_a_stop_ends_the_watching_of_another_notebooks_cell(
    setup: Setup, execution: Execution
) -> None:
    setup.feed(setup.log.keeper("running", E))
    runner = Runner(setup.shell, setup.remote, execution, watching=True)
    with pytest.raises(
        ControlBack, match=f"no longer watched here.*runs on; `%gpu attach {E[:6]}`"
    ):
        Script(setup, stop).run(runner)
    assert setup.face.channel.interrupts == []


@pytest.mark.parametrize("sign", ["request", "message"])
def test_the_end_of_the_local_kernel_is_no_stop(setup: Setup, runner: Runner, sign: str) -> None:
    """Who restarts a kernel interrupts it first, and asks it to end right after."""
    kernel = setup.kernel
    assert kernel is not None

    def restart() -> None:
        stop()
        if sign == "request":
            kernel.control = {"header": {"msg_type": "shutdown_request"}}
        else:
            kernel._shutdown_message = {"msg_type": "shutdown_reply"}

    setup.feed(setup.log.keeper("running", E))
    with pytest.raises(ControlBack, match=f"runs on; `%gpu attach {E[:6]}`"):
        Script(setup, restart).run(runner)
    assert setup.face.channel.interrupts == []


def test_two_stops_at_once_interrupt_and_give_control_back(setup: Setup, runner: Runner) -> None:
    setup.feed(setup.log.keeper("running", E))

    def twice() -> None:
        stop()
        until(lambda: runner._stops == 1)
        stop()

    with pytest.raises(ControlBack):
        Script(setup, twice).run(runner)
    assert setup.face.channel.interrupts == [E]


def test_a_stop_goes_ahead_of_what_is_to_be_shown(
    setup: Setup, execution: Execution, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupts = setup.face.channel.interrupts
    seen: list[int] = []
    name = "jupyter_remote_gpu.magic.runner"
    monkeypatch.setattr(f"{name}.show_here", lambda *_: seen.append(len(interrupts)))
    monkeypatch.setattr(f"{name}.STOP_SECONDS", 0.0)
    for _ in range(3):
        execution.events.put(("message", None))
    runner._pressed = 1
    Script(setup, lambda: setup.feed(setup.log.ended(E))).run(runner)
    assert seen == [1, 1, 1]


def test_nothing_is_handed_to_a_pod_that_is_down() -> None:
    refuse_if_down("demo", {"state": "reconnecting"})
    refuse_if_down("demo", {})
    with pytest.raises(NotConnected, match=r"failed: No route\. Type `%gpu connect demo`"):
        refuse_if_down("demo", {"state": "failed", "reason": "No route."})


def test_a_rejected_cell_is_an_error(setup: Setup, runner: Runner) -> None:
    error = {"kind": "not-found", "code": "kernel-ended", "message": "the kernel has ended"}

    def reject() -> None:
        setup.control(type="rejected", client="c" * 32, number=40, error=error)
        setup.control(type="rejected", client="c" * 32, number=41, error=error)

    with pytest.raises(Exception, match="the kernel has ended"):
        Script(setup, lambda: until(lambda: runner._execution.number), reject).run(
            runner, lambda: 41
        )


def test_a_channel_that_breaks_ends_the_wait(setup: Setup, runner: Runner) -> None:
    broken = DaemonError("No daemon can be had.")
    setup.feed(setup.log.keeper("running", E))
    with pytest.raises(RemoteGPUError, match=r"be had\. On demo the cell runs on; `%gpu attach"):
        Script(setup, lambda: setup.face.channel.done.set_exception(broken)).run(runner)
    assert setup.remote.broken is broken


def test_a_wait_that_fails_says_where_the_cell_is(setup: Setup, execution: Execution) -> None:
    kernel = setup.kernel
    assert kernel is not None

    def no_answers(prompt: str) -> str:
        raise NotImplementedError("this front end takes no answers")

    kernel.raw_input = no_answers  # type: ignore[method-assign]
    content = {"prompt": "who? ", "password": False}
    setup.feed(
        setup.log.keeper("running", E),
        setup.log.iopub("input_request", content, E, channel="stdin"),
    )
    with pytest.raises(NotImplementedError):
        Runner(setup.shell, setup.remote, execution).wait()
    assert "the cell waits for an answer; `%gpu attach" in shown(setup)[-1][1]["text/plain"]
    assert execution.sink is None


def test_only_pages_of_the_remotes_payloads_pass(setup: Setup, runner: Runner) -> None:
    payload = [
        {"source": "ask_exit", "keepkernel": False},
        {"source": "set_next_input", "text": "rm -rf"},
        {"source": "edit_magic", "filename": "x"},
        {"source": "page", "data": {"text/plain": "help"}, "start": 3},
        "odd",
    ]
    reply = setup.log.iopub("execute_reply", {"payload": payload}, E, channel="shell")
    Script(setup, lambda: setup.feed(reply, setup.log.ended(E))).run(runner)
    assert setup.payloads == [{"source": "page", "data": {"text/plain": "help"}, "start": 0}]
