"""What blocks and hangs stops neither the rest of the daemon nor its end."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.daemon import threads
from tests.support.daemon import OwnDaemon, own_daemon, until
from tests.support.login import empty_home

HUNG = 20
"""More than asyncio's own executor has threads on a laptop."""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    empty_home(tmp_path / "home", monkeypatch)
    with own_daemon(tmp_path, monkeypatch) as own:
        yield own


def test_programs_of_the_configuration_that_hang(daemon: OwnDaemon, tmp_path: Path) -> None:
    (tmp_path / "hangs").touch()
    # Each notes that it began, and hangs while the file is there.
    hang = tmp_path / "hang"
    hang.write_text(
        f"#!/bin/sh\necho >> {tmp_path}/begun\nwhile [ -e {tmp_path}/hangs ]; do sleep 0.1; done\n"
    )
    hang.chmod(0o700)
    config = tmp_path / "home" / ".ssh" / "config"
    config.write_text(f"Match exec {hang}\n  User me\n")
    face = Face(kind="test")
    try:
        for n in range(HUNG):
            face.request("pod.add", name=f"pod{n}", ssh=f"me@127.0.0.1:{n + 1}", python=None)
            face.request("pod.connect", name=f"pod{n}")
        begun = tmp_path / "begun"
        until(lambda: begun.exists() and len(begun.read_text()) == HUNG, "all hang")
        config.write_text("")
        face.request("pod.add", name="good", ssh="me@127.0.0.1:1", python=None)
        face.request("pod.connect", name="good")
        pods = until(lambda: [p for p in face.request("snapshot")["pods"] if p["reason"]], "a try")
        assert [(p["name"], p["code"]) for p in pods] == [("good", "refused")]
        process = psutil.Process(daemon.pid)
        os.kill(process.pid, signal.SIGTERM)
        process.wait(10)
        assert "blocking calls have not ended" in (daemon.folder / "daemon.log").read_text()
    finally:
        (tmp_path / "hangs").unlink()
        face.close()


def test_results_errors_and_the_end() -> None:
    executor = threads.Threads()

    async def main() -> None:
        asyncio.get_running_loop().set_default_executor(executor)
        assert await asyncio.gather(*(asyncio.to_thread(pow, n, 2) for n in range(300))) == [
            n**2 for n in range(300)
        ]
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)

    asyncio.run(main())
    with pytest.raises(RuntimeError):
        executor.submit(print)


def test_what_is_done_soon_is_waited_for_at_the_end() -> None:
    begun, done = threading.Event(), threading.Event()
    executor = threads.Threads()

    def work() -> None:
        begun.set()
        over.wait(1)
        done.set()

    over = threading.Event()
    executor.submit(work)
    assert begun.wait(10)
    executor.shutdown()
    assert done.is_set()
