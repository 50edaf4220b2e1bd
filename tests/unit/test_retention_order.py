"""What is dropped of a log that is over its bound, and in which order (rule 6)."""

from __future__ import annotations

from pathlib import Path

from jupyter_remote_gpu.wire.compact import compact_segment
from jupyter_remote_gpu.wire.log import Log
from jupyter_remote_gpu.wire.records import encode_record, keeper_record
from jupyter_remote_gpu.wire.retention import FINISHED, MIDDLE, Retention, Task
from jupyter_remote_gpu.wire.tidy import thin_out

CELLS = ("a" * 32, "b" * 32, "c" * 32)
SEGMENT = 2000


class Journal:
    """A log and its retention; cells fill whole segments with results, which stay as they are."""

    def __init__(self, folder: Path, bound: int) -> None:
        self.log = Log(folder, segment_bytes=SEGMENT)
        self.retention = Retention(self.log, bound)
        self.owners: dict[int, str] = {}

    def begin(self, cell: str) -> None:
        self._put(cell, *keeper_record("request", {}, execution=cell))
        self.retention.began(cell, self.log.last)

    def say(self, cell: str, segments: int, kind: str = "display_data") -> None:
        content = b"x" * 500 if kind == "display_data" else b'{"name": "stdout", "text": "line"}'
        closed = len(self.log.segments) + segments
        while len(self.log.segments) < closed:
            head = {"channel": "iopub", "type": kind, "class": "durable"}
            self._put(cell, {**head, "execution": cell}, [b"{}", b"{}", b"{}", content])

    def _put(self, cell: str, head: dict[str, object], parts: list[bytes]) -> None:
        number = self.log.last + 1
        self.owners[self.log.segments[-1].first] = cell
        self.log.append(encode_record(number, number, head, parts), number, number)

    def cell(self, cell: str, segments: int, kind: str = "display_data") -> None:
        self.begin(cell)
        self.say(cell, segments, kind)
        self.retention.ended(cell)

    def carry_out(self, task: Task) -> None:
        data = task.segment.path.read_bytes()
        if task.spared is None:
            result = compact_segment(data)
        else:
            result = thin_out(data, task.reason, task.spared)
        new = task.segment.path.with_suffix(".new")
        new.write_bytes(result)
        self.log.adopt(task.segment, new)
        self.retention.done(task)

    def within_bound(self) -> list[tuple[str, str]]:
        """Do what there is to do; whose segments were thinned out, and why."""
        done = []
        while (task := self.retention.next()) is not None:
            self.carry_out(task)
            if task.spared is not None:
                done.append((self.owners[task.segment.first], task.reason))
        return done


def test_nothing_goes_within_the_bound(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 30 * SEGMENT)
    journal.cell(CELLS[0], 5)
    assert journal.within_bound() == []


def test_finished_cells_go_oldest_first_and_no_more_than_needed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10 * SEGMENT)
    journal.cell(CELLS[0], 3)
    journal.cell(CELLS[1], 6)
    journal.cell(CELLS[2], 5)
    gone = journal.within_bound()
    assert gone[:3] == [(CELLS[0], FINISHED)] * 3
    assert set(gone[3:]) == {(CELLS[1], FINISHED)}
    assert len(gone) < 9
    assert journal.within_bound() == []
    assert journal.log.size <= 10 * SEGMENT


def first_task(journal: Journal, after: int) -> Task:
    """What is to be done next, once `after` compactions have shown what they bring."""
    for _ in range(after):
        task = journal.retention.next()
        assert task is not None and task.spared is None
        journal.carry_out(task)
    task = journal.retention.next()
    assert task is not None
    return task


def test_a_flood_that_compaction_does_not_make_smaller_is_thinned_first(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10 * SEGMENT)
    journal.cell(CELLS[0], 9)
    assert first_task(journal, after=1).spared is None, "it is not over its bound"
    journal.cell(CELLS[1], 9)
    assert first_task(journal, after=0).reason == FINISHED
    journal.within_bound()
    assert journal.log.size <= 10 * SEGMENT


def test_a_flood_that_compaction_makes_small_keeps_its_cells(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10 * SEGMENT)
    journal.cell(CELLS[0], 30, kind="stream")
    assert journal.log.size > 25 * SEGMENT
    assert first_task(journal, after=0).spared is None, "what it brings is not known yet"
    assert first_task(journal, after=1).spared is None
    assert journal.within_bound() == []
    assert journal.log.size <= 10 * SEGMENT


