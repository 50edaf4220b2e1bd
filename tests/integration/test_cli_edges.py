"""The command line where something is odd: a lost kernel, a pod that is away, a closed output."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.command import CLI, Terminal, cli, refused
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.login import empty_home
from tests.support.place import Place, whole_place


@pytest.fixture
def place(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    empty_home(short_tmp / "laptop", monkeypatch)
    with whole_place(short_tmp, pod_python, monkeypatch) as whole:
        yield whole


def lost_one(kernel: str) -> dict[str, Any]:
    (pod,) = cli("status", "--json").json()["pods"]
    return next(k for k in pod["kernels"] if k["id"] == kernel)


def test_kernels_are_ended_also_when_the_pod_has_lost_one(place: Place) -> None:
    place.connect()
    lost, kept = (KernelFace(place.face, "pod", notebook=f"/n/{n}.ipynb") for n in "ab")
    for face in (lost, kept):
        assert face.run("1")["outcome"] == "ok"
    folder, info = place.pod_kernel(lost.kernel), place.keeper_info(lost.kernel)
    place.proxy.cut()
    place.until_state("reconnecting")
    for pid in (info["keeper_pid"], info["pid"]):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not any(psutil.pid_exists(info[k]) for k in ("keeper_pid", "pid")), "the end")
    shutil.rmtree(folder)
    place.proxy.heal()
    place.until_state("connected")
    until(lambda: lost_one(lost.kernel)["ended"] == "gone", "the loss is known")
    cli("daemon", "stop")  # of the next daemon nobody has asked the pod about it
    place.until_state("connected")
    assert lost_one(lost.kernel)["alive"] is False
    said = cli("shutdown-kernels", "pod")
    assert said.out == f"pod: kernel {kept.kernel[:8]} has ended.\n"
    cli("disconnect", "pod")
    assert "connect it first" in refused("shutdown-kernels", "pod", status=1)


def test_connecting_a_pod_that_does_not_come_back_says_why_and_ends(place: Place) -> None:
    place.connect()
    place.proxy.cut()
    place.until_state("reconnecting")
    for words in (["key", "pod"], ["shutdown-kernels", "pod"]):
        assert "ait until it is connected, then try again" in refused(*words, status=1)
    script = (
        "import sys; from jupyter_remote_gpu.cli import main, pods\n"
        "pods.PATIENCE_SECONDS = 4.0\nsys.exit(main(['connect', 'pod']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, cwd="/"
    )
    assert (done.returncode, done.stdout) == (1, "pod: reconnecting\n")
    *reasons, last = done.stderr.splitlines()
    assert [r for r in reasons if "refuses connections" in r] and len(reasons) == len({*reasons})
    assert "not back after 4 s" in last and "refuses connections" in last
    place.proxy.heal()
    assert cli("connect", "pod").out.splitlines()[-1].startswith("pod: connected")


def test_ctrl_c_at_the_question_ends_it(place: Place, pod_python: str) -> None:
    cli("add", "new", *place.sshd.words(), "--python", pod_python)
    with Terminal("connect", "new") as terminal:
        terminal.expect("Trust it? [yes/no] ")
        terminal.interrupt()
        assert terminal.wait() == 130, terminal.text
    assert "interrupted" in terminal.text


def test_the_question_is_not_asked_where_input_or_errors_are_closed(
    place: Place, pod_python: str
) -> None:
    cli("add", "new", *place.sshd.words(), "--python", pod_python)
    for closed in ("<&-", "2>&-"):
        words = ["sh", "-c", f'"$@" {closed}', "sh", *CLI, "connect", "new"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, cwd="/")
        assert done.returncode == 1 and "Traceback" not in done.stderr, done
        assert ("--accept-host-key" in done.stderr) is (closed == "<&-"), done


def test_outputs_that_are_closed_or_cannot_show_a_character(place: Place) -> None:
    for words in (["list"], ["status", "--json"]):
        closed = ["sh", "-c", '"$@" >&-', "sh", *CLI, *words]
        done = subprocess.run(closed, capture_output=True, text=True, timeout=30, cwd="/")
        assert (done.returncode, done.stderr) == (0, "")
    place.connect()
    cell = KernelFace(place.face, "pod").submit("print('\\u2713 \\udcff')")
    env = {**os.environ, "PYTHONIOENCODING": "latin-1:strict"}
    done = subprocess.run(
        [*CLI, "attach", cell], env=env, capture_output=True, text=True, timeout=60, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("\\u2713 ")
