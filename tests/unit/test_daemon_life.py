"""The daemon starts once, is replaced, ends by itself; against the real process."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu._version import __version__
from jupyter_remote_gpu.client import spawn
from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.errors import DaemonError
from jupyter_remote_gpu.wire.frames import encode_control
from tests.support.daemon import PATIENCE, ROOT, OwnDaemon, RawFace, own_daemon, until
from tests.support.written import IDENTITY, KERNEL, frames, output

ASK = """
from jupyter_remote_gpu.client.threaded import Face
face = Face(kind="test")
print(face.request("snapshot")["daemon"]["pid"])
face.close()
"""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(tmp_path, monkeypatch) as own:
        yield own


def answer(face: object) -> str:
    out, err = face.communicate(timeout=60)  # type: ignore[attr-defined]
    assert face.returncode == 0, err  # type: ignore[attr-defined]
    return str(out).strip()


def test_ten_faces_at_once_get_one_daemon(daemon: OwnDaemon) -> None:
    faces = [daemon.python(ASK) for _ in range(10)]
    pids = {answer(face) for face in faces}
    assert pids == {str(daemon.pid)}
    assert daemon.processes() == [daemon.pid]


def test_it_is_detached_and_its_files_are_private(daemon: OwnDaemon) -> None:
    answer(daemon.python(ASK))
    process = psutil.Process(daemon.pid)
    assert process.parent() is None or process.parent().pid != os.getpid()
    assert os.getsid(daemon.pid) != os.getsid(0)
    assert os.readlink(f"/proc/{daemon.pid}/fd/0") == "/dev/null"
    for path in daemon.folder.iterdir():
        assert path.stat().st_mode & 0o077 == 0, path
    assert Path(daemon.record["socket"]).stat().st_mode & 0o077 == 0


def test_after_kill_9_the_next_request_gets_a_new_one(daemon: OwnDaemon) -> None:
    face = Face(kind="test")
    try:
        first = face.request("snapshot")["daemon"]["pid"]
        daemon.kill()
        second = face.request("snapshot")["daemon"]["pid"]
        assert first != second
        assert daemon.processes() == [second]
    finally:
        face.close()


def test_a_stale_socket_is_in_nobodys_way(daemon: OwnDaemon) -> None:
    answer(daemon.python(ASK))
    daemon.kill()
    assert Path(daemon.record["socket"]).exists()
    assert answer(daemon.python(ASK)) == str(daemon.pid)


def test_a_face_with_another_runtime_folder_finds_it(daemon: OwnDaemon) -> None:
    pid = answer(daemon.python(ASK))
    assert answer(daemon.python(ASK, XDG_RUNTIME_DIR="/nowhere")) == pid


def test_it_ends_when_nothing_is_wanted(daemon: OwnDaemon) -> None:
    daemon.settings(idle_seconds=0.5)
    face = Face(kind="test")
    pid = face.request("snapshot")["daemon"]["pid"]
    face.watch(lambda snapshot: None)
    until(lambda: face.latest_snapshot() is not None, "the first snapshot")
    assert psutil.pid_exists(pid)
    face.close()
    until(lambda: not psutil.pid_exists(pid), "the idle daemon's end")
    assert not Path(daemon.record["socket"]).exists()


def test_stop_ends_it_and_a_watcher_does_not_bring_it_back(daemon: OwnDaemon) -> None:
    face = Face(kind="test")
    try:
        face.watch(lambda snapshot: None)
        until(lambda: face.latest_snapshot() is not None, "the first snapshot")
        pid = daemon.pid
        assert face.request("daemon.stop") == {}
        until(lambda: not psutil.pid_exists(pid), "the daemon's end")
        assert "ended" in daemon.log()
    finally:
        face.close()
    assert daemon.processes() == []


def test_without_spawn_an_absent_daemon_is_said_so(daemon: OwnDaemon) -> None:
    with pytest.raises(DaemonError, match="not running") as caught:
        asyncio.run(Control.open(kind="test", spawn=False))
    assert caught.value.code == "daemon-absent"


def test_a_daemon_that_cannot_start_shows_its_log(
    daemon: OwnDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "asyncio.py").write_text("raise RuntimeError('the wrong asyncio')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(DaemonError, match="the wrong asyncio"):
        spawn.start_daemon()
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    spawn.start_daemon()
    assert daemon.processes() == [daemon.pid]


def copy_with_version(folder: Path, version: str) -> str:
    """The package with another version; the folder to put on the path."""
    shutil.copytree(ROOT / "jupyter_remote_gpu", folder / "jupyter_remote_gpu")
    (folder / "jupyter_remote_gpu" / "_version.py").write_text(f"__version__ = {version!r}\n")
    return str(folder)


def test_a_newer_face_replaces_the_daemon_and_an_older_one_is_told(
    daemon: OwnDaemon, tmp_path: Path
) -> None:
    old = int(answer(daemon.python(ASK)))
    newer = copy_with_version(tmp_path / "newer", "99.0.0")
    new = int(answer(daemon.python(ASK, PYTHONPATH=newer)))
    assert new != old
    until(lambda: not psutil.pid_exists(old), "the older daemon's end")
    face = daemon.python(ASK)
    _, err = face.communicate(timeout=60)
    assert face.returncode != 0
    assert "VersionMismatch" in err
    assert f"{__version__}, older than the daemon (99.0.0). Upgrade the package" in err
    assert daemon.processes() == [new]


@pytest.mark.parametrize("version", ["99.0.0", "0.0.1"])
def test_a_daemon_of_another_version_is_stopped_by_the_users_word(
    daemon: OwnDaemon, tmp_path: Path, version: str
) -> None:
    """The command that the sentence about the version names."""
    pid = int(answer(daemon.python(ASK)))
    other = copy_with_version(tmp_path / "other", version)
    stop = "from jupyter_remote_gpu.cli import main\nprint(main(['daemon', 'stop']))"
    assert answer(daemon.python(stop, PYTHONPATH=other)).endswith("0")
    until(lambda: not psutil.pid_exists(pid), "the daemon's end")


def test_signals_end_it_cleanly(daemon: OwnDaemon) -> None:
    answer(daemon.python(ASK))
    pid = daemon.pid
    with RawFace() as face:
        assert face.hello()["type"] == "welcome"
        os.kill(pid, signal.SIGTERM)
        assert face.message() == {}
    until(lambda: not psutil.pid_exists(pid), "the daemon's end")


def test_damaged_files_are_set_aside_and_stop_nothing(daemon: OwnDaemon) -> None:
    answer(daemon.python(ASK))
    daemon.kill()
    kernel = "a" * 32
    (daemon.folder / "mirrors" / kernel).mkdir(parents=True)
    (daemon.folder / "mirrors" / kernel / "kernel.json").write_text("[1")
    for name in ("bindings.json", "laptop.json", "wanted.json"):
        (daemon.folder / name).write_text("{broken")
    answer(daemon.python(ASK))
    names = {p.name for p in daemon.folder.iterdir()}
    for name in ("bindings.json", "laptop.json", "wanted.json"):
        assert any(n.startswith(f"{name}.damaged-") for n in names), names
        assert name in daemon.log()
    assert json.loads((daemon.folder / "laptop.json").read_text())["id"]
    mirrors = [p.name for p in (daemon.folder / "mirrors").iterdir()]
    assert all(n.startswith(f"{kernel}.damaged-") for n in mirrors), mirrors


def test_the_log_is_bounded(daemon: OwnDaemon) -> None:
    answer(daemon.python(ASK))
    daemon.kill()
    (daemon.folder / "daemon.log").write_bytes(b"x" * (3 << 20))
    answer(daemon.python(ASK))
    assert (daemon.folder / "daemon.log").stat().st_size < 1 << 20
    assert (daemon.folder / "daemon.log.1").stat().st_size > 3 << 20
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(daemon.record["socket"])


def test_a_daemon_that_cannot_load_says_why_and_ends(daemon: OwnDaemon) -> None:
    process = daemon.python(
        "from jupyter_remote_gpu.daemon import app\n"
        "async def broken(self): raise TypeError('nobody expected this')\n"
        "app.Daemon._load_all = broken\n"
        "raise SystemExit(app.main(None))\n"
    )
    until(lambda: daemon.record and Path(daemon.record["socket"]).exists(), "the socket")
    with RawFace() as face:
        assert face.hello()["type"] == "welcome"
        face.sock.sendall(encode_control({"id": 1, "op": "pod.connect", "args": {"name": "p"}}))
        error = face.message()["error"]
        assert error["code"] == "daemon-load"
        assert "nobody expected this" in error["message"]
    assert process.wait(PATIENCE) == 1
    assert "Traceback" in daemon.log()
    process.communicate()


def test_what_a_killed_daemon_left_raw_is_compacted_at_the_start(daemon: OwnDaemon) -> None:
    bound = 1 << 20
    daemon.settings(mirror_bytes=bound)
    mirror = Mirror(daemon.folder / "mirrors" / KERNEL, bound)
    mirror.note(pod="p", identity=IDENTITY)
    line = '{"name": "stdout", "text": "a line\\n"}'
    lines = [output(n, line, **{"class": "durable"}) for n in range(1, 2000)]
    mirror.append(frames(b"".join(lines[:1000])))
    mirror.append(frames(b"".join(lines[1000:])))
    before = mirror.log.size
    mirror.log.close()
    answer(daemon.python(ASK))
    folder = mirror.log.folder
    until(lambda: sum(p.stat().st_size for p in folder.glob("*.seg")) < before / 2, "compaction")
