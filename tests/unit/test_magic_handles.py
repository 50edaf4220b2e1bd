"""What a handle tells of a detached cell."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_remote_gpu.errors import DaemonError, NotConnected
from jupyter_remote_gpu.magic.handles import Handle
from jupyter_remote_gpu.magic.raised import without_frames
from jupyter_remote_gpu.magic.runner import refuse_if_down
from tests.support.magic import Setup

E = "e" * 32


@pytest.fixture
def handle(setup: Setup) -> Handle:
    execution = setup.execution()
    execution.let_go()
    session = SimpleNamespace(refuse_if_down=lambda pod: refuse_if_down(pod, setup.remote.link))
    return Handle(session, setup.remote, execution, "fit()")  # type: ignore[arg-type]


def test_a_rejected_cell_tells_why(setup: Setup, handle: Handle) -> None:
    handle._execution.number = 4
    error = {"kind": "not-found", "code": "kernel-ended", "message": "The kernel has ended."}
    setup.control(type="rejected", number=4, error=error)
    assert handle.state == "aborted"
    assert handle.trouble == ["The kernel has ended."]
    assert "! The kernel has ended." in repr(handle)


def test_an_answer_that_is_faster_than_the_request_finds_its_cell(
    setup: Setup, handle: Handle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rejection is on its way before `submit` has returned the number."""
    import threading

    error = {"kind": "not-found", "code": "kernel-ended", "message": "The kernel has ended."}
    rejecting = threading.Thread(
        target=lambda: setup.control(type="rejected", number=1, error=error)
    )
    submit = setup.face.channel.submit

    def slow(*args: Any, **keys: Any) -> int:
        rejecting.start()
        rejecting.join(0.1)  # it has to wait for the number
        return submit(*args, **keys)

    monkeypatch.setattr(setup.face.channel, "submit", slow)
    setup.remote.submit(handle._execution, {"code": ""})
    rejecting.join(20)
    assert handle.state == "aborted"


def test_trouble_comes_and_goes(setup: Setup, handle: Handle) -> None:
    setup.control(type="trouble", where="pod", message="The pod's disk is full.")
    assert handle.trouble == ["The pod's disk is full."]
    assert "disk is full" in handle._repr_mimebundle_()["text/html"]
    setup.control(type="trouble", where="pod", message=None)
    assert handle.trouble == []


def test_a_dead_kernel_is_told(setup: Setup, handle: Handle) -> None:
    died = {"code": None, "signal": "SIGKILL", "asked": False}
    setup.feed(setup.log.keeper("died", **died), setup.log.ended(E, "died", **died))
    assert handle.state == "died"
    assert "killed by SIGKILL" in handle.trouble[0]


def test_a_kernel_that_did_not_start_is_told(setup: Setup, handle: Handle) -> None:
    died = {"code": 3, "signal": None, "asked": False, "ready": False}
    setup.feed(setup.log.keeper("died", **died), setup.log.ended(E, "died", **died))
    assert handle.trouble == ["The kernel on demo did not start: it ended with status 3."]


def test_a_cell_that_is_not_followed_is_unknown_until_it_is_again(
    setup: Setup, handle: Handle, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.feed(setup.log.keeper("running", E))
    setup.face.channel.done.set_exception(DaemonError("No daemon can be had."))
    assert handle.state == "unknown"
    assert "No daemon can be had." in handle.trouble[0]
    tags = setup.face.channel.interrupts

    def interrupt(execution: str | None) -> str:
        import asyncio
        import threading

        tags.append(execution)
        told = setup.remote.on_control({"type": "interrupted", "tag": "t", "done": True})
        threading.Thread(target=lambda: asyncio.run(told)).start()
        return "t"

    setup.face.channel.interrupt = interrupt  # type: ignore[method-assign]
    handle.interrupt()
    assert (setup.face.channel.resumed, tags) == (1, [E])
    assert handle.state == "running"
    assert capsys.readouterr().out == "Interrupted.\n"


def test_what_a_handle_raises_shows_no_frames_of_ours(setup: Setup, handle: Handle) -> None:
    setup.feed(setup.log.keeper("running", E))
    setup.control(type="link", state="disconnected", reason=None)
    handle._execution.rejected = NotConnected("It was not taken.")
    for call in (handle.interrupt, handle.attach, handle.result):
        with pytest.raises(NotConnected) as caught:
            call()
        (line,) = caught.value._render_traceback_()  # type: ignore[attr-defined]
        assert line.startswith("NotConnected: ")


def test_a_stop_while_the_daemon_is_asked_shows_none_either() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, without_frames():
        raise KeyboardInterrupt
    assert caught.value._render_traceback_() == ["KeyboardInterrupt"]  # type: ignore[attr-defined]


def test_nothing_is_interrupted_on_a_pod_that_is_down(setup: Setup, handle: Handle) -> None:
    setup.feed(setup.log.keeper("running", E))
    setup.control(type="link", state="disconnected", reason=None)
    with pytest.raises(NotConnected):
        handle.interrupt()
    assert setup.face.channel.interrupts == []


def test_the_time_is_the_pods_also_after_a_night(setup: Setup, handle: Handle) -> None:
    """The pod's clock is 100 s behind; the laptop slept while the cell began and ran 2 hours."""
    pod = time.time() - 100.0
    setup.feed(setup.log.keeper("request", E, time=pod))
    setup.feed(setup.log.keeper("running", E, time=pod - 7200.0))
    assert handle.elapsed == pytest.approx(7200.0, abs=5.0)
    setup.feed(setup.log.ended(E, time=pod - 7200.0 + 60.0))
    assert handle.elapsed == pytest.approx(60.0)
