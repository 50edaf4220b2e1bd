"""Rule 10: the first answer wins, a replay never asks what was answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from jupyter_remote_gpu.errors import DaemonError, RemoteGPUError
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.raised import ControlBack, KernelDied
from jupyter_remote_gpu.magic.runner import Runner
from tests.support.magic import ListSink, Setup
from tests.support.script import Script, stop, until

E = "e" * 32


def question(setup: Setup, prompt: str = "who? ", password: bool = False) -> Any:
    content = {"prompt": prompt, "password": password}
    return setup.log.iopub("input_request", content, E, channel="stdin")


def answered(setup: Setup, number: int) -> Any:
    return setup.log.keeper("request", None, type="input_reply", answers=number, client="f" * 32)


@pytest.fixture
def execution(setup: Setup) -> Execution:
    execution = setup.execution()
    execution.sink = ListSink()
    return execution


def test_a_question_is_asked_and_its_answer_names_it(setup: Setup, execution: Execution) -> None:
    kernel = setup.kernel
    assert kernel is not None
    kernel.answers.put("bob")
    kernel.answers.put("secret")
    replies = setup.face.channel.submitted

    def play() -> None:
        setup.feed(question(setup))
        until(lambda: len(replies) == 1)
        setup.feed(question(setup, "pw? ", True))
        until(lambda: len(replies) == 2)
        setup.feed(setup.log.ended(E))

    Script(setup, play).run(Runner(setup.shell, setup.remote, execution))
    assert kernel.prompts == [("who? ", False), ("pw? ", True)]
    assert [(r["type"], r["channel"], r["answers"], r["content"]["value"]) for r in replies] == [
        ("input_reply", "stdin", 1, "bob"),
        ("input_reply", "stdin", 2, "secret"),
    ]
    assert len({r["msg_id"] for r in replies}) == 2


def test_an_answer_from_elsewhere_withdraws_the_question(
    setup: Setup, execution: Execution
) -> None:
    kernel = setup.kernel
    assert kernel is not None

    def play() -> None:
        setup.feed(question(setup))
        until(lambda: kernel.prompts)
        setup.feed(answered(setup, 1))
        setup.feed(setup.log.ended(E))

    Script(setup, play).run(Runner(setup.shell, setup.remote, execution))
    assert setup.face.channel.submitted == []
    assert setup.face.channel.interrupts == []


def test_stop_instead_of_an_answer_interrupts(setup: Setup, execution: Execution) -> None:
    kernel = setup.kernel
    assert kernel is not None

    def play() -> None:
        setup.feed(setup.log.keeper("running", E), question(setup))
        until(lambda: kernel.prompts)
        stop()
        until(lambda: setup.face.channel.interrupts)
        stop()

    with pytest.raises(ControlBack):
        Script(setup, play).run(Runner(setup.shell, setup.remote, execution))
    assert setup.face.channel.interrupts == [E]
    assert setup.face.channel.submitted == []


def test_a_replay_does_not_ask_what_was_answered(setup: Setup) -> None:
    execution = Execution(E, "local", 1, {}, catch_up=4)
    setup.remote.add(execution)
    setup.feed(question(setup))
    setup.feed(answered(setup, 1), question(setup, "open? "))
    assert execution.events.empty()
    setup.feed(setup.log.keeper("interrupt", E))
    assert execution.events.get_nowait() == ("input", 3, "open? ", False)
    setup.feed(setup.log.iopub("status", {"execution_state": "busy"}, E))
    assert execution.events.empty()


def test_an_ended_cell_asks_nothing(setup: Setup) -> None:
    execution = Execution(E, "local", 1, {}, catch_up=2)
    setup.remote.add(execution)
    setup.feed(question(setup), setup.log.ended(E, "died"))
    assert execution.events.get_nowait()[0] == "ended"
    assert execution.events.empty()


def _dies(setup: Setup) -> None:
    setup.feed(setup.log.keeper("died", code=None, signal="SIGKILL", asked=False))
    setup.feed(setup.log.ended(E, "died"))


def _goes(setup: Setup) -> None:
    setup.control(type="link", state="disconnected", reason="You let it go.")


def _breaks(setup: Setup) -> None:
    setup.face.channel.done.set_exception(DaemonError("No daemon can be had."))


@pytest.mark.parametrize(
    ("ends", "raised", "said"),
    [
        (_dies, KernelDied, "killed by SIGKILL"),
        (lambda setup: setup.remote.lose({"gone": True}), KernelDied, "is gone"),
        (_goes, ControlBack, "You let it go. .* waits for an answer"),
        (_breaks, RemoteGPUError, "No daemon .* waits for an answer"),
    ],
)
def test_a_question_is_taken_back_when_the_waiting_ends(
    setup: Setup,
    execution: Execution,
    ends: Callable[[Setup], None],
    raised: type[BaseException],
    said: str,
) -> None:
    """Nobody may be there to answer it."""
    kernel = setup.kernel
    assert kernel is not None

    def play() -> None:
        setup.feed(setup.log.keeper("running", E), question(setup))
        until(lambda: kernel.prompts)
        ends(setup)

    with pytest.raises(raised, match=said):
        Script(setup, play).run(Runner(setup.shell, setup.remote, execution))
    assert setup.face.channel.submitted == []
