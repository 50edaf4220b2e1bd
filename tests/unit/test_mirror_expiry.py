"""Mirrors of kernels that ended long ago are dropped; all others are kept."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.client import spawn
from jupyter_remote_gpu.daemon import doctor, expiry
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.daemon.pods import Pods
from jupyter_remote_gpu.daemon.settings import Settings
from jupyter_remote_gpu.pods.registry import Registry
from tests.support.daemon import own_daemon
from tests.support.daemon import until as patiently
from tests.support.written import IDENTITY, cell, frames, note

PATIENCE = 20.0
DAYS = 86400.0


def mirror(folder: Path, name: str, days: float, *, died: float | None = None, **info: Any) -> str:
    """A mirror of which nothing was heard for so many days; its id."""
    made = Mirror(folder / "mirrors" / (name * 32))
    made.note(**{"pod": "pod", "identity": IDENTITY, **info})
    said = [note(1, "started", kernel=made.id), *cell(2, "e" * 32)]
    if died is not None:
        said.append(note(6, "died", code=0, asked=True, time=time.time() - died * DAYS))
    made.append(frames(b"".join(said)))
    made.close()
    when = time.time() - days * DAYS
    for path in made.folder.rglob("*"):
        os.utime(path, (when, when))
    return made.id


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (a disk sends no event)
            await asyncio.sleep(0.02)


def test_only_what_ended_long_ago_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "AGAIN_SECONDS", 0.05)
    Registry(tmp_path).add("pod", "ssh me@127.0.0.1 -p 1")
    kept = {
        mirror(tmp_path, "1", 13, died=13),
        mirror(tmp_path, "2", 1, died=400),  # it ended while the laptop was away
        mirror(tmp_path, "3", 400, died=1),
        mirror(tmp_path, "4", 400),  # it may run still
    }
    read = mirror(tmp_path, "5", 400, died=400)
    mirror(tmp_path, "6", 15, pod="removed")
    mirror(tmp_path, "7", 15, gone="The pod has no such kernel.")
    mirror(tmp_path, "8", 15, died=15)  # the last one that is looked at

    def names() -> set[str]:
        return set(os.listdir(tmp_path / "mirrors"))

    async def work() -> None:
        pods = Pods(tmp_path, Settings(), lambda within: None)
        await pods.load()
        readers = pods.kernel(read).state.audience.channels
        readers["c" * 32] = None  # type: ignore[assignment]
        expiring = asyncio.create_task(expiry.expire(pods, Settings().mirror_days))
        try:
            await until(lambda: "8" * 32 not in names())
            assert names() == set(pods.kernels) == {*kept, read}
            told = (await doctor.examine(pods))["laptop"]
            assert told["mirror_days"] == 14
            assert {m["kernel"][0]: m["ended"] for m in told["mirrors"]}["1"] == "stopped"
            del readers["c" * 32]
            await until(lambda: names() == kept)
            # Removing a pod is what its kernels grow old from.
            await pods.remove("pod")
            for name in kept:
                known = tmp_path / "mirrors" / name / "kernel.json"
                assert time.time() - known.stat().st_mtime < PATIENCE
        finally:
            expiring.cancel()
            await asyncio.wait([expiring])
            await pods.close()

    asyncio.run(work())


def test_the_daemon_does_it_at_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with own_daemon(tmp_path, monkeypatch) as daemon:
        daemon.settings(mirror_days=2)
        old, new = (mirror(daemon.folder, str(n), 3 - n, died=3 - n) for n in (0, 2))
        spawn.start_daemon()
        patiently(lambda: not (daemon.folder / "mirrors" / old).exists(), "the mirror's end")
        assert (daemon.folder / "mirrors" / new / "kernel.json").exists()
        assert "ended over 2 days ago" in daemon.log()
