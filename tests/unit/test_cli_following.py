"""What `attach` prints of an execution."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_remote_gpu.cli.following import Printer
from jupyter_remote_gpu.wire.records import Record
from tests.support.magic import Log

MINE, OTHER = "a" * 32, "b" * 32


def gap(log: Log, execution: str | None) -> Record:
    return log.keeper("gap", execution, messages=1200, bytes=5000, reason="the bounds")


def test_only_gaps_of_this_cell_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    log, printer = Log(), Printer(MINE)
    said = {"name": "stdout", "text": "one\n"}
    records = [
        gap(log, OTHER),
        gap(log, None),  # before the cell began: of the cells before it
        log.keeper("running", MINE),
        log.iopub("stream", said, MINE),
        gap(log, MINE),
        log.iopub("stream", {**said, "text": "two\n"}, MINE),
        log.ended(MINE),
        gap(log, None),
    ]
    asyncio.run(printer.batch(records))
    out, err = capsys.readouterr()
    assert out == "one\ntwo\n"
    assert err.count("1,200 messages (5.0 kB) are missing here: the bounds") == 1
    assert (printer.ended.is_set(), printer.status()) == (True, 0)
