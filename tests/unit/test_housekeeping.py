"""Mirrors are compacted and kept within their bound, by a child process."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.daemon import settings
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


def test_settings_have_defaults_and_nonsense_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert settings.load(tmp_path) == settings.Settings()
    assert 0 < settings.Settings().mirror_bound(tmp_path) <= 2 << 30
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
