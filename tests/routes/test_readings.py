"""Outputs that are asked for again and again while a cell runs, and when nobody asks any more."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import Any

import pytest

from jupyter_remote_gpu.client import connection, refill
from jupyter_remote_gpu.client.log_reading import LogReading
from jupyter_remote_gpu.routes import readings
from jupyter_remote_gpu.routes.face import DaemonFace
from jupyter_remote_gpu.wire.records import Record
from tests.routes.cells import submit
from tests.routes.inside import Answer, InsideServer
from tests.support.command import cli
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.place import Place

COUNTING = """
import itertools, time
for i in itertools.count():
    print(i, flush=True)
    time.sleep(0.05)
"""


def asked(server: InsideServer, execution: str, etag: str = "") -> Answer:
    headers = {"Authorization": f"token {server.token}"} | ({"If-None-Match": etag} if etag else {})
    return server.raw("GET", f"/executions/{execution}/outputs", headers=headers)


def lines_of(answer: Any) -> list[int]:
    text = "".join(o["text"] for o in answer["outputs"] if o["output_type"] == "stream")
    return [int(line) for line in text.split()]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[refill.Reading]:
    """The readings that are begun from now on."""
    found: list[refill.Reading] = []

    class Spy(refill.Reading):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            found.append(self)

    monkeypatch.setattr(refill, "Reading", Spy)
    return found


def test_a_running_cell_is_read_on_where_it_was(
    connected: InsideServer, cell: KernelFace, notebook: str, opened: list[refill.Reading]
) -> None:
    execution = submit(cell, COUNTING, notebook=notebook, cell="c", count=77)
    cell.until_text(execution, "2\n")
    first = asked(connected, execution)
    assert first.json["outcome"] is None
    assert (first.json["execution_count"], first.json["code"]) == (77, COUNTING)
    cell.until_text(execution, f"{lines_of(first.json)[-1] + 3}\n")
    second = asked(connected, execution, first.headers["Etag"])
    assert second.status == 200
    assert len(lines_of(second.json)) > len(lines_of(first.json))
    connected.ask("POST", f"/executions/{execution}/interrupt", status=202)
    cell.ended(execution)
    last = asked(connected, execution, second.headers["Etag"])
    assert last.json["outcome"] == "error"
    assert lines_of(last.json) == list(range(len(lines_of(last.json))))
    assert last.json["outputs"][-1]["ename"] == "KeyboardInterrupt"
    assert asked(connected, execution, last.headers["Etag"]).status == 304
    assert len(opened) == 1, "the log was read from its beginning again"


def test_what_nobody_asks_for_is_let_go_of(
    connected: InsideServer,
    cell: KernelFace,
    notebook: str,
    opened: list[refill.Reading],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readings, "KEPT_SECONDS", 0.2)
    monkeypatch.setattr(readings, "MOST", 2)
    ids = [submit(cell, str(i), notebook=notebook, cell=f"c{i}") for i in range(4)]
    cell.ended(ids[-1])
    for execution in ids:
        assert asked(connected, execution).json["outcome"] == "ok"
    assert len(opened) == 4
    until(lambda: all(r._task.done() for r in opened), "the readings' end", 20)
    assert asked(connected, ids[0]).json["outcome"] == "ok"


def test_a_cell_whose_keeper_was_killed_has_ended(
    connected: InsideServer, cell: KernelFace, notebook: str
) -> None:
    code = "import os, time\nprint(os.getppid(), flush=True)\ntime.sleep(60)"
    execution = submit(cell, code, notebook=notebook, cell="c")
    cell.until_text(execution, "\n")
    os.kill(int(cell.text(execution)), signal.SIGKILL)
    end = time.monotonic() + 60
    while (told := asked(connected, execution).json)["outcome"] is None:
        assert time.monotonic() < end, told
        time.sleep(0.2)
    assert told["outcome"] == "died"
    assert told["outputs"][0]["text"] == cell.text(execution)


class Slow(LogReading):
    """One of a large log."""

    is_closed = False

    def __init__(self) -> None:
        self._task = asyncio.create_task(asyncio.Event().wait())

    async def close(self) -> None:
        self.is_closed = True
        self._task.cancel()

    def _take(self, record: Record) -> None:
        """Nothing comes."""


def test_one_that_is_used_is_not_let_go_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "KEPT_SECONDS", 0)
    monkeypatch.setattr(readings, "MOST", 0)

    async def scenario() -> None:
        kept = readings.Readings(DaemonFace(lambda _: None, 0))
        with kept._using("a", Slow) as first:
            with kept._using("a", Slow) as second, kept._using("b", Slow):
                assert second is first
            for _ in range(5):
                await asyncio.sleep(0)
            assert not first.is_closed
        await kept.close()
        assert first.is_closed

    asyncio.run(scenario())


def test_a_cell_that_did_not_end_by_itself_says_so(
    connected: InsideServer, cell: KernelFace, notebook: str
) -> None:
    dies = "import os, time\nprint('said', flush=True)\ntime.sleep(3); os.kill(os.getpid(), 9)"
    first = submit(cell, dies, notebook=notebook, cell="c1")
    cell.until_text(first, "said")
    second = submit(cell, "1", notebook=notebook, cell="c2")
    third = submit(cell, "2", notebook=notebook, cell="c3")
    until(lambda: asked(connected, third).status == 200, "the third is known")
    connected.ask("POST", f"/executions/{third}/interrupt", status=202)
    for execution in (first, second, third):
        cell.ended(execution)
    told = [asked(connected, execution).json for execution in (first, second, third)]
    assert [each["outcome"] for each in told] == ["died", "died", "aborted"]
    assert [each["outputs"][-1]["ename"] for each in told] == [
        *["KernelDied"] * 2,
        "KeyboardInterrupt",
    ]
    text, error = told[0]["outputs"]
    assert text["text"] == "said\n"
    assert "The kernel on pod was killed by SIGKILL" in error["evalue"]
    assert "while this cell ran" in error["evalue"]
    (unrun,) = told[1]["outputs"]
    assert "before this cell began" in unrun["evalue"]
    assert asked(connected, first).json == told[0]


def test_what_is_read_for_nobody_brings_no_daemon_back(
    place: Place,
    connected: InsideServer,
    cell: KernelFace,
    notebook: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The user has stopped it, with a page open that has all of its outputs."""
    execution = submit(cell, "1", notebook=notebook, cell="c")
    cell.ended(execution)
    assert asked(connected, execution).status == 200
    cell.close()
    looks: list[str] = []
    dial = connection._connect

    async def looked() -> connection.Connection:
        try:
            return await dial()
        except OSError:
            looks.append("look")
            raise

    monkeypatch.setattr(connection, "_connect", looked)
    cli("daemon", "stop")
    until(lambda: len(looks) >= 8, "some looks for another one", 20)
    assert place.daemon.processes() == []
    assert asked(connected, execution).json["outcome"] == "ok"
    assert place.daemon.processes() != []
