"""``start``, ``stop`` and ``bridge`` when something is in their way."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import psutil

from jupyter_remote_gpu.wire.frames import encode_control
from jupyter_remote_gpu.wire.records import encode_record
from tests.support.groups import group_of
from tests.support.keeper import PATIENCE, Bridge, PodCommands


def hello(kernel: str) -> bytes:
    words = {"service": f"kernel:{kernel}", "protocol": 1, "client": uuid.uuid4().hex}
    return encode_control({**words, "identity": None, "cursor": 0})


def test_a_start_sent_again_while_the_first_is_under_way(commands: PodCommands) -> None:
    argv = [commands.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"kernel": uuid.uuid4().hex, "spec": {"argv": argv, "python": commands.python}}
    processes = [commands.popen("start", spec) for _ in range(4)]
    answers = [json.loads(p.communicate(timeout=PATIENCE)[0]) for p in processes]
    assert all(a["ok"] for a in answers), answers
    assert len({a["identity"] for a in answers}) == 1
    (listed,) = commands.run("list")["kernels"]
    assert listed["alive"]


def test_a_start_sent_again_to_a_kernel_that_has_ended_starts_no_other(
    commands: PodCommands,
) -> None:
    spec: dict[str, Any] = {"kernel": uuid.uuid4().hex}
    spec |= {"spec": {"argv": ["true"], "python": commands.python}}
    first = commands.run("start", spec)
    with contextlib.closing(commands.bridge(spec["kernel"])) as reader:
        reader.record("died")
    again = commands.run("start", spec)
    assert again["identity"] == first["identity"]
    with contextlib.closing(commands.bridge(spec["kernel"])) as reader:
        reader.record("died")
        assert len(reader.all("started")) == 1


def test_a_keeper_that_ends_while_one_comes_leaves_its_journal_to_the_bridge(
    commands: PodCommands,
) -> None:
    """Its socket takes a connection until it is closed, and its loop has ended by then."""
    spec = {"kernel": uuid.uuid4().hex, "spec": {"argv": ["true"], "python": commands.python}}
    commands.run("start", spec)
    with contextlib.closing(commands.bridge(spec["kernel"])) as reader:
        reader.record("died")
    info = commands.kernel_info(spec["kernel"])
    psutil.wait_procs([psutil.Process(info["keeper_pid"])], PATIENCE)
    path = Path(info["socket"])
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as ending:
        ending.bind(str(path))
        ending.listen()
        ending.settimeout(PATIENCE)
        end = threading.Thread(target=lambda: ending.accept()[0].close())
        end.start()
        with contextlib.closing(commands.bridge(spec["kernel"])) as reader:
            reader.record("died")
        end.join(PATIENCE)
        assert not end.is_alive()
    path.unlink()


def test_no_place_to_write_is_said_so(commands: PodCommands) -> None:
    (commands.state / "kernels").write_text("a file in the folder's place")
    error = commands.run("list")["error"]
    (commands.state / "kernels").unlink()
    assert str(commands.state / "kernels") in error["message"]
    commands.run("list")
    process = commands.popen("start", {"kernel": "1" * 32, "spec": {"argv": ["sleep", "1"]}})
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    error = json.loads(process.communicate(timeout=PATIENCE)[0])["error"]
    assert error["code"] == "no-place"
    assert str(commands.state) in error["message"]
    assert "Make room" in error["message"]


def stopped(pid: int) -> None:
    end = time.monotonic() + PATIENCE
    while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_stop_ends_a_kernel_whose_keeper_is_stuck(commands: PodCommands, kernel: Bridge) -> None:
    kernel.run("1")
    info = commands.kernel_info(kernel.kernel)
    os.kill(info["keeper_pid"], signal.SIGSTOP)
    stopped(info["keeper_pid"])
    assert commands.run("stop", {"kernel": kernel.kernel})["reaped"]
    assert group_of(info["pid"]) == []
    (listed,) = commands.run("list")["kernels"]
    assert listed["ended"]


def test_stop_is_taken_by_a_keeper_that_refuses_us(commands: PodCommands, kernel: Bridge) -> None:
    """One whose identity is not the one on disk: as one of another version would."""
    kernel.run("1")
    file = commands.state / "kernels" / kernel.kernel / "kernel.json"
    info = json.loads(file.read_text())
    file.write_text(json.dumps({**info, "identity": "f" * 32}))
    assert commands.run("stop", {"kernel": kernel.kernel})["ok"]
    assert kernel.record("died").content["asked"]


def test_stop_does_not_say_that_it_ended_what_it_cannot_reach(
    commands: PodCommands, kernel: Bridge
) -> None:
    kernel.run("1")
    file = commands.state / "kernels" / kernel.kernel / "kernel.json"
    text = file.read_text()
    file.write_text("{")
    answer = commands.run("stop", {"kernel": kernel.kernel})
    file.write_text(text)
    assert answer["error"]["code"] == "keeper-stuck"
    assert commands.run("stop", {"kernel": kernel.kernel})["ok"]


def test_a_bridge_with_nowhere_to_write_costs_no_cpu(commands: PodCommands, kernel: Bridge) -> None:
    """Its reader takes nothing (a half-open link) and its keeper is gone."""
    kernel.run("print('x' * 3_000_000)")
    process = commands.popen("bridge", {})
    assert process.stdin is not None
    process.stdin.write(hello(kernel.kernel))
    process.stdin.flush()
    bridge = psutil.Process(process.pid)
    keeper = psutil.Process(commands.kernel_info(kernel.kernel)["keeper_pid"])
    _until_idle(bridge)
    keeper.kill()
    psutil.wait_procs([keeper], PATIENCE)
    used = _until_idle(bridge)
    assert used < 0.5


def _until_idle(process: psutil.Process) -> float:
    """Wait for a second in which `process` does nothing; what it has used by then, in s."""
    end = time.monotonic() + 15
    used = -1.0
    while (now := sum(process.cpu_times()[:2])) != used:
        assert time.monotonic() < end, "it never rests"
        used = now
        time.sleep(1)
    return used


def test_a_bridge_whose_link_is_gone_ends_although_its_keeper_takes_nothing(
    commands: PodCommands, kernel: Bridge
) -> None:
    kernel.run("1")
    keeper = commands.kernel_info(kernel.kernel)["keeper_pid"]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = commands.popen("bridge", {}, stdout=theirs.fileno())
        assert process.stdin is not None
        process.stdin.write(hello(kernel.kernel))
        process.stdin.flush()
        said = b""
        while b'"welcome"' not in said:
            said += ours.recv(65536)
        os.kill(keeper, signal.SIGSTOP)
        stopped(keeper)
        os.set_blocking(process.stdin.fileno(), False)
        request = encode_record(1, 1, {"channel": "shell"}, [b"x" * 500_000])
        end = time.monotonic() + PATIENCE
        full = 0
        while full < 20:  # until nothing goes in any more
            assert time.monotonic() < end
            try:
                os.write(process.stdin.fileno(), request)
                full = 0
            except BlockingIOError:
                full += 1
                time.sleep(0.02)
    try:
        process.wait(10)
    finally:
        os.kill(keeper, signal.SIGCONT)
