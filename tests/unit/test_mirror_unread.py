"""A mirror that cannot be read now: its notebook gets no other kernel without a word."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.daemon.entry import PodEntry
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
