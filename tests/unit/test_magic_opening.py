"""A notebook's kernel on a pod: opened, waited for, replaced, interrupted, ended."""

from __future__ import annotations

import asyncio
import signal
import threading
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_remote_gpu.errors import DaemonError, NotConnected, NotFound, WireError
from jupyter_remote_gpu.magic.arguments import parse_line
from jupyter_remote_gpu.magic.commands import run_command
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.kernels import RemoteKernel
from jupyter_remote_gpu.magic.raised import ControlBack
from jupyter_remote_gpu.magic.session import Session
from jupyter_remote_gpu.wire.records import Record
from tests.support.magic import Log
from tests.support.opening import Pod
from tests.support.script import until

Out = pytest.CaptureFixture[str]


def run(session: Session, line: str) -> None:
    run_command(session, parse_line(line))


def feed(remote: RemoteKernel, *records: Record) -> None:
    asyncio.run(remote.on_batch(list(records)))


def died(after: int = 0, **how: Any) -> Record:
    return Log(after).keeper("died", **{"code": 0, "signal": None, "asked": True, **how})


# -- restart


def test_without_a_kernel_restart_starts_none(session: Session, pod: Pod, capsys: Out) -> None:
    run(session, "restart")
    assert pod.ops() == ["kernel.open"]
    assert pod.opened == 0
    assert "No kernel was open on a" in capsys.readouterr().out
    session.kernel("a")
    assert pod.asked[-1][1]["fresh"] is True


def test_restart_ends_the_kernel_that_the_notebook_is_bound_to(session: Session, pod: Pod) -> None:
    """After a restart of the local kernel, before any cell."""

    def ends(args: dict[str, Any]) -> dict[str, Any]:
        feed(session.others[args["kernel"]], died())
        return {}

    pod.answers |= {"kernel.open": lambda _: pod.told(7, joined=True), "kernel.stop": ends}
    run(session, "restart")
    assert ("kernel.stop", {"pod": "a", "kernel": "7" * 32}) in pod.asked
    assert (session.others, pod.channel.closed, session.fresh) == ({}, True, {"a"})


def test_restart_waits_until_the_kernel_has_ended(session: Session, pod: Pod, capsys: Out) -> None:
    remote, _ = session.kernel("a")
    execution = Execution("e" * 32, "local", 1, {})
    remote.add(execution)
    asked = threading.Event()

    def stop(_: Any) -> dict[str, Any]:
        asked.set()
        return {}

    pod.answers["kernel.stop"] = stop
    restart = threading.Thread(target=run, args=(session, "restart"))
    restart.start()
    assert asked.wait(20)
    restart.join(0.3)
    assert restart.is_alive(), "the kernel has its memory still"
    assert session.kernels == {"a": remote}
    feed(remote, died())
    restart.join(20)
    assert not restart.is_alive()
    assert "was ended" in capsys.readouterr().out
    assert (session.kernels, pod.channel.closed, execution.state) == ({}, True, "died")


def test_a_restart_that_fails_changes_nothing(session: Session, pod: Pod) -> None:
    remote, _ = session.kernel("a")
    pod.answers["kernel.stop"] = NotConnected("It reconnects.")
    with pytest.raises(NotConnected):
        run(session, "restart")
    assert session.kernel("a") == (remote, "")
    assert not pod.channel.closed


def test_a_kernel_that_the_pod_has_no_more_needs_no_end(session: Session, pod: Pod) -> None:
    session.kernel("a")
    pod.answers["kernel.stop"] = NotFound("this pod has no such kernel")
    run(session, "restart")
    assert session.kernels == {}


# -- a kernel that is no more, or is not heard of


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"signal": "SIGKILL", "asked": False, "code": None}, "was killed by SIGKILL"),
        ({"idle": True}, "ended after a day without work"),
        ({}, "was stopped"),
    ],
)
def test_a_dead_kernel_is_replaced_and_the_terminal_is_told(
    session: Session, how: dict[str, Any], said: str
) -> None:
    old, _ = session.kernel("a")
    feed(old, Log().keeper("running", "e" * 32), died(after=1, **how))
    new, sentence = session.kernel("a")
    assert new is not old
    assert said in sentence and "this is a fresh one, without its variables" in sentence


def test_a_kernel_whose_channel_broke_is_followed_again(session: Session, pod: Pod) -> None:
    old, _ = session.kernel("a")
    pod.channel.done.set_exception(DaemonError("No daemon can be had."))
    assert old.broken is not None
    assert session.kernel("a") == (old, "")
    assert (pod.channel.resumed, pod.opened, old.broken) == (1, 1, None)


