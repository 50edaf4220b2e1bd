"""Two machines with one home folder: neither ends what the other one runs."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pytest

from jupyter_remote_gpu.pod.machine import DEAD_SECONDS, machine
from tests.integration.test_graveyard import dead_kernel
from tests.support.keeper import PodCommands


def of_another_machine(commands: PodCommands) -> Path:
    """The folder of a kernel that runs, as far as this machine can tell, on another one."""
    folder = dead_kernel(commands)
    info = json.loads((folder / "kernel.json").read_text())
    (folder / "kernel.json").write_text(json.dumps({**info, "machine": "gpu-2:1234"}))
    (folder / "lock").touch()
    return folder


def gone(folder: Path) -> None:
    """Its keeper has given no sign of life for long."""
    long_ago = time.time() - DEAD_SECONDS - 10
    os.utime(folder / "lock", (long_ago, long_ago))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_kernel_of_another_machine_is_left_alone(commands: PodCommands) -> None:
    folder = of_another_machine(commands)
    before = contents(folder)
    (listed,) = commands.run("list")["kernels"]
    assert listed["alive"] and not listed["orphan"]
    assert listed["memory"] is None
    for command in ("stop", "bridge"):
        if command == "stop":
            error = commands.run(command, {"kernel": folder.name})["error"]
        else:
            with contextlib.closing(commands.bridge(folder.name)) as bridge:
                error = bridge.welcome["error"]
        assert error["code"] == "other-machine"
        assert "gpu-2" in error["message"]
    with contextlib.closing(commands.start()):
        assert contents(folder) == before
    gone(folder)


def test_a_machine_that_is_gone_is_not_waited_for(commands: PodCommands) -> None:
    folder = of_another_machine(commands)
    gone(folder)
    (listed,) = commands.run("list")["kernels"]
    assert not listed["alive"] and listed["ended"]
    with contextlib.closing(commands.bridge(folder.name)) as bridge:
        bridge.record("died")


def test_a_keeper_says_where_it_is_and_that_it_lives(commands: PodCommands) -> None:
    with contextlib.closing(commands.start()) as kernel:
        assert commands.kernel_info(kernel.kernel)["machine"] == machine()
        lock = commands.state / "kernels" / kernel.kernel / "lock"
        assert time.time() - lock.stat().st_mtime < 30


def test_the_name_has_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "one")
    first = machine()
    monkeypatch.setattr("socket.gethostname", lambda: "two")
    assert first != machine()
