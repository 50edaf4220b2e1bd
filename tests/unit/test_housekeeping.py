"""Mirrors are compacted and kept within their bound, by a child process."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_remote_gpu.daemon import housekeeping, settings
from jupyter_remote_gpu.daemon.housekeeping import Housekeeping
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.wire.frames import FrameDecoder
from jupyter_remote_gpu.wire.records import Record, RecordAssembler, encode_record, keeper_record

CLIENT = "c" * 32


class Journal:
    """Writes records as a keeper does, into a mirror."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror
        self.texts: dict[str, str] = {}

    def _put(self, head: dict[str, Any], parts: list[bytes]) -> None:
        number = self.mirror.last + 1
        self.mirror.append(
            list(FrameDecoder().feed_raw(encode_record(number, number, head, parts)))
        )

    def note(self, kind: str, execution: str, **content: Any) -> None:
        self._put(*keeper_record(kind, {"execution": execution, **content}, execution=execution))

    def cell(self, lines: int, end: bool = True) -> str:
        execution = uuid.uuid4().hex
        self.texts[execution] = ""
        self.note("request", execution, client=CLIENT, type="execute_request", code="", time=1.0)
        self.note("running", execution, time=1.0)
        for n in range(lines):
            text = f"line {n} of {execution}\n"
            self.texts[execution] += text
            content = json.dumps({"name": "stdout", "text": text}).encode()
            head = {
                "channel": "iopub",
                "type": "stream",
                "class": "durable",
                "execution": execution,
                "client": None,
            }
            self._put(head, [b'{"msg_type": "stream"}', b"{}", b"{}", content])
        if end:
            self.note("ended", execution, outcome="ok", count=1, time=2.0)
        return execution


def records(mirror: Mirror) -> list[Record]:
    reader, assembler, decoder = mirror.reader(0), RecordAssembler(), FrameDecoder(verify=True)
    found = []
    while data := reader.read():
        for kind, payload in decoder.feed(data):
            record = assembler.feed(kind, payload)
            if record is not None:
                found.append(record)
    reader.close()
    return found


def text_of(found: list[Record], execution: str) -> str:
    return "".join(
        str(r.content["text"]) for r in found if r.execution == execution and r.type == "stream"
    )


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.05)


def test_closed_segments_are_compacted_and_say_the_same(tmp_path: Path) -> None:
    async def work() -> None:
        mirror = Mirror(tmp_path / ("a" * 32), 1 << 21)
        house = Housekeeping(lambda: [mirror])
        mirror.on_closed = house.wake
        journal = Journal(mirror)
        cells = [journal.cell(800) for _ in range(3)]
        before = mirror.log.size
        assert len(mirror.log.segments) > 3
        await until(lambda: mirror.closed_bytes == 0, "compaction did not end")
        assert mirror.log.size < before / 2
        found = records(mirror)
        for one, two in itertools.pairwise(found):
            assert two.first == one.last + 1
        assert [text_of(found, c) for c in cells] == [journal.texts[c] for c in cells]
        await house.close()
        mirror.close()
        assert not list((tmp_path / ("a" * 32) / "log").glob("*.new"))

    asyncio.run(work())


def test_a_mirror_stays_within_its_bound_and_says_what_is_missing(tmp_path: Path) -> None:
    async def work() -> None:
        bound = 1 << 17
        mirror = Mirror(tmp_path / ("a" * 32), bound)
        house = Housekeeping(lambda: [mirror])
        mirror.on_closed = house.wake
        journal = Journal(mirror)
        for _ in range(4):
            journal.cell(1000)
            await until(lambda: mirror.closed_bytes == 0, "housekeeping did not end")
        last = journal.cell(50)
        assert mirror.log.size < 2 * bound
        found = records(mirror)
        assert text_of(found, last) == journal.texts[last]
        for one, two in itertools.pairwise(found):
            assert two.first == one.last + 1
        missing = sum(int(r.content["messages"]) for r in found if r.type == "gap")
        assert missing > 0
        shown = sum(text_of(found, c).count("\n") for c in journal.texts)
        assert missing + shown == 4 * 1000 + 50
        assert len(mirror.executions.all) == 5
        await house.close()
        mirror.close()

    asyncio.run(work())


