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


def test_a_cell_that_asks_says_where_it_can_be_answered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not what was answered already, of which the log tells later."""
    log = Log()

    def ask(prompt: str, execution: str = MINE) -> Record:
        return log.iopub("input_request", {"prompt": prompt}, execution, channel="stdin")

    records = [log.keeper("running", MINE), ask("of before? "), ask("another's", OTHER)]
    answered = log.keeper("request", MINE, type="input_reply", answers=2)
    open_one = ask("")
    printer = Printer(MINE, newest=5)
    asyncio.run(printer.batch(records))
    assert capsys.readouterr().err == ""
    asyncio.run(printer.batch([answered, open_one]))
    where = f"— answer it in a notebook: %gpu attach {MINE[:6]}]\n"
    assert capsys.readouterr().err == f"[the cell asks: (without words) {where}"
    asyncio.run(printer.batch([log.iopub("stream", {"name": "stdout", "text": "."}, MINE)]))
    asyncio.run(printer.batch([ask("live? ")]))
    assert capsys.readouterr().err == f"[the cell asks: live? {where}"
    asyncio.run(printer.batch([ask("never seen"), log.ended(MINE)]))
    assert capsys.readouterr().err == ""


def test_a_kernel_that_the_pod_has_no_more_ends_it(capsys: pytest.CaptureFixture[str]) -> None:
    """Its log has no end; the channel tells it behind what is known."""
    log, printer = Log(), Printer(MINE, newest=2)
    said = [log.keeper("running", MINE), log.iopub("stream", {"name": "stdout", "text": "x"}, MINE)]
    gone = {"type": "link", "state": "failed", "reason": "No such kernel.", "code": "kernel-gone"}

    async def scenario() -> None:
        await printer.batch(said)
        assert not printer.ended.is_set()
        await printer.control(gone)

    asyncio.run(scenario())
    assert (printer.ended.is_set(), printer.status()) == (True, 1)
    out, err = capsys.readouterr()
    assert (out, err.splitlines()[-1]) == ("x", "[the cell ended: died: No such kernel.]")
