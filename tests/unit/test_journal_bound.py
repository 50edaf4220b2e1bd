"""How large a journal may become on the pod: never too small, and more when there is more room."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_remote_gpu.pod import housekeeping
from jupyter_remote_gpu.pod.housekeeping import Housekeeping, bound
from jupyter_remote_gpu.pod.journal import Journal
from jupyter_remote_gpu.pod.machine import BEAT_SECONDS
from jupyter_remote_gpu.wire.retention import Retention


class Disk:
    """Says how much is free."""

    free = 0

    def __call__(self, path: Path) -> SimpleNamespace:
        return SimpleNamespace(free=self.free)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr("shutil.disk_usage", disk)
    return disk


def test_a_disk_that_is_nearly_full_leaves_a_floor(disk: Disk, tmp_path: Path) -> None:
    for free, expected in ((0, 64 << 20), (1 << 30, (1 << 30) // 10), (1 << 40, 2 << 30)):
        disk.free = free
        assert bound(tmp_path, {}) == expected
    assert bound(tmp_path, {"journal_bytes": 5000}) == 5000


def test_room_that_was_made_is_used(
    disk: Disk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "RECKON_SECONDS", 0.0)
    journal = Journal(tmp_path)
    retention = Retention(journal.log, bound(tmp_path, {}))
    house = Housekeeping(journal, retention, {})
    for free, expected in ((5 << 30, (5 << 30) // 10), (0, (5 << 30) // 10)):
        disk.free = free
        house.turn()
        assert retention.bound == expected
    told = Retention(journal.log, 5000)
    Housekeeping(journal, told, {"journal_bytes": 5000}).turn()
    assert told.bound == 5000


def test_the_keepers_turns_are_signs_of_life(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    lock = tmp_path / "lock"
    lock.touch()
    os.utime(lock, (1.0, 1.0))
    house = Housekeeping(journal, Retention(journal.log, 1 << 20))
    house.turn()
    assert time.time() - lock.stat().st_mtime < BEAT_SECONDS