def test_a_child_that_cannot_be_started_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(housekeeping, "PAUSE_SECONDS", 0.01)

    async def work() -> None:
        mirror = Mirror(tmp_path / ("a" * 32), 1 << 20)
        house = Housekeeping(lambda: [mirror])
        mirror.on_closed = house.wake
        journal = Journal(mirror)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", str(tmp_path / "no-python"))
            cells = [journal.cell(800)]
            await until(lambda: mirror.closed_bytes == 0, "the failures did not end")
        assert "no-python" in caplog.text
        before = mirror.log.size
        assert len(mirror.log.segments) > 2
        cells.append(journal.cell(800))
        await until(lambda: mirror.closed_bytes == 0, "compaction did not end")
        assert mirror.log.size < 1.5 * before  # the second half was compacted
        found = records(mirror)
        assert [text_of(found, c) for c in cells] == [journal.texts[c] for c in cells]
        # What failed is left to the next daemon; what was done is not done again.
        assert len(mirror.executions.compacted) < len(mirror.log.segments) - 1
        await house.close()
        mirror.close()
        again = Mirror(mirror.folder, 1 << 20)
        task = again.retention.next()
        assert task is not None
        assert task.segment.first not in mirror.executions.compacted
        again.close()

    asyncio.run(work())


def test_what_a_killed_daemon_left_is_compacted_by_the_next(tmp_path: Path) -> None:
    async def work() -> None:
        first = Mirror(tmp_path / ("a" * 32), 1 << 20)
        journal = Journal(first)
        cells = [journal.cell(800), journal.cell(800, end=False)]
        before = first.log.size
        (first.log.folder / f"{1:020d}.4711.new").write_bytes(b"half of a segm")
        first.log.close()  # as a daemon that is killed while a cell runs
        mirror = Mirror(first.folder, 1 << 20)
        assert not list(mirror.log.folder.glob("*.new"))
        assert mirror.closed_bytes > 0
        house = Housekeeping(lambda: [mirror])
        mirror.on_closed = house.wake
        house.wake()
        Journal(mirror).note("ended", cells[1], outcome="ok", count=1, time=2.0)
        await until(lambda: mirror.closed_bytes == 0, "compaction did not end")
        assert mirror.log.size < before / 2
        found = records(mirror)
        assert [text_of(found, c) for c in cells] == [journal.texts[c] for c in cells]
        await house.close()
        mirror.close()
        again = Mirror(first.folder, 1 << 20)
        assert again.retention.next() is None
        assert again.closed_bytes == 0
        again.close()

    asyncio.run(work())


def test_a_child_that_fails_is_tried_again_and_holds_no_other_mirror_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.daemon.housekeeping.PAUSE_SECONDS", 0.05)
    bound = 1 << 17

    async def work() -> None:
        mirrors = [Mirror(tmp_path / (name * 32), bound) for name in "ab"]
        for mirror in mirrors:
            Journal(mirror).cell(1500)
        sick, well = mirrors
        log = sick.folder / "log"
        # No new file can be made in the first one's folder.
        log.rename(sick.folder / "away")
        log.symlink_to("/proc")
        house = Housekeeping(lambda: mirrors)
        house.wake()
        await until(lambda: well.closed_bytes == 0, "the other mirror waits")
        await until(lambda: caplog.text.count("was not rewritten") > 2, "it is not tried again")
        assert well.log.size < bound < sick.log.size
        log.unlink()
        (sick.folder / "away").rename(log)
        await until(lambda: sick.closed_bytes == 0, "housekeeping does not go on")
        assert sick.log.size < bound
        await house.close()
        for mirror in mirrors:
            mirror.close()

    asyncio.run(work())


def test_a_daemon_that_ends_leaves_no_child(tmp_path: Path) -> None:
    async def work() -> None:
        mirror = Mirror(tmp_path / ("a" * 32), 1 << 21)
        journal = Journal(mirror)
        journal.cell(2000)
        house = Housekeeping(lambda: [mirror])
        house.wake()
        children = psutil.Process().children
        await until(lambda: bool(children()), "no child was started")
        await house.close()
        assert not children()
        found = records(mirror)
        assert text_of(found, next(iter(journal.texts))) == next(iter(journal.texts.values()))
        mirror.close()
        assert not list(tmp_path.rglob("*.new"))

    asyncio.run(work())


def test_settings_have_defaults_and_nonsense_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings.load(tmp_path) == settings.Settings()
    assert 64 << 20 <= settings.Settings().mirror_bound(tmp_path) <= 2 << 30
    # A disk that has filled since takes nothing away of what was copied.
    assert settings.Settings().mirror_bound(tmp_path, 2 << 30) == 2 << 30
    assert settings.Settings(mirror_bytes=5).mirror_bound(tmp_path, 2 << 30) == 5
    values = {"journal_bytes": 50e6, "mirror_bytes": "big", "idle_seconds": -1, "colour": 1}
    (tmp_path / "settings.json").write_text(json.dumps(values))
    found = settings.load(tmp_path)
    assert found == settings.Settings(journal_bytes=50_000_000)
    assert found.limits == {"journal_bytes": 50_000_000}
    assert len(caplog.records) == 3
    # JSON knows no such number; Python's reader makes infinity of it.
    (tmp_path / "settings.json").write_text('{"journal_bytes": 1e999, "idle_seconds": NaN}')
    assert settings.load(tmp_path) == settings.Settings()
    assert len(caplog.records) == 5
