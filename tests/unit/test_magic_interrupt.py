"""`%gpu interrupt`: which cell it means, and what is said of it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jupyter_remote_gpu.errors import DaemonError, NotConnected, RemoteGPUError, VersionMismatch
from jupyter_remote_gpu.magic.arguments import parse_line
from jupyter_remote_gpu.magic.commands import run_command
from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.raised import ControlBack
from jupyter_remote_gpu.magic.session import Session
from tests.support.magic import FakeFace
from tests.support.opening import Pod

Out = pytest.CaptureFixture[str]


def run(session: Session, line: str) -> None:
    run_command(session, parse_line(line))


def test_nothing_is_opened_to_interrupt_it(session: Session, pod: Pod, capsys: Out) -> None:
    run(session, "interrupt")
    assert (pod.opened, pod.channels) == (0, [])
    assert "Nothing runs" in capsys.readouterr().out


@pytest.mark.parametrize("done", [True, False])
def test_an_interrupt_is_answered(session: Session, pod: Pod, capsys: Out, done: bool) -> None:
    remote, _ = session.kernel("a")

    def answered(execution: str | None) -> str:
        told = {"type": "interrupted", "tag": "t", "done": done}
        threading.Thread(target=lambda: asyncio.run(remote.on_control(told))).start()
        return "t"

    pod.channel.interrupt = answered  # type: ignore[method-assign]
    run(session, "interrupt")
    assert ("Interrupted." if done else "Nothing runs") in capsys.readouterr().out


def test_a_pod_that_is_down_is_told_before_anything_is_asked(session: Session, pod: Pod) -> None:
    session.kernel("a")
    pod.pods[0]["state"] = "disconnected"
    for line in ("interrupt a", "restart a"):
        with pytest.raises(NotConnected, match="a is disconnected"):
            run(session, line)
    assert pod.channel.interrupts == []


def test_during_a_cut_the_interrupt_is_announced(session: Session, pod: Pod, capsys: Out) -> None:
    remote, _ = session.kernel("a")
    asyncio.run(remote.on_control({"type": "link", "state": "reconnecting"}))
    run(session, "interrupt")
    assert "is sent when it is back" in capsys.readouterr().out


def test_a_cell_that_waits_for_the_link_is_what_is_interrupted(session: Session, pod: Pod) -> None:
    """Nothing runs yet, as far as the daemon knows: but when the link is back it would."""
    remote, _ = session.kernel("a")
    for id in ("d", "e"):
        remote.add(Execution(id * 32, "local", 1, {}))
    remote.executions["d" * 32].outcome = "ok"
    asyncio.run(remote.on_control({"type": "link", "state": "reconnecting"}))
    run(session, "interrupt")
    assert pod.channel.interrupts == ["e" * 32]


def test_an_interrupt_is_not_promised_by_a_channel_that_gave_up(session: Session, pod: Pod) -> None:
    remote, _ = session.kernel("a")
    pod.channel.done.set_exception(DaemonError("No daemon can be had."))
    asyncio.run(remote.on_control({"type": "link", "state": "reconnecting"}))
    run(session, "interrupt")
    assert (pod.channel.resumed, remote.broken) == (1, None)


def test_an_interrupt_that_nobody_will_send_is_not_promised(session: Session, pod: Pod) -> None:
    """The daemon is newer than this face, say: no channel can be had any more."""
    session.kernel("a")
    pod.channel.done.set_exception(VersionMismatch("The daemon is newer."))
    with pytest.raises(RemoteGPUError, match=r"not interrupted: The daemon is newer\."):
        run(session, "interrupt")


def test_a_kernel_that_was_only_read_to_interrupt_it_is_let_go(session: Session, pod: Pod) -> None:
    def bound(_: object) -> dict[str, object]:
        return pod.told(7, joined=True)

    def asked(op: str, **args: object) -> object:
        if op == "snapshot" and session.others:
            raise DaemonError("It does not answer.")
        return FakeFace.request(pod, op, **args)

    pod.answers["kernel.open"] = bound
    pod.request = asked  # type: ignore[method-assign, assignment]
    with pytest.raises(DaemonError):
        run(session, "interrupt")
    assert (session.others, pod.channel.closed) == ({}, True)


def test_a_stop_before_the_first_news_of_connect_leaves_nothing(session: Session, pod: Pod) -> None:
    """Else all snapshots of a night would be gathered."""

    def stopped(op: str, **args: object) -> object:
        if op == "snapshot":
            raise KeyboardInterrupt
        return FakeFace.request(pod, op, **args)

    pod.request = stopped  # type: ignore[method-assign, assignment]
    with pytest.raises(ControlBack, match="goes on connecting"):
        run(session, "connect a")
    assert session.listeners == []
