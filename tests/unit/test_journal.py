"""A journal whose disk is full for longer than its memory lasts."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_remote_gpu.pod.journal import Journal
from jupyter_remote_gpu.wire.frames import FrameDecoder
from jupyter_remote_gpu.wire.records import Record, RecordAssembler
from tests.unit.test_log import files_no_larger_than, rest

STREAM = {"channel": "iopub", "type": "stream", "execution": "a" * 32}


def records_of(journal: Journal) -> list[Record]:
    decoder, assembler = FrameDecoder(verify=True), RecordAssembler()
    data = rest(journal.reader(0))
    found = [assembler.feed(kind, payload) for kind, payload in decoder.feed(data)]
    return [r for r in found if r is not None]


def test_what_was_dropped_is_counted_and_our_own_records_stay(tmp_path: Path) -> None:
    journal = Journal(tmp_path, memory_bytes=20_000)
    with files_no_larger_than(0):
        for number in range(400):
            journal.add(STREAM, [b"{}", b"{}", b"{}", b"%d" % number + b"x" * 500])
            if number % 50 == 0:
                journal.note("ended", {"execution": f"{number:032x}"}, execution=f"{number:032x}")
            journal.flush()
        assert journal.log.memory.size < 60_000
    assert journal.log.retry(force=True)
    records = records_of(journal)
    assert len([r for r in records if r.type == "ended"]) == 8
    kept = [r for r in records if r.type == "stream"]
    gaps = [r.content for r in records if r.type == "gap"]
    assert kept[-1].parts[3].startswith(b"399x")
    assert len(kept) + sum(g["messages"] for g in gaps) == 400
    sizes = sum(sum(len(p) for p in r.parts) for r in kept) + sum(g["bytes"] for g in gaps)
    assert sizes == sum(6 + len(b"%d" % n) + 500 for n in range(400))
    assert {g["reason"] for g in gaps} == {"the pod's disk is full"}
    at = 0
    for record in records:
        assert record.first == at + 1
        at = record.last


def test_a_message_larger_than_a_record_becomes_a_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.pod.journal.MAX_MESSAGE", 1000)
    journal = Journal(tmp_path)
    for size in (900, 996, 997, 100_000, 10):
        journal.add(STREAM, [b"{}", b"{}", b"x" * size])
    journal.flush()
    records = records_of(journal)
    assert [r.type for r in records] == ["stream", "stream", "gap", "gap", "stream"]
    gap = records[3]
    assert (gap.first, gap.last, gap.execution) == (4, 4, "a" * 32)
    assert (gap.content["messages"], gap.content["bytes"]) == (1, 100_004)
    assert "larger than" in gap.content["reason"]
