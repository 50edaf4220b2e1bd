"""What may be typed after `%gpu` and `%%gpu`, and what comes of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_remote_gpu.errors import (
    BadInput,
    Conflict,
    LinkError,
    NotConnected,
    NotFound,
    PodError,
)
from jupyter_remote_gpu.magic.arguments import Shown, parse_cell, parse_line
from jupyter_remote_gpu.magic.commands import run_command
from jupyter_remote_gpu.magic.raised import ControlBack
from jupyter_remote_gpu.magic.session import Session
from tests.support.magic import FakeFace

K, E = "1234abcd" * 4, "5678dcba" * 4


def pod(name: str, state: str = "connected", **more: Any) -> dict[str, Any]:
    return {"name": name, "state": state, "address": f"me@{name}:22", **more}


def session_of(*pods: dict[str, Any]) -> Session:
    session = Session(SimpleNamespace())
    session._face = FakeFace(*pods)  # type: ignore[assignment]
    return session


def face_of(session: Session) -> FakeFace:
    assert isinstance(session._face, FakeFace)
    return session._face


def opened(kernel: str = K, **more: Any) -> dict[str, Any]:
    """What the daemon answers to ``kernel.open``."""
    answer = {"pod": "a", "kernel": kernel, "identity": E, "last": 0, "started": 0}
    return {**answer, "joined": False, **more}


def asked(session: Session, op: str, argument: str) -> list[Any]:
    return [a.get(argument) for o, a in face_of(session).asked if o == op]


def run(session: Session, line: str) -> None:
    run_command(session, parse_line(line))


def test_a_cell_line_is_read() -> None:
    args = parse_cell("")
    assert (args.pod, args.detach) == (None, False)
    args = parse_cell(" a100 --detach ")
    assert (args.pod, args.detach) == ("a100", True)


@pytest.mark.parametrize("line", ["--detatch", "a b", '"', "--pod=x"])
def test_a_wrong_cell_line_is_told_with_the_usage(line: str) -> None:
    with pytest.raises(BadInput, match=r"usage: %%gpu|%gpu --help"):
        parse_cell(line)


def test_help_is_shown_and_ends_nothing() -> None:
    with pytest.raises(Shown, match="--detach"):
        parse_cell("--help")
    with pytest.raises(Shown, match="connect"):
        parse_line("-h")
    with pytest.raises(Shown, match="usage: %gpu stop"):
        parse_line("stop --help")


def test_nothing_means_status() -> None:
    assert parse_line("").verb == "status"


@pytest.mark.parametrize("line", ["conect demo", "connect", "stop", "attach a b", "status x"])
def test_a_wrong_command_is_told(line: str) -> None:
    with pytest.raises(BadInput, match="usage: %gpu"):
        parse_line(line)


def test_the_only_connected_pod_is_meant() -> None:
    assert session_of(pod("a"), pod("b", "disconnected")).pod(None) == "a"
    assert session_of(pod("a", "reconnecting")).pod(None) == "a"


def test_several_connected_pods_need_a_name_or_a_last_one() -> None:
    session = session_of(pod("b"), pod("a"))
    with pytest.raises(BadInput, match=r"\(a, b\): name one, as in `%%gpu a`"):
        session.pod(None)
    session.last_pod = "b"
    assert session.pod(None) == "b"


def test_the_notebookslast_pod_is_found_after_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/a.ipynb")

    def kernel(path: str, at: float) -> dict[str, Any]:
        return {"id": K, "notebook": path, "started": 1.0, "executions": [{"requested": at}]}

    pods = (
        pod("a", kernels=[kernel("/work/a.ipynb", 5.0)]),
        pod("b", kernels=[kernel("/work/other.ipynb", 9.0), kernel("/work/a.ipynb", 6.0)]),
    )
    assert session_of(*pods).pod(None) == "b"


def test_after_a_restart_the_next_cell_gets_a_fresh_kernel_whatever_became_of_the_old(
    capsys: pytest.CaptureFixture[str],
) -> None:
    session = session_of(pod("a"))
    face = face_of(session)
    face.answers["kernel.open"] = opened()
    session.kernel("a")
    face.answers["kernel.stop"] = PodError("It does not answer.")
    run(session, "restart")
    assert "It does not answer.) The next %%gpu cell gets a fresh one" in capsys.readouterr().out
    assert face.channel.closed
    session.kernel("a")
    assert asked(session, "kernel.open", "fresh") == [False, True]


def test_cells_do_not_move_to_another_pod_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/a.ipynb")
    kernel = {"id": K, "notebook": "/work/a.ipynb", "executions": [{"requested": 1.0}]}
    failed = pod("a", "failed", reason="No route.", kernels=[kernel])
    with pytest.raises(NotConnected, match=r"a is failed: No route\..* another pod: `%%gpu b`"):
        session_of(failed, pod("b")).pod(None)
    assert session_of(failed, pod("b")).pod("b") == "b"
    session = session_of(pod("a", "disconnected"), pod("b"))
    session.last_pod = "a"
    with pytest.raises(NotConnected, match="a is disconnected"):
        session.pod(None)


def test_without_a_connected_pod_it_says_what_to_type() -> None:
    both = pod("a", "disconnected"), pod("b", "disconnected")
    with pytest.raises(Conflict, match=r"Known: a \(disconnected\), b .* `%gpu connect NAME`"):
        session_of(*both).pod(None)
    with pytest.raises(NotConnected, match=r"a is disconnected\. Type `%gpu connect a`"):
        session_of(both[0]).pod(None)
    with pytest.raises(NotConnected, match=r"failed: no route\. Type `%gpu connect a`"):
        session_of(pod("a", "failed", reason="no route")).pod(None)
    with pytest.raises(NotFound, match="no pod called c"):
        session_of(pod("a")).pod("c")
    with pytest.raises(BadInput):
        session_of(pod("a")).pod("../etc")
    with pytest.raises(NotFound, match=r"No pod is known yet\. Add one .*remote-gpu add NAME ssh"):
        session_of().pod(None)


def test_connect_shows_each_state_once(capsys: pytest.CaptureFixture[str]) -> None:
    session = session_of(pod("a", "connecting"))
    face = face_of(session)

    def connecting(_: Any) -> dict[str, Any]:
        for state in ("connecting", "preparing", "preparing", "connected"):
            # Told as soon as somebody listens, from another thread in real life.
            snapshots.append({"pods": [pod("a", state)]})
        return {}

    snapshots: list[dict[str, Any]] = []

    class Listeners(list[Any]):
        def append(self, listener: Any) -> None:
            super().append(listener)
            for snapshot in snapshots:
                listener(snapshot)

    session.listeners = Listeners()
    face.answers["pod.connect"] = connecting
    run(session, "connect a")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["connecting", "preparing", "connected"]
    assert session.listeners == []


def test_an_unknown_host_key_is_explained_and_nothing_is_asked() -> None:
    key = {"fingerprint": "SHA256:abc", "type": "ssh-ed25519"}
    session = session_of(pod("a", "host-key", host_key=key))
    with pytest.raises(LinkError) as caught:
        run(session, "connect a")
    said = str(caught.value)
    assert "SHA256:abc" in said
    assert "ssh-keygen -lf" in said
    assert "act as you in JupyterLab" in said
    assert "%gpu connect a --accept-host-key SHA256:abc" in said
    run_args = [a for op, a in face_of(session).asked if op == "pod.connect"]
    assert run_args == [{"name": "a"}]
    with pytest.raises(LinkError):
        run(session, "connect a --accept-host-key SHA256:abc")
    assert face_of(session).asked[-2][1] == {"name": "a", "accept_host_key": "SHA256:abc"}


def test_a_failed_connect_is_an_error_with_its_reason() -> None:
    with pytest.raises(LinkError, match=r"a is failed: key refused"):
        run(session_of(pod("a", "failed", reason="key refused")), "connect a")


def test_status_lists_what_runs(capsys: pytest.CaptureFixture[str]) -> None:
    execution = {"id": E, "state": "running", "code": "fit()\nmore"}
    silent = {"id": K, "state": "running", "code": "", "meta": {"silent": True}}
    both = [execution, silent]
    kernel = {"id": K, "display_name": "Python 3", "alive": True, "executions": both}
    session = session_of(pod("a", latency=0.05, warnings=["disk full"], kernels=[kernel]))
    run(session, "")
    out = capsys.readouterr().out
    assert "a (me@a:22): connected — 50 ms" in out
    assert "! disk full" in out
    assert f"{E[:6]} running: fit()" in out
    assert f"{K[:6]} running" not in out


@pytest.mark.parametrize(
    ("state", "said"),
    [("connected", "not followed here (`%gpu kernels` asks)"), ("reconnecting", "not reachable")],
)
def test_status_does_not_take_a_kernel_for_lost_that_nobody_follows(
    capsys: pytest.CaptureFixture[str], state: str, said: str
) -> None:
    kernel = {"id": K, "display_name": "Python 3", "alive": None, "executions": []}
    run(session_of(pod("a", state, kernels=[kernel])), "status")
    assert f"kernel {K[:6]}: Python 3, {said}" in capsys.readouterr().out


def test_a_stop_during_connect_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    session = session_of(pod("a", "connecting"))

    def stopped(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("jupyter_remote_gpu.magic.commands._pod_line", stopped)
    with pytest.raises(ControlBack, match=r"goes on connecting in the background; `%gpu status`"):
        run(session, "connect a")
    assert session.listeners == []


def test_kernels_are_listed_and_one_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    session = session_of(pod("a"))
    row = {"id": K, "pod": "a", "alive": True, "age": 7200, "memory": 3e9, "orphan": False}
    other = {"id": K[:6] + "f" * 26, "pod": "a", "alive": False, "age": 60, "orphan": None}
    face_of(session).answers["kernel.list"] = {"kernels": [row, other]}
    run(session, "kernels")
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [K[:6], "a", "alive", "2.0", "h", "3.0", "GB"]
    assert lines[2].split() == [K[:6], "a", "ended", "1", "min"]
    with pytest.raises(BadInput, match="at least 4"):
        run(session, "stop 12")
    with pytest.raises(NotFound, match="2 kernels have"):
        run(session, f"stop {K[:6]}")
    with pytest.raises(NotFound, match="No kernel has"):
        run(session, "stop 99999")
    run(session, f"stop {K[:7].upper()}")
    assert face_of(session).asked[-1] == ("kernel.stop", {"pod": "a", "kernel": K})


def test_attach_without_an_id_finds_this_notebooks_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/a.ipynb")
    executions = [
        {"id": "a" * 32, "state": "running", "requested": 1.0},
        {"id": "b" * 32, "state": "ended", "requested": 2.0},
    ]
    kernel = {"id": K, "notebook": "/work/a.ipynb", "executions": executions}
    session = session_of(pod("a", kernels=[kernel]))
    face_of(session).answers["execution.find"] = NotFound("none such")
    with pytest.raises(NotFound, match=r"none such `%gpu status`"):
        run(session, "attach")
    assert face_of(session).asked[-1] == ("execution.find", {"id": "a" * 32})
    with pytest.raises(NotFound, match="No cell of this notebook"):
        run(session_of(pod("a")), "attach")


def test_attach_without_an_id_takes_no_cell_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two terminals have no notebook both; and what counted the names is no cell of the user's."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    cell = {"id": "a" * 32, "state": "running", "requested": 1.0}
    with pytest.raises(NotFound, match="No cell of this notebook"):
        kernels = [{"id": K, "notebook": None, "executions": [cell]}]
        run(session_of(pod("a", kernels=kernels)), "attach")
    monkeypatch.setenv("JPY_SESSION_NAME", "/work/a.ipynb")
    cell["meta"] = {"silent": True}
    with pytest.raises(NotFound, match="No cell of this notebook"):
        kernels = [{"id": K, "notebook": "/work/a.ipynb", "executions": [cell]}]
        run(session_of(pod("a", kernels=kernels)), "attach")


def test_disconnect_says_that_kernels_run_on(capsys: pytest.CaptureFixture[str]) -> None:
    session = session_of(pod("a"))
    run(session, "disconnect")
    assert face_of(session).asked[-1] == ("pod.disconnect", {"name": "a"})
    assert "run on" in capsys.readouterr().out
