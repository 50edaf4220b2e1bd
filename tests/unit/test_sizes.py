"""How large things are, while files come and go."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_remote_gpu.daemon import doctor
from jupyter_remote_gpu.daemon.pods import Pods
from jupyter_remote_gpu.daemon.settings import Settings
from jupyter_remote_gpu.pod import listing


def test_a_segment_that_goes_costs_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = tmp_path / ("1" * 32) / "journal"
    journal.mkdir(parents=True)
    (journal / "1.seg").write_bytes(b"x" * 10)
    (journal / "2.seg").symlink_to("gone")
    monkeypatch.setattr(listing, "kernels", lambda: [(journal.parent, {}, "ended")])
    assert [k["journal"] for k in listing.list_kernels()] == [10]


def test_a_file_that_is_written_anew_costs_no_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daemon.log").write_bytes(b"x" * 10)
    listed = [*tmp_path.iterdir(), tmp_path / "daemon.log.new"]
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(listed))

    async def work() -> None:
        pods = Pods(tmp_path, Settings(), lambda within: None)
        told = (await doctor.examine(pods))["laptop"]
        assert told["files"] == {"daemon.log": 10, "daemon.log.new": 0}
        await pods.close()

    asyncio.run(work())
