"""A cell that did not end by itself: what is raised live is what is filled in later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_remote_gpu.client.ends import end_output
from jupyter_remote_gpu.client.outputs import fold
from jupyter_remote_gpu.magic.ending import finish
from tests.support.talk import Talk

A = "a" * 32
KILLED = {"code": None, "signal": "SIGKILL", "asked": False, "stderr": "last\nwords\n"}


def raised(outcome: str, **told: Any) -> BaseException:
    """What the magic raises."""
    told = {"ended": {}, "died": {}, "reply": {}, "started_at": None, **told}
    execution = SimpleNamespace(outcome=outcome, **told)
    with pytest.raises(BaseException) as caught:
        finish(None, SimpleNamespace(pod="p", counts={}), execution)  # type: ignore[arg-type]
    return caught.value


FAILED = {**KILLED, "signal": None, "code": 3}


@pytest.mark.parametrize(
    ("died", "ran", "said"),
    [
        (KILLED, True, "killed by SIGKILL (often: out of memory) while this cell ran. What it"),
        (FAILED, True, "ended with status 3 while this cell ran"),
        ({**KILLED, "asked": True}, True, "The kernel on p was stopped while this cell ran"),
        ({}, True, "The kernel on p is gone while this cell ran"),
        # It waited for its turn, and another cell ended the kernel.
        ({**FAILED, "ready": True}, False, "ended with status 3 before this cell began. Its vari"),
        ({**FAILED, "ready": False, "asked": True}, False, "was stopped before this cell began."),
        ({}, False, "The kernel on p is gone before this cell began, as far as is known. Its"),
        # In start-up: the next one would do the same.
        ({**FAILED, "ready": False}, False, "p did not start: it ended with status 3. Mend what"),
    ],
)
def test_a_kernel_that_died_is_told_as_it_is_live(
    died: dict[str, Any], ran: bool, said: str
) -> None:
    live = raised("died", died=died, started_at=1.0 if ran else None)
    output = end_output("died", "p", died, ran=ran)
    assert output is not None and said in output["evalue"]
    assert ("stands above" in output["evalue"]) == ran
    assert ("Its last words:\nlast\nwords" in output["evalue"]) == bool(died)
    assert (output["ename"], output["evalue"]) == (type(live).__name__, str(live))
    assert output["traceback"] == [f"KernelDied: {live}"]


def test_a_cell_that_was_taken_back_is_told_as_it_is_live() -> None:
    live = raised("aborted")
    output = end_output("aborted", "p", {}, ran=False)
    assert output is not None
    assert output["ename"] == type(live).__name__ == "KeyboardInterrupt"
    assert output["evalue"] == str(live)
    assert output["traceback"] == live.lines  # type: ignore[attr-defined]


@pytest.mark.parametrize("outcome", ["ok", "error", None])
def test_who_ended_alone_has_said_so(outcome: str | None) -> None:
    assert end_output(outcome, "p", {}, ran=True) is None


@pytest.mark.parametrize("sign", ["running", "gap", None])
def test_whether_a_cell_ran_is_read_off_its_records(sign: str | None) -> None:
    talk = Talk()
    talk.note("running", {}, "b" * 32)
    if sign is not None:
        talk.note(sign, {"messages": 3, "bytes": 30, "reason": "the bounds"}, A)
    talk.note("ended", {"outcome": "died"}, A)
    assert fold(talk.records, A).ran is (sign is not None)


@pytest.mark.parametrize("waits", [False, True])
def test_it_comes_last(waits: bool) -> None:
    talk = Talk()
    talk.stream("before\n")
    if waits:
        talk.clear(A, wait=True)
    talk.note("died", KILLED)
    talk.note("ended", {"outcome": "died", "signal": "SIGKILL"}, A)
    told = fold(talk.records, A)
    assert told.died["stderr"] == KILLED["stderr"]
    error = {"output_type": "error"}
    said = [] if waits else ["before\n"]
    for _ in range(2):  # who asks twice is told the same
        *shown, last = told.and_then(error)
        assert ([o["text"] for o in shown], last) == (said, error)
