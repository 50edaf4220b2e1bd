"""A daemon of a test's own: another data folder, so another daemon."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from jupyter_remote_gpu._version import __version__
from jupyter_remote_gpu.client import spawn
from jupyter_remote_gpu.wire.frames import CONTROL, FrameDecoder, decode_control, encode_control

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 20.0
"""Seconds after which a test that waits fails."""


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Poll until `condition` gives something true, and return that."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {patience:g} s"
        time.sleep(0.02)


class OwnDaemon:
    """The data folder, and the daemon that serves it when somebody starts one.

    Attributes
    ----------
    folder : Path
        ``<data folder>/remote-gpu``.
    env : dict
        What a process needs to use the same daemon.
    """

    def __init__(self, home: Path) -> None:
        self.data, self.run = home / "data", home / "run"
        self.data.mkdir(mode=0o700)
        self.run.mkdir(mode=0o700)
        self.folder = self.data / "remote-gpu"
        self.env = {
            "JUPYTER_DATA_DIR": str(self.data),
            "XDG_RUNTIME_DIR": str(self.run),
            "PYTHONPATH": str(ROOT),
        }

    @property
    def record(self) -> dict[str, Any]:
        """What the latest daemon wrote about itself."""
        try:
            record: dict[str, Any] = json.loads((self.folder / "daemon.json").read_bytes())
        except FileNotFoundError:
            return {}
        return record

    @property
    def pid(self) -> int:
        return int(self.record["pid"])

    def settings(self, **values: float) -> None:
        """What the next daemon finds in ``settings.json``."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        (self.folder / "settings.json").write_text(json.dumps(values))

    def processes(self) -> list[int]:
        """All daemons that use this data folder, whoever started them."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                ours = process.environ().get("JUPYTER_DATA_DIR") == str(self.data)
                if ours and "jupyter_remote_gpu.daemon" in process.cmdline():
                    found.append(process.pid)
        return found

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text("utf-8")

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(pid), "the daemon's end")

    def close(self) -> None:
        """End what is left."""
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        try:
            until(lambda: not self.processes(), "the end of the test's daemon", 10)
        except AssertionError:
            for pid in self.processes():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise

    def python(self, code: str, **env: str) -> subprocess.Popen[str]:
        """A face in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, **self.env, **env},
            cwd="/",  # the path decides which package is meant, not the working folder
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextlib.contextmanager
def own_daemon(home: Path, monkeypatch: Any) -> Iterator[OwnDaemon]:
    """Point this process to a daemon of its own; ended at the end."""
    daemon = OwnDaemon(home)
    for name, value in daemon.env.items():
        monkeypatch.setenv(name, value)
    try:
        yield daemon
    finally:
        daemon.close()


class RawFace:
    """A bare socket to the daemon, for what a good face never does."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(spawn.daemon_socket()))
        self.decoder = FrameDecoder()
        self.frames: list[tuple[int, bytes]] = []

    def __enter__(self) -> RawFace:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def hello(self, service: str = "control", **fields: Any) -> dict[str, Any]:
        """Say hello; the daemon's answer."""
        full = {
            "service": service,
            "protocol": 1,
            "version": __version__,
            "client": uuid.uuid4().hex,
            "identity": None,
            "cursor": 0,
        }
        self.sock.sendall(encode_control({**full, **fields}))
        return self.message()

    def message(self) -> dict[str, Any]:
        """The next control message; empty at the end of the connection."""
        while True:
            while self.frames:
                kind, payload = self.frames.pop(0)
                if kind == CONTROL:
                    return decode_control(payload)
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                return {}
            if not data:
                return {}
            self.frames += self.decoder.feed(data)
