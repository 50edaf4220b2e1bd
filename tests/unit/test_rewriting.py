"""A segment is rewritten by a child; whatever happens to it, log and owner go on."""

from __future__ import annotations

import io
import sys
import time
import uuid
from pathlib import Path

import pytest

from jupyter_remote_gpu.pod.housekeeping import Housekeeping
from jupyter_remote_gpu.pod.journal import Journal
from jupyter_remote_gpu.wire import rewriting
from jupyter_remote_gpu.wire.retention import Retention, Task
from jupyter_remote_gpu.wire.rewriting import Rewriting
from tests.unit.test_log import files_no_larger_than, numbers, rest

PATIENCE = 60.0
BOUND = 20_000


def journal_of(folder: Path, cells: int, lines: int = 20) -> tuple[Journal, Retention]:
    journal = Journal(folder, segment_bytes=5_000)
    retention = Retention(journal.log, BOUND)
    for _ in range(cells):
        cell = uuid.uuid4().hex
        number = journal.note("request", {}, execution=cell)
        retention.began(cell, number)
        for _ in range(lines):
            head = {"channel": "iopub", "type": "display_data", "execution": cell}
            journal.add({**head, "class": "durable"}, [b"{}", b"{}", b"{}", b"x" * 500])
            journal.flush()
        retention.ended(cell)
    return journal, retention


def run(house: Housekeeping, journal: Journal) -> None:
    """Turns as the keeper makes them, until there is nothing left to do."""
    end = time.monotonic() + PATIENCE
    while journal.dirty:
        assert time.monotonic() < end, "housekeeping did not end"
        house.turn()
        time.sleep(0.002)


def test_a_kernel_with_thousands_of_finished_cells_is_thinned_out(tmp_path: Path) -> None:
    journal, retention = journal_of(tmp_path, 3)
    for n in range(10_000):
        retention.began(f"{n:032x}", 1)
        retention.ended(f"{n:032x}")
    house = Housekeeping(journal, retention)
    run(house, journal)
    assert journal.log.size <= BOUND
    assert not list(tmp_path.rglob("*.new"))


def test_a_child_that_cannot_be_started_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    journal, retention = journal_of(tmp_path, 2)
    monkeypatch.setattr("jupyter_remote_gpu.pod.housekeeping.PAUSE_SECONDS", 0.01)
    house = Housekeeping(journal, retention)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(tmp_path / "no-python"))
        for _ in range(4):
            house.turn()
            time.sleep(0.02)
    assert "no-python" in capfd.readouterr().err
    assert journal.dirty
    run(house, journal)
    assert journal.log.size <= BOUND


def test_without_room_it_is_tried_again_and_the_log_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    journal, retention = journal_of(tmp_path, 3)
    monkeypatch.setattr("jupyter_remote_gpu.pod.housekeeping.PAUSE_SECONDS", 0.01)
    house = Housekeeping(journal, retention)
    before = rest(journal.reader(0))
    for segment in journal.log.segments[:-1]:
        retention.done(Task(segment))  # compacted long ago
    with files_no_larger_than(400):
        end, said = time.monotonic() + PATIENCE, ""
        while said.count("not rewritten") < 2:
            assert time.monotonic() < end, said
            house.turn()
            said += capfd.readouterr().err
            time.sleep(0.002)
    house.close()
    assert rest(journal.reader(0)) == before
    assert "File too large" in said
    house = Housekeeping(journal, retention)
    run(house, journal)
    assert journal.log.size <= BOUND
    assert not list(tmp_path.rglob("*.new"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is full")
def test_that_it_failed_need_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A keeper's log lies on the disk that is full."""
    journal, retention = journal_of(tmp_path, 2)
    house = Housekeeping(journal, retention)
    with monkeypatch.context() as patch, open("/dev/full", "wb", buffering=0) as full:
        patch.setattr(sys, "stderr", io.TextIOWrapper(full, write_through=True))
        patch.setattr(sys, "executable", str(tmp_path / "no-python"))
        house.turn()
        house.turn()
    assert journal.dirty


def test_a_damaged_segment_is_left_and_not_tried_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    journal, retention = journal_of(tmp_path, 2)
    damaged = journal.log.segments[1].path
    data = bytearray(damaged.read_bytes())
    data[2000] ^= 1
    damaged.write_bytes(data)
    run(Housekeeping(journal, retention), journal)
    assert damaged.read_bytes() == data
    assert "checksum" in capfd.readouterr().err
    assert len(list(tmp_path.rglob("*.new"))) == 0


def test_a_child_over_its_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, _ = journal_of(tmp_path, 1)
    monkeypatch.setattr(rewriting, "SECONDS", 0.05)
    monkeypatch.setattr(rewriting, "_CHILD", "import time; time.sleep(600)")
    for finish in (Rewriting.wait, Rewriting.over):
        work = Rewriting(journal.log, Task(journal.log.segments[0]))
        assert not work.over()
        end = time.monotonic() + PATIENCE
        while finish(work) is False:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert work.over()
        assert "0.05 s" in str(work.finish())


def test_what_cannot_be_put_in_place_is_a_failure(tmp_path: Path) -> None:
    journal, _ = journal_of(tmp_path, 1)
    before = numbers(rest(journal.reader(0)))
    work = Rewriting(journal.log, Task(journal.log.segments[0]))
    work.wait()
    (new,) = tmp_path.rglob("*.new")
    new.unlink()
    assert "No such file" in str(work.finish())
    assert numbers(rest(journal.reader(0))) == before


def test_who_gives_up_leaves_nothing_behind(tmp_path: Path) -> None:
    journal, retention = journal_of(tmp_path, 2)
    house = Housekeeping(journal, retention)
    house.turn()
    house.close()
    assert not list(tmp_path.rglob("*.new"))
