"""The demo pod as the server's child, and how everything ends with the server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_remote_gpu.demo.warden import marked
from jupyter_remote_gpu.routes.demo import Demo
from tests.routes.inside import InsideServer
from tests.server.server import JupyterServer
from tests.support.command import cli, running_demo
from tests.support.daemon import OwnDaemon, own_daemon, until


@pytest.fixture
def own(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(short_tmp, monkeypatch) as daemon:
        yield daemon


def served(own: OwnDaemon, folder: Path) -> JupyterServer:
    """A server in a process of its own, with the extension."""
    server = JupyterServer(folder, own.env)
    server.options = ["--ServerApp.jpserver_extensions=jupyter_remote_gpu=True"]
    return server


def demo_of(own: OwnDaemon) -> list[str]:
    return [str(p) for p in marked(str(own.folder / "demo"))]


def children(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def ours(server: JupyterServer, method: str, path: str) -> Any:
    headers = {"Authorization": f"token {server.token}"}
    request = urllib.request.Request(
        f"{server.url}/remote-gpu{path}", method=method, headers=headers
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_the_demo_starts_once_and_says_what_it_cannot(
    own: OwnDaemon, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with InsideServer(short_tmp / "jupyter") as server:
        with monkeypatch.context() as m:
            m.setattr(Demo, "python", str(without_sshd(short_tmp)))
            said = server.refused("POST", "/demo", status=502, code="demo")
            assert "apt-get install openssh-server" in said
        pod = server.ask("POST", "/demo", status=202)
        assert (pod["name"], pod["state"]) == ("demo", "disconnected")
        server.until_event(demo="disconnected")
        assert "already" in server.refused("POST", "/demo", status=409, code="conflict")
        server.ask("PUT", "/pods/demo/connection", {}, 202)
        server.until_event(demo="connected")
        assert demo_of(own)
        begin = time.monotonic()
    assert time.monotonic() - begin < 15
    assert not demo_of(own)


def without_sshd(folder: Path) -> Path:
    """This Python, for which there is no sshd."""
    program = folder / "python"
    code = (
        "import shutil, runpy, sys; shutil.which = lambda *a, **k: None; sys.argv = sys.argv[2:]; "
    )
    code += "runpy.run_module('jupyter_remote_gpu.cli', run_name='__main__')"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{code}" "$@"\n')
    program.chmod(0o755)
    return program


def test_a_demo_that_runs_elsewhere_is_a_conflict(
    own: OwnDaemon, short_tmp: Path, pod_python: str
) -> None:
    with InsideServer(short_tmp / "jupyter") as server, running_demo(own.data, pod_python) as demo:
        assert "runs already" in server.refused("POST", "/demo", status=409, code="conflict")
        assert demo.runs()
        demo.end()
        assert server.ask("POST", "/demo", status=202)["name"] == "demo"


def test_another_pod_of_its_name_is_left_alone(own: OwnDaemon, short_tmp: Path) -> None:
    cli("add", "demo", "ssh", "me@203.0.113.7")
    with InsideServer(short_tmp / "jupyter") as server:
        server.refused("POST", "/demo", status=409, code="conflict")
        assert server.ask("GET", "/pods/demo")["address"] == "me@203.0.113.7"
        assert not demo_of(own)


def test_a_demo_that_crashes_is_a_sentence(
    own: OwnDaemon, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = short_tmp / "python"
    program.write_text("#!/bin/sh\necho '[1]'\n")
    program.chmod(0o755)
    monkeypatch.setattr(Demo, "python", str(program))
    with InsideServer(short_tmp / "jupyter") as server:
        assert "in a terminal" in server.refused("POST", "/demo", status=502, code="demo")


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_the_server(own: OwnDaemon, short_tmp: Path, way: int) -> None:
    with served(own, short_tmp / "jupyter") as server:
        pid = server._process.pid
        assert ours(server, "POST", "/demo")["name"] == "demo"
        left = children(pid)
        assert any("demo" in p.cmdline() for p in left)
        assert any(p.name().startswith("sshd") for p in left)
        begin = time.monotonic()
        os.kill(pid, way)
        server._process.wait(30)
        assert time.monotonic() - begin < 15
        until(lambda: not demo_of(own), "the end of the demo pod", 20)
        _, alive = psutil.wait_procs(left, timeout=20)
        assert not alive
        if way == signal.SIGTERM:
            assert "Traceback" not in server.log()


def test_the_package_alone_loads_nothing_of_the_server() -> None:
    code = "import sys, jupyter_remote_gpu; print([m for m in sys.modules if 'tornado' in m])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done
