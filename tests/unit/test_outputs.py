"""The fold makes of a real run's messages what nbclient made of them."""

from __future__ import annotations

import gzip
import json

import pytest

from jupyter_remote_gpu.client.comms import CommFold
from jupyter_remote_gpu.client.outputs import OutputFold, fold
from jupyter_remote_gpu.wire.compact import compact
from jupyter_remote_gpu.wire.records import Record, encode_record
from tests.support.recorded import FIXTURE, Notebook, records_of
from tests.support.talk import OUTPUT, Talk

A, B = "a" * 32, "b" * 32
RUN = json.loads(gzip.decompress(FIXTURE.read_bytes()))


def test_a_recorded_run_folds_as_nbclient_ran_it() -> None:
    notebook = Notebook(len(RUN["cells"]))
    notebook.feed(records_of(RUN["messages"])).check(RUN)
    assert any(c.buffers for c in notebook.comms.comms.values())


@pytest.mark.parametrize("size", [10**9, 200, 37])
def test_compacted_it_is_the_same_from_every_cursor(size: int) -> None:
    raw = records_of(RUN["messages"])
    compacted = []
    for start in range(0, len(raw), size):
        compacted += compact(raw[start : start + size])
    for cursor in range(0, len(raw), 23):
        notebook = Notebook(len(RUN["cells"]))
        notebook.feed(raw[:cursor]).feed(compacted).check(RUN)


def test_a_long_progress_bar_becomes_small() -> None:
    bars = [m for m in RUN["messages"] if m["cell"] in (3, 4)]
    raw = records_of(bars * 20)  # a longer run of the same bars
    small = compact(raw)

    def size(records: list[Record]) -> int:
        return sum(len(encode_record(r.first, r.last, r.head, r.parts)) for r in records)

    assert size(raw) > 5_000_000
    opening = size([r for r in raw if r.type in ("comm_open", "comm_close", "display_data")])
    assert size(small) < opening  # what is left is about the widgets, not about their steps


# -- rules that the recorded run does not touch


def test_a_gap_is_seen_where_it_is() -> None:
    talk = Talk()
    talk.stream("before\n")
    talk.note("gap", {"messages": 1234, "bytes": 5_600_000, "reason": "the disk was full"})
    talk.stream("after\n")
    whole = fold(talk.records, A)
    shown = whole.outputs
    assert whole.has_gaps
    assert [o["name"] for o in shown] == ["stdout", "stderr", "stdout"]
    assert shown[1]["text"] == "[1,234 messages (5.6 MB) are missing here: the disk was full]\n"


def test_a_gap_in_the_cells_before_is_not_mine() -> None:
    talk = Talk()
    gap = {"messages": 2, "bytes": 10, "reason": "why"}
    talk.note("request", {}, A)
    talk.note("gap", gap)
    talk.say("status", {"execution_state": "busy"})
    talk.note("running", {}, A)
    talk.stream("mine")
    talk.note("ended", {"outcome": "ok"}, A)
    talk.note("gap", gap)
    shown = fold(talk.records, A)
    assert [o["text"] for o in shown.outputs] == ["mine"] and not shown.has_gaps


def test_a_gap_that_took_my_beginning_is_mine() -> None:
    talk = Talk()
    talk.note("request", {}, A)
    talk.note("gap", {"messages": 2, "bytes": 10, "reason": "why"})
    talk.stream("the rest")
    texts = [o["text"] for o in fold(talk.records, A).outputs]
    assert texts == ["[2 messages (10 bytes) are missing here: why]\n", "the rest"]


def test_outcome_and_local_count() -> None:
    talk = Talk()
    talk.say("execute_input", {"code": "1", "execution_count": 40})
    content = {"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 40}
    talk.say("execute_result", content)
    talk.note("ended", {"outcome": "error", "ename": "E"}, B)
    mine, remote = fold(talk.records, A, count=3), fold(talk.records, A)
    assert (mine.execution_count, mine.outputs[0]["execution_count"]) == (3, 3)
    assert (remote.execution_count, remote.outputs[0]["execution_count"]) == (40, 40)
    assert mine.outcome is None
    talk.note("ended", {"outcome": "died", "signal": "SIGKILL"}, A)
    mine.feed(talk.records[-1])
    assert (mine.outcome, mine.ended["signal"]) == ("died", "SIGKILL")


def test_an_output_opened_before_the_cursor_captures() -> None:
    talk = Talk()
    talk.open("out", OUTPUT, A)
    talk.comm("out", {"msg_id": "cell-a"}, A)
    talk.stream("captured")
    talk.comm("out", {"msg_id": ""}, A)
    talk.stream("below")
    (below,) = fold(talk.records, A, cursor=1).outputs
    assert below["text"] == "below"


def test_buffers_are_merged_by_key() -> None:
    talk = Talk()
    talk.open("c", {"_model_name": "M", "pic": {}, "other": 1}, A)
    talk.comm("c", {"pic": {"shape": 1}}, A, paths=(["pic", "data"],))
    comms = CommFold()
    for record in talk.records:
        comms.feed(record)
    ((comm_id, target, data, buffers),) = comms.reopened()
    assert (comm_id, target, buffers) == ("c", "jupyter.widget", [b"bytes of 1"])
    assert data["buffer_paths"] == [["pic", "data"]] and data["state"]["pic"] == {"shape": 1}
    talk.comm("c", {"pic": None}, A)
    comms.feed(talk.records[-1])
    assert comms.comms["c"].buffers == {}
    talk.say("comm_close", {"comm_id": "c", "data": {}}, A)
    comms.feed(talk.records[-1])
    assert comms.comms == {} and comms.widget_state() == {}


def test_a_record_is_folded_once() -> None:
    talk = Talk()
    talk.stream("once")
    twice = OutputFold(A)
    for record in (*talk.records, *talk.records):
        twice.feed(record)
    assert twice.outputs[0]["text"] == "once"