def test_what_a_running_cell_says_in_a_thinned_segment_is_compacted(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 5 * SEGMENT)
    journal.cell(CELLS[0], 9)
    task = first_task(journal, after=1)
    assert task.reason == FINISHED, "large results: it goes on thinning"
    journal.begin(CELLS[1])
    journal.say(CELLS[1], 1, kind="stream")
    last = journal.log.segments[-2]
    spared = Task(last, (None, CELLS[1]), FINISHED)
    journal.carry_out(spared)
    assert not journal.retention.is_compacted(last)
    journal.within_bound()
    assert journal.retention.is_compacted(last)


def test_the_middle_of_a_running_cell_goes_last_and_its_beginning_never(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 8 * SEGMENT)
    journal.cell(CELLS[0], 2)
    journal.begin(CELLS[1])
    beginning = journal.log.segments[-1]
    journal.say(CELLS[1], 9)
    kept = beginning.path.read_bytes()
    gone = journal.within_bound()
    middle = [owner for owner, reason in gone if reason == MIDDLE]
    assert gone[0] == (CELLS[0], FINISHED)
    assert gone == sorted(gone, key=lambda one: one[1] == MIDDLE)
    assert 0 < len(middle) < 8
    assert set(middle) == {CELLS[1]}
    assert beginning.path.read_bytes() == kept
    assert journal.log.size <= 8 * SEGMENT


def test_of_a_running_cell_the_beginning_and_the_end_stay_whatever_the_bound(
    tmp_path: Path,
) -> None:
    journal = Journal(tmp_path, SEGMENT)
    journal.begin(CELLS[0])
    journal.say(CELLS[0], 9)
    assert journal.log.segments[-1].size == 0, "what it said last is in a closed segment"
    sizes = [s.size for s in journal.log.segments]
    journal.within_bound()
    rest = [s.size for s in journal.log.segments]
    assert [n for n, size in enumerate(rest) if size == sizes[n]] == [0, 8, 9]


def test_a_running_cell_stays_whole_while_finished_ones_can_go(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 12 * SEGMENT)
    journal.cell(CELLS[0], 5)
    journal.begin(CELLS[1])
    journal.say(CELLS[1], 7)
    assert {reason for _, reason in journal.within_bound()} == {FINISHED}


def test_a_segment_is_thinned_again_only_for_what_it_holds(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 6 * SEGMENT)
    for cell in CELLS:
        journal.cell(cell, 6)
    segments = len(journal.log.segments)
    tasks = len(journal.within_bound())
    journal.cell("d" * 32, 6)
    # Not all over again: the segments of the cells before hold nothing of this one.
    assert 0 < len(journal.within_bound()) <= segments - tasks + 6
    assert journal.log.size <= 6 * SEGMENT


def test_a_cell_that_ended_since_is_taken_out_of_a_thinned_segment(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 3 * SEGMENT)
    journal.begin(CELLS[0])
    journal.begin(CELLS[1])
    journal.say(CELLS[0], 1)
    journal.say(CELLS[1], 3)
    while (task := journal.retention.next()) is not None and task.reason != MIDDLE:
        journal.carry_out(task)
    assert task is not None
    journal.retention.ended(CELLS[0])
    assert journal.within_bound()[0] == (CELLS[0], FINISHED)


def test_a_thinning_that_failed_is_tried_again_and_nothing_younger_goes(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 4 * SEGMENT)
    journal.cell(CELLS[0], 3)
    journal.begin(CELLS[1])
    journal.say(CELLS[1], 5)
    while (task := journal.retention.next()) is not None and task.spared is None:
        journal.retention.failed(task)  # compaction can be done without
    assert task is not None
    for _ in range(3):
        journal.retention.failed(task)
        assert journal.retention.next() == task
    assert journal.within_bound()[:3] == [(CELLS[0], FINISHED)] * 3


def test_many_finished_cells_make_no_larger_task(tmp_path: Path) -> None:
    journal = Journal(tmp_path, SEGMENT)
    for n in range(5000):
        journal.retention.began(f"{n:032x}", 1)
        journal.retention.ended(f"{n:032x}")
    journal.cell(CELLS[0], 3)
    while (task := journal.retention.next()) is not None and task.spared is None:
        journal.retention.done(task)
    assert task is not None
    assert task.spared == (None,)
