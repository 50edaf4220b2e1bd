"""The daemon's socket in this process: whom it serves, and answers that are too large."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu._version import __version__
from jupyter_remote_gpu.client import spawn, threaded
from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.client.paths import data_folder, socket_path
from jupyter_remote_gpu.daemon.app import listen
from jupyter_remote_gpu.daemon.connection import FaceConnection
from jupyter_remote_gpu.daemon.control import ControlSession
from jupyter_remote_gpu.daemon.server import FaceServer
from jupyter_remote_gpu.daemon.snapshot import Snapshots
from jupyter_remote_gpu.errors import DaemonError, RemoteGPUError
from jupyter_remote_gpu.wire.frames import encode_control
from tests.support.daemon import OwnDaemon

PATIENCE = 20.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OwnDaemon:
    daemon = OwnDaemon(tmp_path)
    for name, value in daemon.env.items():
        monkeypatch.setenv(name, value)
    return daemon


class Large:
    """Answers with a text as long as it is asked for."""

    async def perform(self, op: str, args: dict[str, Any]) -> dict[str, Any]:
        return {"text": "x" * int(args["size"])}


def served(work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` beside a server."""

    async def control(connection: FaceConnection) -> None:
        await ControlSession(connection, Large(), Snapshots(list, {})).serve()

    async def main() -> None:
        server = FaceServer(control, control)
        await server.start(listen(socket_path(make=True)))
        try:
            await asyncio.wait_for(work(), PATIENCE)
        finally:
            await server.close()

    asyncio.run(main())


def greeted(path: Path) -> bool:
    """Whether a face that says hello at `path` is answered."""
    with socket.socket(socket.AF_UNIX) as face:
        face.settimeout(PATIENCE)
        face.connect(str(path))
        hello = {"service": "control", "protocol": 1, "version": __version__, "client": "c" * 32}
        with contextlib.suppress(BrokenPipeError):
            face.sendall(encode_control(hello))
        try:
            return b"welcome" in face.recv(65536)
        except ConnectionResetError:
            return False


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="the system does not tell who it is")
def test_only_processes_of_the_same_user_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    path, uid = socket_path(make=True), os.getuid()

    async def work() -> None:
        assert await asyncio.to_thread(greeted, path)
        # The peer's uid is told by the system; so it is the server that is somebody else here.
        with monkeypatch.context() as other:
            other.setattr(os, "getuid", lambda: uid + 1)
            assert not await asyncio.to_thread(greeted, path)

    served(work)


def test_an_answer_that_is_too_large_says_what_to_do() -> None:
    async def work() -> None:
        control = await Control.open(kind="test", spawn=False)
        try:
            with pytest.raises(RemoteGPUError, match=r"answer to doctor is larger.*name one pod"):
                await control.request("doctor", size=2 << 20)
            assert (await control.request("doctor", size=10))["text"] == "x" * 10
        finally:
            await control.close()

    served(work)


def test_a_face_that_waited_in_vain_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "START_SECONDS", 0.1)
    monkeypatch.setattr(threaded, "GRACE_SECONDS", 0.2)
    with listen(socket_path(make=True)):  # and never accepts
        face = threaded.Face(kind="test")
        try:
            with pytest.raises(DaemonError, match="No daemon answered to snapshot") as caught:
                face.request("snapshot", timeout=0.1)
            assert caught.value.code == "timeout"
        finally:
            face.close()


def test_the_daemon_finds_a_data_folder_that_is_relative_here(
    home: OwnDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUPYTER_DATA_DIR", home.data.name)
    assert data_folder() == home.folder
    try:
        spawn.start_daemon()
        assert home.processes() == [home.pid]
    finally:
        home.close()
