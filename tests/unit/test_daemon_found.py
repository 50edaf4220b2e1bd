"""A daemon that lives is found, or ended and replaced; against the real process."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.cli.program import run
from jupyter_remote_gpu.client import connection, lock, spawn
from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.daemon.app import LOCK_SECONDS
from jupyter_remote_gpu.errors import DaemonError
from tests.support.command import cli
from tests.support.daemon import OwnDaemon, own_daemon, until

ASK = """
import socket
socket.gethostname = lambda: "{host}"
from jupyter_remote_gpu.client.threaded import Face
face = Face(kind="test")
print(face.request("snapshot")["daemon"]["pid"])
face.close()
"""
HOLD = """
import os, sys, time
from pathlib import Path
from jupyter_remote_gpu.client import lock
fd = lock.take(Path(sys.argv[1]), 5)
lock.say_who(fd)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(tmp_path, monkeypatch) as own:
        yield own


def ask(daemon: OwnDaemon, host: str = "here", **env: str) -> int:
    face = daemon.python(ASK.format(host=host), **env)
    out, err = face.communicate(timeout=60)
    assert face.returncode == 0, err
    return int(out)


def test_on_another_network_the_daemon_is_the_same(daemon: OwnDaemon) -> None:
    assert ask(daemon, "laptop.home") == ask(daemon, "laptop.university.edu")


def test_a_daemon_whose_socket_is_gone_is_replaced(daemon: OwnDaemon) -> None:
    old = ask(daemon)
    shutil.rmtree(daemon.run)  # as at logout
    daemon.run.mkdir(mode=0o700)
    began = time.monotonic()
    new = ask(daemon)
    assert new != old
    assert time.monotonic() - began < LOCK_SECONDS - 1  # it was ended, not waited for
    until(lambda: daemon.processes() == [new], "the older one's end")


def test_stop_ends_a_daemon_that_cannot_be_reached(daemon: OwnDaemon) -> None:
    pid = ask(daemon)
    Path(daemon.record["socket"]).unlink()
    assert "could not be reached" in cli("daemon", "stop").out
    until(lambda: not psutil.pid_exists(pid), "its end")
    assert "No daemon runs" in cli("daemon", "stop").out


@pytest.fixture
def other(daemon: OwnDaemon) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock, as a daemon of another machine does."""
    daemon.folder.mkdir(mode=0o700)
    command = [sys.executable, "-c", HOLD, str(daemon.folder)]
    env = {**os.environ, **daemon.env}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_number_of_another_machine_is_no_process_of_ours(
    daemon: OwnDaemon, other: subprocess.Popen[str]
) -> None:
    found = lock.holder(daemon.folder)
    assert found is not None
    assert found.pid == other.pid
    path = daemon.folder / "daemon.lock"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "place": "another boot", "host": "cluster-7"}))
    with pytest.raises(DaemonError, match="another machine or container"):
        spawn.start_daemon()
    assert other.poll() is None
    path.write_text("")
    with pytest.raises(DaemonError, match="another machine"):
        spawn.start_daemon()
    assert other.poll() is None


def test_the_lock_tells_its_holder_only_while_it_is_held(
    daemon: OwnDaemon, other: subprocess.Popen[str]
) -> None:
    other.kill()
    other.wait(10)
    until(lambda: lock.holder(daemon.folder) is None, "the lock's release")
    assert json.loads((daemon.folder / "daemon.lock").read_text())["pid"] == other.pid
    spawn.start_daemon()
    assert json.loads((daemon.folder / "daemon.lock").read_text())["pid"] == daemon.pid


def test_a_process_with_many_open_files_starts_one(daemon: OwnDaemon) -> None:
    """A Jupyter Server raises its limit to 4096, and each of its kernels has a dozen."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, limits[1]))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        spawn.start_daemon()
        assert spawn.connectable()
    finally:
        for fd in opened:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_the_system_refuses_is_a_sentence(
    daemon: OwnDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an error that every face knows, and tries again after."""

    def full(*_: object, **__: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(spawn.os, "open", full)
    with pytest.raises(DaemonError, match=r"cannot be started: Too many open files\."):
        asyncio.run(Control.open(kind="test"))


def test_stop_ends_a_daemon_that_does_not_answer(
    daemon: OwnDaemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pid = ask(daemon)
    monkeypatch.setattr(connection, "HELLO_SECONDS", 0.5)
    monkeypatch.setattr(spawn, "STOP_SECONDS", 0.5)
    os.kill(pid, signal.SIGSTOP)
    assert run(["daemon", "status"]) == 1
    assert "`jupyter remote-gpu daemon stop` ends it" in capsys.readouterr().err
    assert run(["daemon", "stop"]) == 0
    until(lambda: not psutil.pid_exists(pid), "its end")
