"""What hangs on the laptop hangs in one thread a pod; the loop and other tries go on."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.errors import TransportError
from jupyter_remote_gpu.link import keys, retrying, ssh
from jupyter_remote_gpu.link.blocking import OneAtATime
from jupyter_remote_gpu.link.identities import gather
from jupyter_remote_gpu.link.supervisor import PodLink
from jupyter_remote_gpu.pods import hostkeys
from jupyter_remote_gpu.pods.command import SSHTarget
from jupyter_remote_gpu.pods.registry import Pod
from tests.support.bridges import until

TICK = 0.05


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUSY_SECONDS", "SLOW_SECONDS"):
        monkeypatch.setattr(retrying, name, 0.1)
    monkeypatch.setattr(ssh, "LOGIN_SECONDS", 0.3)


class Hang:
    """Stands before a function: counts its calls, which wait for `over`."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.begun = 0
        self.over = threading.Event()
        self._call = call

    def __call__(self, *args: Any) -> Any:
        self.begun += 1
        self.over.wait(25)
        return self._call(*args)


@pytest.fixture(params=["options", "pinned"])
def hang(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hang]:
    where: Any = ssh if request.param == "options" else hostkeys
    name = "_options" if request.param == "options" else "pinned"
    hang = Hang(getattr(where, name))
    monkeypatch.setattr(where, name, hang)
    yield hang
    hang.over.set()


@pytest.mark.usefixtures("quick")
def test_a_pods_tries_leave_one_thread_behind(hang: Hang, tmp_path: Path) -> None:
    async def work() -> None:
        pod = Pod("pod", SSHTarget("127.0.0.1", port=1, user="me"))
        link = PodLink(pod, folder=tmp_path, on_change=lambda: None, busy=lambda: True)
        link.connect(resume=True)
        await until(lambda: link.status.code == "local", "the reason")
        assert "~/.ssh/config" in str(link.status.reason)
        await asyncio.sleep(1)
        assert hang.begun == 1
        hang.over.set()
        await until(lambda: link.status.code == "refused", "a try that goes on")
        await link.close()

    asyncio.run(work())


@pytest.mark.usefixtures("quick")
def test_the_try_of_our_own_key_has_an_end(hang: Hang, tmp_path: Path) -> None:
    class Shell:
        pod = Pod("pod", SSHTarget("127.0.0.1", port=1, user="me"))

        async def run_shell(self, script: str, stdin: bytes = b"", timeout: float = 0) -> str:
            return ""

    async def work() -> None:
        async with asyncio.timeout(20):
            with pytest.raises(TransportError, match=r"a login with it failed.*~/\.ssh/config"):
                await keys.install(Shell(), tmp_path)
        hang.over.set()

    asyncio.run(work())


def test_a_key_file_that_is_a_pipe_does_not_stop_the_loop(tmp_path: Path) -> None:
    pipe = tmp_path / "key"
    os.mkfifo(pipe)
    late: list[float] = []

    async def tick() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(TICK)
            late.append(time.monotonic() - began - TICK)

    async def work() -> None:
        ticking = asyncio.create_task(tick())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await gather([str(pipe)], tmp_path / "own")
        ticking.cancel()
        assert max(late) < 0.5
        # Whoever opens it for reading is let go, and reads nothing.
        end = os.open(pipe, os.O_RDWR)
        pipe.unlink()
        os.close(end)

    asyncio.run(work())


def test_one_call_after_the_other_and_each_has_its_result() -> None:
    running: list[int] = []

    def call(n: int) -> int:
        running.append(n)
        time.sleep(0.01)
        assert running == [n]
        running.remove(n)
        if n == 3:
            raise ValueError("three")
        return n

    async def work() -> None:
        calls = OneAtATime()
        done = await asyncio.gather(*(calls.run(call, n) for n in range(6)), return_exceptions=True)
        assert [d for d in done if not isinstance(d, ValueError)] == [0, 1, 2, 4, 5]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await calls.run(call, 7)
        assert await calls.run(call, 8) == 8

    asyncio.run(work())
