"""An opening that cannot go on: given up by its face, or its keeper never answers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.daemon import opening
from jupyter_remote_gpu.daemon.pods import Pods
from jupyter_remote_gpu.daemon.settings import Settings
from jupyter_remote_gpu.errors import PodError
from jupyter_remote_gpu.link import supervisor
from jupyter_remote_gpu.pods.registry import Registry
from tests.support.face import PATIENCE
from tests.support.place import Place, whole_place
from tests.support.sshd import Sshd

WHERE: dict[str, Any] = {"notebook": "/n/a.ipynb", "folder": "/n", "fresh": False}


@pytest.fixture
def place(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole_place(short_tmp, pod_python, monkeypatch) as place:
        place.connect()
        yield place


def test_what_was_stopped_during_a_cut_is_not_done_later(place: Place) -> None:
    place.proxy.cut()
    place.until_state("reconnecting")

    async def work() -> dict[str, Any]:
        control = await Control.open(kind="test")
        try:

            def ask() -> asyncio.Task[dict[str, Any]]:
                request = control.request("kernel.open", timeout=PATIENCE, pod="pod", **WHERE)
                return asyncio.create_task(request)

            stopped = ask()
            await control.request("snapshot")  # answered in turn: the opening waits by now
            stopped.cancel()
            await asyncio.wait([stopped])
            again = ask()
            await control.request("snapshot")
            place.proxy.heal()
            return await again
        finally:
            await control.close()

    assert not asyncio.run(work())["joined"]
    assert len(place.face.request("kernel.list", pod="pod")["kernels"]) == 1


def of_a_process(
    place: Path, pod_python: str, work: Callable[[Pods, Sshd], Awaitable[None]]
) -> None:
    """Do `work` with pods of our own process, one of which is a real one named pod."""

    async def all_of_it(sshd: Sshd, folder: Path) -> None:
        pods = Pods(folder, Settings(), lambda within: None)
        await pods.load()
        try:
            await work(pods, sshd)
        finally:
            await pods.close()

    with Sshd(place / "pod", pod_python) as sshd:
        folder = place / "data"
        folder.mkdir(mode=0o700)
        registry = Registry(folder)
        registry.add("pod", sshd.words(), pod_python)
        registry.pin("pod", sshd.host_key_line)
        asyncio.run(asyncio.wait_for(all_of_it(sshd, folder), 2 * PATIENCE))


def test_a_keeper_that_never_answers_is_said_so(
    short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "ALIVE_SECONDS", 1.0)

    async def work(pods: Pods, _: Sshd) -> None:
        entry = pods.connect("pod", None)
        opener = opening.Opener(pods)
        opened = await opener.open("pod", local_kernel=None, **WHERE)
        info = next(short_tmp.rglob(f"kernels/{opened['kernel']}/kernel.json"))
        keeper = int(json.loads(info.read_text())["keeper_pid"])
        os.kill(keeper, signal.SIGSTOP)
        try:
            await entry.link.disconnect()
            entry.link.connect()
            with pytest.raises(PodError, match="%gpu restart") as caught:
                await opener.open("pod", local_kernel=None, **WHERE)
            assert caught.value.code == "keeper-silent"
            # Which is what that does.
            other = await opener.open("pod", local_kernel=None, **{**WHERE, "fresh": True})
            assert other["kernel"] != opened["kernel"]
        finally:
            os.kill(keeper, signal.SIGCONT)

    of_a_process(short_tmp, pod_python, work)


def test_a_kernel_of_whose_pod_there_is_no_news_gets_another_bridge(
    short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the latency of a link that stands is news."""
    monkeypatch.setattr(supervisor, "steady", lambda shown, latest: shown)

    async def work(pods: Pods, sshd: Sshd) -> None:
        pods.connect("pod", None)
        opened = await opening.Opener(pods).open("pod", local_kernel=None, **WHERE)
        first = set(sshd.bridges())
        assert first
        for pid in first:
            os.kill(pid, signal.SIGKILL)
        # Until its end is seen this is said of the first one.
        while not set(sshd.bridges()) - first:
            assert await pods.kernel(opened["kernel"]).alive(PATIENCE / 2)

    of_a_process(short_tmp, pod_python, work)