def test_a_kernel_that_is_opened_again_is_not_told_to_be_gone(session: Session, pod: Pod) -> None:
    """Its channel broke for good, and it runs on: so does what was detached there."""
    old, _ = session.kernel("a")
    detached = Execution("e" * 32, "local", 1, {})
    old.add(detached)
    pod.channel.done.set_exception(WireError("Records are missing."))
    pod.answers["kernel.open"] = lambda _: pod.told(1)
    new, _ = session.kernel("a")
    assert new is not old
    assert detached.outcome is None


def test_a_restart_hears_the_end_though_there_was_no_daemon_before(
    session: Session, pod: Pod, capsys: Out
) -> None:
    remote, _ = session.kernel("a")
    pod.channel.done.set_exception(DaemonError("No daemon can be had."))

    def stop(_: Any) -> dict[str, Any]:
        if pod.channel.resumed:  # else nobody reads what it says
            feed(remote, died())
        return {}

    pod.answers["kernel.stop"] = stop
    run(session, "restart")
    assert "was ended" in capsys.readouterr().out


def test_a_cell_for_a_kernel_that_is_gone_gets_a_fresh_one(
    session: Session, pod: Pod, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    ran: list[str] = []

    def wait(self: Any, submit: Any) -> None:
        if len(pod.channels) == 1:
            raise NotFound("The pod has no kernel 1111 any more.", code="kernel-gone")
        ran.append(self._remote.id)

    monkeypatch.setattr("jupyter_remote_gpu.magic.runner.Runner.wait", wait)
    monkeypatch.setattr("jupyter_remote_gpu.magic.place.cell_count", lambda _: 1)
    session.run("a", "1")
    assert ran == ["2" * 32]
    assert "is gone; this is a fresh one" in capsys.readouterr().err


# -- while the pod reconnects


def test_a_first_cell_says_what_it_waits_for(
    session: Session, pod: Pod, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.magic.opening.QUIET_SECONDS", 0.01)
    pod.pods[0] |= {"state": "reconnecting", "reason": "No route."}
    answer: Future[Any] = Future()
    monkeypatch.setattr(pod, "ask", lambda *a, **k: answer)
    said: list[str] = []

    def connect() -> None:
        until(lambda: said.append(capsys.readouterr().err) or "".join(said))
        answer.set_result(pod.told(1))

    user = threading.Thread(target=connect)
    user.start()
    session.kernel("a")
    user.join(20)
    assert "".join(said) == (
        "[gpu] The link to a is down (No route): reconnecting. What runs there runs on; this "
        "cell waits.\n"
    )


def test_stop_ends_that_wait_with_a_sentence(
    session: Session, pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer: Future[Any] = Future()
    monkeypatch.setattr(pod, "ask", lambda *a, **k: answer)
    main = threading.main_thread().ident
    assert main is not None
    user = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
    user.start()
    with pytest.raises(ControlBack, match="Nothing was handed over to a"):
        session.kernel("a")
    user.join(20)
    assert answer.cancelled()


# -- kernels of others


def test_a_kernel_that_was_only_read_is_let_go(session: Session, pod: Pod) -> None:
    remote = session.reader(pod.told(5))
    session.release(remote)
    assert (session.others, pod.channel.closed) == ({}, True)
    kept = session.reader(pod.told(6))
    kept.hub = SimpleNamespace(open={"c": 1})  # type: ignore[assignment]
    session.release(kept)
    assert (list(session.others.values()), pod.channel.closed) == ([kept], False)


def test_a_stop_while_the_widgets_of_a_kernel_are_opened_lets_go_of_it(
    session: Session, pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be followed, and not end as idle, as long as this process lives."""
    closed: list[bool] = []
    remote = SimpleNamespace(id="5" * 32, pod="a", hub=SimpleNamespace(open={}), seen=3)
    remote.close = lambda tell: closed.append(tell)

    def stopped(_: RemoteKernel) -> None:
        raise KeyboardInterrupt

    def read(_: Any) -> Any:
        return session.others.setdefault(remote.id, remote)  # type: ignore[arg-type]

    monkeypatch.setattr(session, "reader", read)
    monkeypatch.setattr("jupyter_remote_gpu.magic.session.Reopening", stopped)
    with pytest.raises(KeyboardInterrupt):
        session.remote_of({**pod.told(5), "execution": {"last": 3}})
    assert (session.others, closed) == ({}, [True])
