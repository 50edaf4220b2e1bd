"""A gap says exactly how much is missing, to each reader whose cursor lies in it (rule 4)."""

from __future__ import annotations

import random

import pytest

from jupyter_remote_gpu.errors import WireError
from jupyter_remote_gpu.wire.compact import compact, trim
from jupyter_remote_gpu.wire.gaps import DETAIL_NUMBERS, Gap
from jupyter_remote_gpu.wire.records import Record, decode_records, keeper_record
from jupyter_remote_gpu.wire.tidy import thin_out
from tests.support.talk import Talk, random_talk

A = "a" * 32


def thinned(records: list[Record], spared: tuple[str | None, ...] = ()) -> list[Record]:
    data = b"".join(r.encode() for r in records)
    return list(decode_records(thin_out(data, "no room", spared)))


def missing(records: list[Record], cursor: int = 0) -> tuple[int, int]:
    """Messages and bytes that the gaps name to a reader with this cursor."""
    rests = [trim(r, cursor) for r in records]
    contents = [r.content for r in rests if r is not None and r.type == "gap"]
    return sum(c["messages"] for c in contents), sum(c["bytes"] for c in contents)


def there(records: list[Record], cursor: int) -> tuple[int, int]:
    """Messages and bytes of kernel messages that such a reader would have got."""
    messages = size = 0
    for record in records:
        rest = trim(record, cursor)
        if rest is None or rest.channel == "keeper":
            continue
        count = sum(1 for n in rest.head["pieces"] if n) if "pieces" in rest.head else 1
        messages += count
        size += sum(len(p) for p in rest.parts) if count else 0
    return messages, size


def without_gaps(records: list[Record]) -> list[Record]:
    return [r for r in records if r.type != "gap"]


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_the_counts_are_exact_at_every_cursor(seed: int, compacted: bool) -> None:
    raw = random_talk(random.Random(seed), 90)
    for record in raw:
        if record.type == "gap":  # those of `random_talk` stand for what never was
            record.head, record.parts = keeper_record("interrupt", {}, execution=record.execution)
    records = compact(raw) if compacted else raw
    gone = thinned(records)
    assert without_gaps(gone) != gone
    for cursor in range(raw[-1].last + 1):
        assert missing(gone, cursor) == there(records, cursor), f"cursor {cursor}"
    # In two steps, as retention does it, and again: still exact.
    twice = thinned(thinned(thinned(records, (None, A)), (None,)))
    for cursor in range(raw[-1].last + 1):
        assert missing(twice, cursor) == there(records, cursor), f"cursor {cursor}"


def test_the_rest_of_a_gap_is_a_gap_that_goes_on() -> None:
    talk = Talk()
    for n in range(100):
        talk.stream(f"{n}\n")
    (gap,) = thinned(talk.records)
    assert (gap.first, gap.last, gap.content["messages"]) == (1, 100, 100)
    rest = trim(gap, 90)
    assert rest is not None
    assert (rest.first, rest.last, rest.execution) == (91, 100, A)
    assert rest.content["messages"] == 10
    assert rest.content["reason"] == "no room"
    size = sum(len(p) for r in talk.records[95:] for p in r.parts)
    again = trim(rest, 95)
    assert again is not None
    assert (again.content["messages"], again.content["bytes"]) == (5, size)


def test_where_no_message_is_left_nothing_is_missing() -> None:
    talk = Talk()
    talk.stream("x")
    for n in range(3):
        talk.display(str(n), A, "bar", update=True)
    talk.records.append(Record(5, 9, *keeper_record("superseded", {}, execution=A)))
    (gap,) = thinned(talk.records)
    rest = trim(gap, 6)
    assert rest is not None
    assert (rest.first, rest.last, rest.type) == (7, 9, "superseded")


def test_a_gap_is_small() -> None:
    """Beside some hundred bytes for each raw message of a line."""
    rng = random.Random(3)
    talk = Talk()
    for n in range(20_000):
        talk.stream(f"{n} {'x' * rng.randrange(120)}\n")
    raw = sum(len(r.encode()) for r in talk.records)
    (gap,) = thinned(talk.records)
    assert len(gap.encode()) < raw / 100


def test_more_than_a_segment_holds_is_counted_without_detail() -> None:
    talk = Talk()
    talk.stream("x")
    (record,) = talk.records
    gap = Gap(record)
    for n in range(1, DETAIL_NUMBERS + 11):
        gap.add(Record(n, n, record.head, record.parts))
    whole = gap.record("no room")
    assert len(whole.parts) == 1
    rest = trim(whole, DETAIL_NUMBERS)
    assert rest is not None
    each = sum(len(p) for p in record.parts)
    assert (rest.content["messages"], rest.content["bytes"]) == (10, 10 * each)


@pytest.mark.parametrize(
    "change",
    [
        {"messages": 99},
        {"bytes": 1},
        {"messages": -1},
        {"bytes": "many"},
        {"messages": 1 << 70},
    ],
)
def test_counts_that_do_not_fit_are_told(change: dict[str, object]) -> None:
    talk = Talk()
    talk.stream("x")
    talk.stream("y")
    (gap,) = thinned(talk.records)
    wrong = Record(1, 2, *keeper_record("gap", {**gap.content, **change}))
    wrong.parts.append(gap.parts[1])
    with pytest.raises(WireError, match=r"gap"):
        trim(wrong, 1)
    with pytest.raises(WireError, match=r"gap"):
        thinned([wrong])


@pytest.mark.parametrize("last", [3, DETAIL_NUMBERS + 5, 1 << 60])
def test_a_range_that_does_not_fit_is_told_and_takes_no_memory(last: int) -> None:
    talk = Talk()
    talk.stream("x")
    talk.stream("y")
    (gap,) = thinned(talk.records)
    with pytest.raises(WireError, match="gap"):
        trim(Record(1, last, gap.head, gap.parts), 1)
    hole = Record(1, 1 << 60, *keeper_record("superseded", {}, execution=A))
    assert [r.type for r in thinned([hole])] == ["superseded"]


def test_a_question_stays_where_the_rest_goes() -> None:
    def record(number: int, channel: str, kind: str) -> Record:
        head = {"channel": channel, "type": kind, "class": "durable", "execution": A}
        return Record(number, number, head, [b"{}", b"{}", b"{}", b"{}"])

    shown = [record(n, "iopub", "display_data") for n in (1, 2)]
    rest = thinned([*shown, record(3, "stdin", "input_request")])
    assert [(r.type, r.first, r.last) for r in rest] == [("gap", 1, 2), ("input_request", 3, 3)]
