"""``jupyter remote-gpu demo``: the pod on this machine, its home, its cuts and its end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.demo import machine
from jupyter_remote_gpu.demo.openssh import free_port
from jupyter_remote_gpu.demo.warden import marked
from jupyter_remote_gpu.errors import RemoteGPUError
from tests.support.command import DemoRun, cli, refused, running_demo
from tests.support.daemon import OwnDaemon, own_daemon, until
from tests.support.face import KernelFace

COUNT = "import time\nfor i in range({n}):\n    print(i, flush=True)\n    time.sleep({pause})"


@pytest.fixture
def own(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(short_tmp, monkeypatch) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def demo(pod_python: str) -> Iterator[DemoRun]:
    """One demo for the tests that leave it as it was."""
    home = Path(tempfile.mkdtemp(prefix="jrg-t"))
    with pytest.MonkeyPatch.context() as m, own_daemon(home, m) as daemon:
        with running_demo(daemon.data, pod_python) as running:
            yield running
        assert not marked(str(running.folder)), "something of the pod runs on"
    shutil.rmtree(home)


@pytest.fixture
def face(demo: DemoRun) -> Iterator[Face]:
    opened = Face(kind="test")
    yield opened
    opened.close()


def client(demo: DemoRun, program: str, *words: str, **more: object) -> str:
    """Run ssh, scp or sftp against the pod, strictly with its own host key; what it prints."""
    _, p, port, i, key, place = demo.ssh()
    assert (p, i) == ("-p", "-i")
    known = demo.folder.parent / "test_known_hosts"
    known.write_text(f"demo {(demo.folder / 'host_key.pub').read_text()}")
    pairs = {"HostKeyAlias": "demo", "UserKnownHostsFile": known, "BatchMode": "yes", "Port": port}
    pairs |= {"IdentitiesOnly": "yes", "IdentityAgent": "none", "StrictHostKeyChecking": "yes"}
    options = ["-F", "none", "-i", key, *(w for k, v in pairs.items() for w in ("-o", f"{k}={v}"))]
    filled = [word.replace("PLACE", place) for word in words]
    done = subprocess.run(
        [program, *options, *filled],
        **{"capture_output": True, "text": True, "timeout": 30, "cwd": "/", **more},  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done
    return str(done.stdout)


def state(face: Face) -> str:
    (pod,) = face.request("snapshot")["pods"]
    assert pod["name"] == "demo"
    return str(pod["state"])


def test_it_registers_the_pod_with_its_host_key_and_does_not_connect(
    demo: DemoRun, face: Face
) -> None:
    assert state(face) == "disconnected"
    key = " ".join((demo.folder / "host_key.pub").read_text().split()[:2])
    assert key in (demo.folder.parent / "known_hosts" / "demo").read_text()
    (pod,) = cli("list", "--json").json()["pods"]
    assert pod["name"] == "demo" and pod["address"] in demo.said()
    # Pinned: nobody asks about the key.
    assert cli("connect", "demo").out.splitlines()[-1].startswith("demo: connected")
    cli("disconnect", "demo")


@pytest.mark.parametrize("command", [["pwd; echo $HOME"], ["sh", "-lc", "'pwd; echo $HOME'"]])
def test_a_session_begins_in_the_pods_home(demo: DemoRun, command: list[str]) -> None:
    home = str(demo.home)
    assert client(demo, "ssh", "PLACE", *command).split() == [home, home]
    script = "pwd; echo $HOME\n"
    assert client(demo, "ssh", "-T", "PLACE", input=script).split()[-2:] == [home, home]


@pytest.mark.parametrize("way", ["scp", "scp -O", "sftp"])
def test_a_relative_copy_lands_in_the_pods_home(demo: DemoRun, way: str, tmp_path: Path) -> None:
    program, *options = way.split()
    name = f"by {way}.bin".replace(" ", "-")
    (tmp_path / name).write_bytes(os.urandom(100_000))
    if program == "scp":
        client(demo, "scp", *options, str(tmp_path / name), f"PLACE:{name}")
    else:
        client(demo, "sftp", "-b", "-", "PLACE", input=f"put {tmp_path / name} {name}\npwd\n")
    assert (demo.home / name).read_bytes() == (tmp_path / name).read_bytes()


def test_a_key_of_our_own_opens_it(demo: DemoRun) -> None:
    """What `key` says it checks: a login with that key alone."""
    cli("connect", "demo")
    public = cli("key", "demo").out.splitlines()[-1]
    lines = (demo.home / ".ssh" / "authorized_keys").read_text()
    assert public in lines
    assert "off demo" in cli("key", "demo", "--remove").out
    assert public not in (demo.home / ".ssh" / "authorized_keys").read_text()
    cli("disconnect", "demo")


def test_a_cell_survives_a_cut(demo: DemoRun, face: Face) -> None:
    assert cli("connect", "demo").status == 0
    cell = KernelFace(face, "demo")
    n, seconds = 160, 4.0
    execution = cell.submit(COUNT.format(n=n, pause=0.05))
    cell.until_text(execution, "\n5\n")
    begin = time.time()
    said = cli("demo", "--cut", str(seconds))
    assert "network is away until" in said.out
    seen: list[tuple[float, int]] = []

    def over() -> bool:
        seen.append((time.time(), len(cell.records)))
        return time.time() > begin + seconds - 0.3

    until(over, "the end of the cut")
    during = {count for when, count in seen if when > begin + 1.5}
    assert len(during) == 1, "something came through while the network was away"
    assert cell.ended(execution)["outcome"] == "ok"
    assert cell.text(execution) == "".join(f"{i}\n" for i in range(n))
    cell.in_order()
    assert len(cell.records) > during.pop()
    assert state(face) == "connected"
    cli("disconnect", "demo")


def test_a_second_one_says_that_the_first_runs(demo: DemoRun, pod_python: str) -> None:
    assert "runs already" in refused("demo", "--python", pod_python, status=1)
    assert demo.runs()
    assert client(demo, "ssh", "PLACE", "echo still here") == "still here\n"


@pytest.mark.parametrize("runtime", [None, "another"])
def test_a_cut_finds_the_demo_from_any_terminal(
    demo: DemoRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str | None
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    if runtime is not None:
        (tmp_path / runtime).mkdir(mode=0o700)
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / runtime))
    assert "away until" in cli("demo", "--cut", "0.1").out


@pytest.mark.parametrize("seconds", ["-1", "0", "soon", "nan", "1e9", ""])
def test_a_cut_has_a_length(demo: DemoRun, seconds: str) -> None:
    assert "seconds is not possible" in refused("demo", f"--cut={seconds}", status=2)


def test_a_cut_needs_a_demo(own: OwnDaemon) -> None:
    assert "No demo pod runs" in refused("demo", "--cut", "5", status=1)


def test_its_python_needs_ipykernel(own: OwnDaemon, tmp_path: Path) -> None:
    assert "There is no Python" in refused("demo", "--python", str(tmp_path / "none"), status=1)
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\nexit 1\n")
    bare.chmod(0o755)
    assert "pip install ipykernel" in refused("demo", "--python", str(bare), status=1)
    bare.write_bytes(b"\0no program")
    said = refused("demo", "--python", str(bare), status=1)
    assert "Exec format error" in said and "--python" in said


def test_a_python_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CHECK_SECONDS", 1.0)
    hung = tmp_path / "python"
    hung.write_text("#!/bin/sh\nsleep 600\n")  # both must end: what is left fails a test
    hung.chmod(0o755)
    with pytest.raises(RemoteGPUError, match=r"within 1 s.*--python"):
        asyncio.run(machine.check_python(str(hung)))


def test_a_demo_that_is_off_is_said_so(own: OwnDaemon) -> None:
    cli("add", "demo", "ssh", "me@127.0.0.1", "-p", str(free_port()))
    said = cli("connect", "demo", status=1).err
    assert "switch it on: `jupyter remote-gpu demo`" in said


def test_it_leaves_another_pod_of_its_name_alone(own: OwnDaemon, pod_python: str) -> None:
    cli("add", "demo", "ssh", "me@203.0.113.7")
    assert "remove demo" in refused("demo", "--python", pod_python, status=1)
    assert cli("list", "--json").json()["pods"][0]["address"].startswith("me@203.0.113.7")
    assert not marked(str(own.folder / "demo"))


@pytest.mark.parametrize("way", ["ctrl-c", "parent killed", "killed itself"])
def test_it_ends_and_sshd_with_it(own: OwnDaemon, pod_python: str, way: str) -> None:
    with running_demo(own.data, pod_python) as demo:
        assert marked(str(demo.folder)) or demo.runs()
        cli("connect", "demo")
        face = Face(kind="test")
        try:
            assert KernelFace(face, "demo").run("1")["outcome"] == "ok"
        finally:
            face.close()
        pid, port = demo.pid, int(demo.ssh()[2])
        if way == "ctrl-c":
            assert demo.end() == 0
            assert "switched off" in demo.said().splitlines()[-1]
        elif way == "parent killed":
            os.kill(demo.shell.pid, signal.SIGKILL)
            demo.shell.wait(10)
        else:
            os.kill(pid, signal.SIGKILL)
            demo.shell.wait(10)
        until(lambda: not alive(pid), "the demo's end", 15)
        until(lambda: not marked(str(demo.folder)), "the end of sshd and of the kernel", 15)
        # What follows needs no cleaning up, and the pod keeps its address.
        demo.start()
        assert int(demo.ssh()[2]) == port
        assert cli("connect", "demo").status == 0


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
