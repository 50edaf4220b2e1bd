"""`%gpu join`, and the line that says which kernels can be joined."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_remote_gpu.errors import BadInput, NotConnected, NotFound
from jupyter_remote_gpu.magic.arguments import parse_line
from jupyter_remote_gpu.magic.commands import run_command
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.session import Session
from tests.support.opening import Pod

Out = pytest.CaptureFixture[str]
SEVEN = "7" * 32


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The joined kernel is not asked for its names."""
    monkeypatch.setattr("jupyter_remote_gpu.magic.reopen._names", lambda remote: 12)
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/renamed.ipynb")


@pytest.fixture
def pod(pod: Pod) -> Pod:
    pod.answers["kernel.list"] = {"kernels": [{"id": SEVEN, "pod": "a", "alive": True}]}
    pod.answers["kernel.bind"] = lambda _: pod.told(7, joined=True)
    return pod


def run(session: Session, line: str) -> None:
    run_command(session, parse_line(line))


def test_a_kernel_is_joined_by_the_beginning_of_its_id(
    session: Session, pod: Pod, capsys: Out
) -> None:
    session.fresh.add("a")
    run(session, "join 7777")
    asked = [args for op, args in pod.asked if op == "kernel.bind"]
    bound = {"notebook": "/work/renamed.ipynb", "local_kernel": None}
    assert asked == [{"pod": "a", "kernel": SEVEN, **bound}]
    assert "Joined the kernel of" in (said := capsys.readouterr().out)
    assert "with 12 names" in said and "runs on" not in said
    assert session.kernels["a"].id == SEVEN
    assert (session.fresh, session.last_pod) == (set(), "a")
    # The next cell runs there: nothing is opened for it.
    assert session.kernel("a") == (session.kernels["a"], "")
    run(session, "join 7777")
    assert "is this notebook's already" in capsys.readouterr().out


def test_the_kernel_of_before_is_let_go_of_and_named(
    session: Session, pod: Pod, capsys: Out
) -> None:
    before, _ = session.kernel("a")
    run(session, "join 7777")
    assert pod.channels[0].closed and before.id == "1" * 32
    assert f"The kernel {before.id[:6]}, which this notebook had" in (
        said := capsys.readouterr().out
    )
    assert f"`%gpu stop {before.id[:6]}`" in said


def test_a_cell_that_runs_in_the_kernel_of_before_is_still_heard_of(
    session: Session, pod: Pod
) -> None:
    before, _ = session.kernel("a")
    before.add(Execution("e" * 32, "local", 1, {}))
    run(session, "join 7777")
    assert session.others == {before.id: before}
    assert not pod.channels[0].closed


@pytest.mark.parametrize("error", [NotConnected("It is off."), NotFound("It has ended.")])
def test_a_join_that_fails_changes_nothing(session: Session, pod: Pod, error: Exception) -> None:
    mine, _ = session.kernel("a")
    pod.answers["kernel.bind"] = error
    with pytest.raises(type(error)):
        run(session, "join 7777")
    assert session.kernel("a") == (mine, "")
    assert not pod.channel.closed


def test_an_id_that_is_none_is_told(session: Session) -> None:
    with pytest.raises(BadInput, match="at least 4"):
        run(session, "join 77")
    with pytest.raises(NotFound, match=r"No kernel has.*`%gpu kernels`"):
        run(session, "join 8888")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_fresh_kernel_names_one_that_could_be_joined(
    session: Session, pod: Pod, count: int
) -> None:
    rows = [{"id": SEVEN, "notebook": "/work/old.ipynb", "started": 0}, {"id": "8" * 32}]

    def open_one(args: dict[str, Any]) -> dict[str, Any]:
        return {**pod.told(1), "left": rows[:count]}

    pod.answers["kernel.open"] = open_one
    _, said = session.kernel("a")
    assert ("`%gpu join 777777`" in said) is (count > 0)
    assert ("(old.ipynb)" in said) is (count > 0)
    assert ("and 1 more" in said) is (count == 2)
