"""Compaction keeps "the same output", wherever the reader's cursor was (rule 8)."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence

import pytest

from jupyter_remote_gpu.client.outputs import fold
from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.wire.compact import closed_comms, compact, compact_segment, trim
from jupyter_remote_gpu.wire.frames import FrameDecoder
from jupyter_remote_gpu.wire.records import Record, RecordAssembler, encode_record
from tests.support.talk import Shown, Talk, random_talk

A, B = "a" * 32, "b" * 32


def encode(records: Sequence[Record]) -> bytes:
    return b"".join(encode_record(r.first, r.last, r.head, r.parts) for r in records)


def decode(data: bytes) -> list[Record]:
    assembler = RecordAssembler()
    records = [assembler.feed(kind, payload) for kind, payload in FrameDecoder().feed(data)]
    return [r for r in records if r is not None]


def in_segments(records: list[Record], rng: random.Random) -> list[Record]:
    """The log in random segments, each compacted alone."""
    cuts = sorted(rng.sample(range(1, len(records)), rng.randrange(0, 4)))
    result: list[Record] = []
    for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True):
        if rng.random() < 0.2:
            result += records[start:end]  # one that was not compacted
            continue
        result += compact(records[start:end])
    return result


def check_numbers(records: Sequence[Record], last: int) -> None:
    n = 0
    for record in records:
        assert record.first == n + 1 <= record.last
        n = record.last
    assert n == last


def others(records: Sequence[Record]) -> list[tuple[int, list[bytes]]]:
    """What compaction must not touch: all but texts and frames that may be superseded."""
    may_go = {"stream", "update_display_data", "comm_msg", "clear_output", "display_data", "error"}
    return [
        (r.first, r.parts)
        for r in records
        if r.type not in may_go | {"superseded"} and r.head["class"] != "ephemeral"
    ]


@pytest.mark.parametrize("seed", range(150))
def test_the_same_output_at_every_cursor(seed: int) -> None:
    rng = random.Random(seed)
    raw = random_talk(rng, 90)
    expected = Shown().feed(raw).all()
    compacted = in_segments(raw, rng)
    check_numbers(compacted, raw[-1].last)
    assert others(compacted) == others(raw)
    at_cursor = Shown()
    for cursor in range(len(raw) + 1):
        if cursor:
            at_cursor.feed([raw[cursor - 1]])
        reader = copy.deepcopy(at_cursor)
        for fold_ in reader.cells.values():
            fold_._on_display = reader._elsewhere
        assert reader.feed(compacted).all() == expected, f"cursor {cursor}"
    again = compact(compacted)
    assert Shown().feed(again).all() == expected


@pytest.mark.parametrize("seed", range(150, 170))
def test_each_cell_alone_shows_the_same(seed: int) -> None:
    rng = random.Random(seed)
    raw = random_talk(rng, 120)
    compacted = in_segments(raw, rng)
    for cell in (A, B):
        mine = [r for r in raw if r.execution in (cell, None)]
        left = [r for r in compacted if r.execution in (cell, None)]
        assert fold(left, cell).outputs == fold(mine, cell).outputs


def test_bytes_of_a_segment() -> None:
    raw = decode(encode(random_talk(random.Random(7), 200)))
    whole = compact(raw)
    data = compact_segment(encode(raw))
    assert data == encode(whole)
    assert compact_segment(data) == encode(compact(whole))
    with pytest.raises(WireError):
        compact_segment(data[:-1] + bytes([data[-1] ^ 1]))


def test_texts_become_one_record_with_pieces() -> None:
    talk = Talk()
    for text in ("one\n", "zwei 🙂\n", "", "4\n"):
        talk.stream(text)
    (record,) = compact(talk.records)
    assert (record.first, record.last, record.head["pieces"]) == (1, 4, [4, 7, 0, 2])
    rest = trim(record, 1)
    assert rest is not None and rest.content["text"] == "zwei 🙂\n4\n"
    assert (rest.first, rest.head["pieces"]) == (2, [7, 0, 2])
    assert trim(record, 4) is None and trim(record, 0) is record


def test_texts_around_a_superseded_frame_are_joined() -> None:
    talk = Talk()
    talk.display("0 %", A, "bar")
    talk.stream("x")
    talk.display("1 %", A, "bar", update=True)
    talk.stream("y")
    talk.display("2 %", A, "bar", update=True)
    first, text, update = compact(talk.records)
    assert (text.first, text.last, text.head["pieces"]) == (2, 4, [1, 0, 1])
    assert (first, update) == (talk.records[0], talk.records[4])


@pytest.mark.parametrize("name, cell", [("stderr", A), ("stdout", B)])
def test_other_texts_are_not_joined(name: str, cell: str) -> None:
    talk = Talk()
    talk.stream("x")
    talk.stream("y", cell, name)
    assert compact(talk.records) == talk.records


@pytest.mark.parametrize("pieces", [[1], [1, 2], [1, -1], "no", [1, None]])
def test_pieces_that_do_not_fit_are_told(pieces: object) -> None:
    talk = Talk()
    talk.stream("xy")
    record = Record(1, 2, {**talk.records[0].head, "pieces": pieces}, talk.records[0].parts)
    with pytest.raises(WireError, match="pieces"):
        trim(record, 1)


def kinds(records: Sequence[Record]) -> list[str]:
    return [r.type for r in records]


def test_an_update_waits_for_all_its_keys() -> None:
    talk = Talk()
    talk.comm("c", {"value": 1, "max": 5}, A)
    talk.comm("c", {"value": 2}, A)
    assert kinds(compact(talk.records)) == ["comm_msg", "comm_msg"]
    talk.comm("c", {"max": 6}, A)
    talk.comm("c", {"value": 3}, A)
    assert kinds(compact(talk.records)) == ["superseded", "comm_msg", "comm_msg"]


def test_buffers_count_as_keys() -> None:
    talk = Talk()
    talk.comm("c", {}, A, paths=(["pixels"],))
    talk.comm("c", {"value": 1}, A)
    assert compact(talk.records) == talk.records
    talk.comm("c", {}, A, paths=(["pixels"],))
    assert kinds(compact(talk.records)) == ["superseded", "comm_msg", "comm_msg"]


def test_custom_messages_and_echoes() -> None:
    talk = Talk()
    talk.comm("c", {"value": 1}, A)
    talk.say("comm_msg", {"comm_id": "c", "data": {"method": "custom", "content": {}}}, A)
    talk.comm("c", {"value": 2}, A, method="echo_update")
    talk.comm("c", {"value": 3}, A)
    assert compact(talk.records) == talk.records


def test_a_comm_opened_anew_is_another_one() -> None:
    talk = Talk()
    talk.comm("c", {"value": 1}, A)
    talk.say("comm_close", {"comm_id": "c", "data": {}}, A)
    talk.open("c", {"value": 0}, A)
    talk.comm("c", {"value": 2}, A)
    assert compact(talk.records) == talk.records


def test_halves_of_a_character_are_not_joined() -> None:
    talk = Talk()
    talk.stream("\ud83d")
    talk.stream("\ude42")
    assert compact(talk.records) == talk.records


def test_one_cell_that_runs_two_executions() -> None:
    talk = Talk()
    talk.stream("first")
    talk.stream("second")
    talk.records[1].head["execution"] = "c" * 32  # the same local cell, the same msg_id
    assert compact(talk.records) == talk.records


def bar(talk: Talk, text: str) -> None:
    talk.comm("out", {"msg_id": "cell-a"}, A)
    talk.clear(A, wait=True)
    talk.display(text, A, None)
    talk.comm("out", {"msg_id": ""}, A)


def test_the_last_complete_bracket_stays() -> None:
    talk = Talk()
    for n in range(50):
        bar(talk, f"{n} %")
    talk.comm("out", {"msg_id": "cell-a"}, A)  # not complete: the one before it stays
    first, *rest = compact(talk.records)
    assert (first.type, first.first, first.last) == ("superseded", 1, 196)
    assert closed_comms(first) == ["out"]
    assert rest == talk.records[196:]


@pytest.mark.parametrize("last", ["no clear", "no output"])
def test_a_later_bracket_must_wipe(last: str) -> None:
    talk = Talk()
    bar(talk, "1 %")
    talk.comm("out", {"msg_id": "cell-a"}, A)
    talk.clear(A, wait=True) if last == "no output" else talk.display("more", A, None)
    talk.comm("out", {"msg_id": ""}, A)
    assert compact(talk.records) == talk.records


def test_a_bracket_that_does_not_begin_with_a_clear_stays() -> None:
    talk = Talk()
    talk.comm("out", {"msg_id": "cell-a"}, A)
    talk.stream("a line that is to be seen in a replay")
    talk.clear(A, wait=True)
    talk.comm("out", {"msg_id": ""}, A)
    bar(talk, "1 %")
    assert compact(talk.records) == talk.records


def test_one_cell_does_not_supersede_what_another_shows() -> None:
    talk = Talk()
    talk.display("of a", A, "d")
    talk.display("a", A, "d", update=True)
    talk.display("b", B, "d", update=True)
    assert compact(talk.records) == talk.records


def test_replies_to_complete_go() -> None:
    talk = Talk()
    talk.stream("x")
    talk.say("complete_reply", {}, None, channel="shell", cls="ephemeral")
    assert kinds(compact(talk.records)) == ["stream", "superseded"]
