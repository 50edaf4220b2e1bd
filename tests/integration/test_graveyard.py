"""Kernels whose keeper is gone: what is left of them is ended, read, and stops nothing."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.wire.records import encode_record, keeper_record
from tests.support.groups import group_of
from tests.support.keeper import PATIENCE, Bridge, PodCommands

EXECUTION = "e" * 32


def segment(first: int, last: int) -> bytes:
    head = {"channel": "iopub", "type": "stream", "execution": EXECUTION, "class": "durable"}
    parts = [b"{}", b"{}", b"{}", b'{"name":"stdout","text":"x"}']
    return b"".join(encode_record(n, n, head, parts) for n in range(first, last + 1))


def dead_kernel(commands: PodCommands) -> Path:
    """The folder of a kernel that ran a cell when pod and keeper lost their power."""
    kernel = uuid.uuid4().hex
    folder = commands.state / "kernels" / kernel
    (folder / "journal").mkdir(parents=True, mode=0o700)
    asked = {"execution": EXECUTION, "client": "c" * 32, "type": "execute_request"}
    request = encode_record(1, 1, *keeper_record("request", asked, execution=EXECUTION))
    for first, data in ((1, request + segment(2, 49)), (50, segment(50, 99)), (100, b"")):
        (folder / "journal" / f"{first:020d}.seg").write_bytes(data)
    (folder / "identity.json").write_text(json.dumps({"identity": "b" * 32}))
    info = {"kernel": kernel, "identity": "b" * 32, "started": time.time()}
    gone = {"pid": 2**22 + 1, "pid_started": "1", "keeper_pid": 2**22 + 2, "keeper_started": "1"}
    (folder / "kernel.json").write_text(json.dumps({**info, **gone, "socket": "/nowhere"}))
    return folder


def zeros_at_the_end(folder: Path) -> None:
    path = folder / "journal" / f"{1:020d}.seg"
    size = path.stat().st_size
    os.truncate(path, size - 2000)
    os.truncate(path, size)


def a_rotten_byte(folder: Path) -> None:
    path = folder / "journal" / f"{50:020d}.seg"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def a_deleted_file(folder: Path) -> None:
    (folder / "journal" / f"{50:020d}.seg").unlink()


def the_first_deleted(folder: Path) -> None:
    (folder / "journal" / f"{1:020d}.seg").unlink()


def an_alien_file(folder: Path) -> None:
    (folder / "journal" / "copy of 1.seg").write_text("hello")


@pytest.mark.parametrize(
    "damage", [zeros_at_the_end, a_rotten_byte, a_deleted_file, the_first_deleted, an_alien_file]
)
def test_a_damaged_journal_is_read_and_stops_nothing(
    commands: PodCommands, damage: Callable[[Path], None]
) -> None:
    folder = dead_kernel(commands)
    damage(folder)
    (listed,) = commands.run("list")["kernels"]
    assert not listed["alive"]
    assert listed["ended"]
    kernel = commands.start()
    assert kernel.run("1")["outcome"] == "ok"
    kernel.close()
    reader = commands.bridge(folder.name, identity="b" * 32)  # which fails where there is a hole
    reader.record("died")
    last = 100 if damage is the_first_deleted else 101
    reader.wait(lambda: reader.cursor == last)
    gaps = [r for r in reader.records if r.type == "gap"]
    read = len([r for r in reader.records if r.type == "stream"])
    whole = damage is an_alien_file
    assert len(gaps) == (0 if whole else 1)
    lost = sum(g.content["messages"] for g in gaps)
    lost -= damage is the_first_deleted  # the request was among them
    assert (read == 98) is whole
    assert read + lost == 98
    reader.close()


def test_a_journal_that_is_damaged_later_is_mended_for_the_next_reader(
    commands: PodCommands,
) -> None:
    folder = dead_kernel(commands)
    commands.run("list")
    zeros_at_the_end(folder)
    reader = commands.bridge(folder.name)
    assert reader.control(lambda m: m["type"] == "refused")["error"]["code"] == "journal"
    reader.until_end()
    again = commands.bridge(folder.name)
    again.record("died")
    assert len(again.all("gap")) == 1
    again.close()


@pytest.mark.parametrize("text", ["", "{", "[]"])
def test_a_damaged_kernel_json_is_set_aside(commands: PodCommands, text: str) -> None:
    folder = dead_kernel(commands)
    (folder / "kernel.json").write_text(text)
    kernel = commands.start()
    listed = {k["id"]: k for k in commands.run("list")["kernels"]}
    assert listed[kernel.kernel]["alive"]
    assert listed[folder.name]["ended"]
    (aside,) = folder.glob("kernel.json.damaged-*")
    assert aside.read_text() == text
    kernel.close()


def test_the_traces_of_a_failed_start_go_after_an_hour(commands: PodCommands) -> None:
    for seconds in (0, 4000):
        bridge = commands.start(argv=["/no/such/program", "{connection_file}"])
        assert not bridge.answer["ok"]
        folder = commands.state / "kernels" / bridge.kernel
        os.utime(folder, (time.time() - seconds,) * 2)
    commands.run("list")
    assert len(list((commands.state / "kernels").iterdir())) == 1


def test_how_it_ended_is_told_although_the_disk_is_full(commands: PodCommands) -> None:
    folder = dead_kernel(commands)
    before = {p: p.read_bytes() for p in folder.rglob("*.*")}
    process = commands.popen("bridge", {})
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    late = Bridge(commands, process, folder.name, identity="b" * 32)
    assert "disk" in late.welcome["trouble"]
    late.record("died")
    assert late.record("ended", EXECUTION).content["outcome"] == "died"
    late.close()
    assert {p: p.read_bytes() for p in folder.rglob("*.*")} == before
    # With room again it is written, once.
    again = commands.bridge(folder.name, identity="b" * 32)
    assert again.welcome["trouble"] is None
    again.record("ended", EXECUTION)
    assert (again.cursor, len(again.all("died"))) == (101, 1)
    again.close()


WORKER = "trap '' TERM; exec sleep 1000"


@pytest.mark.parametrize("leader_first", [False, True])
def test_what_a_killed_keeper_left_in_the_kernels_group_is_ended(
    commands: PodCommands, leader_first: bool
) -> None:
    argv = ["bash", "-c", f"bash -c {json.dumps(WORKER)} & trap '' TERM; sleep 1000; sleep 1000"]
    kernel = commands.start(argv=argv)
    info = commands.kernel_info(kernel.kernel)
    end = time.monotonic() + PATIENCE
    while len(group_of(info["pid"])) < 3:
        assert time.monotonic() < end
        time.sleep(0.02)
    os.kill(info["keeper_pid"], signal.SIGKILL)
    if leader_first:
        os.kill(info["pid"], signal.SIGKILL)
    psutil.wait_procs([psutil.Process(info["keeper_pid"])], PATIENCE)
    (listed,) = commands.run("list")["kernels"]
    assert listed["orphan"] is not leader_first
    assert group_of(info["pid"]) == []


def test_a_stranger_with_the_kernels_number_is_left_alone(commands: PodCommands) -> None:
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as stranger:
        folder = dead_kernel(commands)
        info = json.loads((folder / "kernel.json").read_text())
        (folder / "kernel.json").write_text(json.dumps({**info, "pid": stranger.pid}))
        commands.run("list")
        assert stranger.poll() is None
        stranger.kill()
