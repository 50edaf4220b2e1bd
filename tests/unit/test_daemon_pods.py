"""What faces ask about pods that never answer; against the real daemon."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.daemon.opening import Opener
from jupyter_remote_gpu.daemon.pods import Pods
from jupyter_remote_gpu.daemon.settings import Settings
from jupyter_remote_gpu.errors import NotFound, RemoteGPUError
from tests.support.daemon import PATIENCE, OwnDaemon, own_daemon

OPEN: dict[str, Any] = {"notebook": "/n/a.ipynb", "folder": "/n", "fresh": False}


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(tmp_path, monkeypatch) as own:
        yield own


@pytest.fixture
def silent() -> Iterator[list[str]]:
    """The ssh command of a machine that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield ["ssh", "me@127.0.0.1", "-p", str(listener.getsockname()[1])]


def test_a_pod_can_be_removed_while_a_cell_waits_for_it(
    daemon: OwnDaemon, silent: list[str]
) -> None:
    async def work() -> None:
        control = await Control.open(kind="test")
        try:
            await control.request("pod.add", name="p", ssh=silent)
            await control.request("pod.connect", name="p")
            opening = asyncio.create_task(
                control.request("kernel.open", pod="p", timeout=PATIENCE, **OPEN)
            )
            # Answered in the order in which they were sent: so the opening waits by now.
            (pod,) = (await control.request("snapshot"))["pods"]
            assert pod["state"] == "connecting"
            assert not opening.done()
            removing = [control.request("pod.remove", name="p", timeout=PATIENCE) for _ in range(2)]
            answers = await asyncio.gather(*removing, return_exceptions=True)
            assert {} in answers
            assert any(isinstance(a, NotFound) for a in answers), answers
            with pytest.raises(NotFound, match="removed"):
                await opening
            assert (await control.request("snapshot"))["pods"] == []
        finally:
            await control.close()

    asyncio.run(work())


def test_what_the_laptops_disk_does_not_let_is_said(daemon: OwnDaemon) -> None:
    async def work() -> None:
        control = await Control.open(kind="test")
        try:
            await control.request("snapshot")  # it has read its files by then
            (daemon.folder / "pods.json").mkdir()
            with pytest.raises(RemoteGPUError, match=r"pod\.add.*pods\.json.*directory.*again"):
                await control.request("pod.add", name="p", ssh="me@127.0.0.1:1")
            (daemon.folder / "pods.json").rmdir()
            await control.request("pod.add", name="p", ssh="me@127.0.0.1:1")
        finally:
            await control.close()

    asyncio.run(work())


def test_a_pod_whose_removal_cannot_be_written_is_still_there(tmp_path: Path) -> None:
    async def work() -> None:
        pods = Pods(tmp_path, Settings(), lambda within: None)
        await pods.load()
        try:
            pods.add("p", "me@127.0.0.1:1", None)
            (tmp_path / "pods.json").unlink()
            (tmp_path / "pods.json").mkdir()
            with pytest.raises(OSError, match="directory"):
                await pods.remove("p")
            assert pods.entry("p").name == "p"
            (tmp_path / "pods.json").rmdir()
            await pods.remove("p")
            pods.add("p", "me@127.0.0.1:2", None)
        finally:
            await pods.close()

    asyncio.run(work())


def test_an_opening_that_waits_is_something_that_waits(tmp_path: Path) -> None:
    """The pod is tried every 1.5 s then, not every 10."""

    async def work() -> None:
        pods = Pods(tmp_path, Settings(), lambda within: None)
        await pods.load()
        try:
            entry = pods.add("p", "me@127.0.0.1:1", None)
            entry.link.connect(resume=True)
            busy = entry.link._clock._busy
            assert not busy()
            opener = Opener(pods)
            waiting = asyncio.create_task(opener.open("p", local_kernel=None, **OPEN))
            await asyncio.sleep(0)
            assert busy()
            waiting.cancel()
            await asyncio.wait([waiting])
            assert not busy()
        finally:
            await pods.close()

    asyncio.run(work())
