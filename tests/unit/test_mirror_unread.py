"""A mirror that cannot be read now: its notebook gets no other kernel without a word."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.daemon import joining
from jupyter_remote_gpu.daemon.entry import PodEntry
from jupyter_remote_gpu.daemon.kernel_link import KernelLink
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.daemon.opening import Opener
from jupyter_remote_gpu.daemon.pods import Pods
from jupyter_remote_gpu.daemon.settings import Settings
from jupyter_remote_gpu.errors import DaemonError
from tests.support.written import IDENTITY, KERNEL, frames, output

WHERE: dict[str, Any] = {
    "notebook": "/n/a.ipynb",
    "local_kernel": None,
    "folder": "/n",
    "fresh": False,
}


def test_an_opening_says_so_and_takes_it_up_when_it_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = Mirror(tmp_path / "mirrors" / KERNEL)
    mirror.note(pod="pod", identity=IDENTITY)
    mirror.append(frames(output(1)))
    mirror.close()
    bad = mirror.log.folder / f"{2:020d}.seg"
    bad.mkdir()

    async def connected(entry: PodEntry, timeout: float) -> None:
        pass

    monkeypatch.setattr(PodEntry, "connected", connected)

    async def work() -> None:
        pods = Pods(tmp_path, Settings(), lambda within: None)
        await pods.load()
        try:
            pods.add("pod", "me@127.0.0.1:1", None)
            pods.bindings.bind("pod", KERNEL, "/n/a.ipynb", None)
            opener = Opener(pods)
            for start in (True, False):
                with pytest.raises(DaemonError, match="cannot be read now"):
                    await opener.open("pod", start=start, **WHERE)
            assert pods.bindings.find("pod", "/n/a.ipynb", None) == KERNEL
            assert not pods.kernels
            bad.rmdir()
            found = await asyncio.gather(
                *(opener.open("pod", start=False, **WHERE) for _ in range(2))
            )
            assert [f["kernel"] for f in found] == [KERNEL, KERNEL]
            assert pods.kernel(KERNEL).state.mirror.last == 1
        finally:
            await pods.close()

    asyncio.run(work())


def test_two_who_join_a_kernel_share_its_mirror(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that could not be read before, and one that this laptop did not know."""
    unread = Mirror(tmp_path / "mirrors" / KERNEL)
    unread.note(pod="pod", identity=IDENTITY)
    unread.close()
    bad = unread.log.folder / f"{2:020d}.seg"
    bad.mkdir()
    rows = [{"id": id, "alive": True, "identity": IDENTITY} for id in (KERNEL, "b" * 32)]

    async def listed(entry: PodEntry) -> list[dict[str, Any]]:
        return rows

    async def alive(link: KernelLink, timeout: float) -> bool:
        return True

    monkeypatch.setattr(joining, "kernels_of", listed)
    monkeypatch.setattr(KernelLink, "alive", alive)
    monkeypatch.setattr(PodEntry, "need", lambda entry: None)

    async def work() -> None:
        pods = Pods(tmp_path, Settings(), lambda within: None)
        await pods.load()
        try:
            entry = pods.add("pod", "me@127.0.0.1:1", None)
            with pytest.raises(DaemonError, match="cannot be read now"):
                await joining.bind(pods, entry, KERNEL, "/n/a.ipynb", None)
            bad.rmdir()
            for id in (KERNEL, "b" * 32):
                await asyncio.gather(
                    *(joining.bind(pods, entry, id, f"/n/{n}.ipynb", None) for n in range(2))
                )
                taken = pods.kernel(id)
                assert await pods.bound(id) is taken
            links = [t for t in asyncio.all_tasks() if t.get_name().startswith("kernel ")]
            assert len(links) == 2
        finally:
            await pods.close()

    asyncio.run(work())
