"""Rule 9: the last hop merges and paces."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import deque

import pytest

from jupyter_remote_gpu.magic import pacing
from jupyter_remote_gpu.magic.messages import Message
from jupyter_remote_gpu.magic.pacing import Bucket, Pacer, drop_superseded, merge_streams
from tests.support.magic import ListSink, message, stream


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class StampedSink(ListSink):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.times: list[tuple[float, int]] = []

    def emit(self, message: Message) -> None:
        super().emit(message)
        size = len(message.content) if message.type == "stream" else 0
        self.times.append((self.clock(), size))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pacing.asyncio, "sleep", clock.sleep)
    return clock


def display(text: str, display_id: str, update: bool = True) -> Message:
    content = {"data": {"text/plain": text}, "transient": {"display_id": display_id}}
    return message("update_display_data" if update else "display_data", content)


def test_adjacent_texts_of_one_stream_become_one_message() -> None:
    sink = ListSink()
    items = [(sink, stream(f"{i}\n")) for i in range(100)]
    [(_, merged)] = merge_streams(items)
    assert merged.parse() == {"name": "stdout", "text": "".join(f"{i}\n" for i in range(100))}
    assert merged.header == items[0][1].header


def test_what_lies_between_texts_keeps_its_place() -> None:
    sink, other = ListSink(), ListSink()
    items = [
        (sink, stream("a")),
        (sink, stream("b")),
        (sink, stream("c", "stderr")),
        (sink, message("clear_output", {"wait": True})),
        (sink, stream("d")),
        (other, stream("e")),
        (sink, stream("f")),
    ]
    merged = merge_streams(items)
    shown = [(s is sink, m.type, m.parse().get("text")) for s, m in merged]
    assert shown == [
        (True, "stream", "ab"),
        (True, "stream", "c"),
        (True, "clear_output", None),
        (True, "stream", "d"),
        (False, "stream", "e"),
        (True, "stream", "f"),
    ]


def test_a_lone_short_message_stays_byte_for_byte() -> None:
    sink = ListSink()
    odd = Message("stream", {"msg_id": "x"}, b"{}", b'{ "name":"stdout" , "text":"\\u00e9"}')
    assert merge_streams([(sink, odd)]) == [(sink, odd)]


@pytest.mark.parametrize("text", ["x" * 3_000_000, "\x1b\n" * 400_000, "é\ud800" * 300_000])
def test_a_long_text_is_split_and_loses_nothing(text: str) -> None:
    sink = ListSink()
    pieces = [m for _, m in merge_streams([(sink, stream(text))])]
    assert len(pieces) > 1
    assert max(len(m.content) for m in pieces) <= pacing.MAX_TEXT
    assert "".join(m.parse()["text"] for m in pieces) == text
    # Readers that check signatures would take equal header and content for a replay.
    assert len({m.header["msg_id"] for m in pieces}) == len(pieces)


def test_updates_of_one_display_give_way_to_the_last() -> None:
    sink, other = ListSink(), ListSink()
    items = [
        (sink, display("first", "x", update=False)),
        (sink, display("1", "x")),
        (sink, stream("between")),
        (other, display("another sink's", "x")),
        (sink, display("2", "y")),
        (sink, display("3", "x")),
    ]
    kept = [m.parse().get("data", {}).get("text/plain") for _, m in drop_superseded(items)]
    assert kept == ["first", None, "another sink's", "2", "3"]


def test_a_bucket_never_gives_more_than_burst_and_rate() -> None:
    clock = Clock()
    bucket = Bucket(10.0, 5.0, clock)
    assert [bucket.take(1) for _ in range(5)] == [0, 0, 0, 0, 0]
    assert bucket.take(1) == pytest.approx(0.1)
    clock.now += 100.0
    assert bucket.tokens == 5.0
    assert bucket.take(50) == 0.0  # more than it can hold: when it is full
    assert bucket.take(1) == pytest.approx(4.6)


def test_no_window_of_the_server_overflows(clock: Clock) -> None:
    """A flood of mixed messages, seen by a Jupyter Server that lags up to 0.5 s."""
    sink, pacer, rng = StampedSink(clock), Pacer(clock), random.Random(1)

    async def flood() -> None:
        for _ in range(300):
            items = []
            for i in range(rng.randrange(200)):
                size = rng.choice([10, 1000, 30_000])
                item = stream("x" * size, rng.choice(["stdout", "stderr"]))
                items.append((sink, item if i % 3 else message("display_data", {"data": {}})))
            await pacer.send(items)
            clock.now += rng.choice([0, 0, 0.01, 0.3])

    asyncio.run(flood())
    window: deque[tuple[float, int]] = deque()
    size = 0
    for at, count in sink.times:
        window.append((at, count))
        size += count
        while window[0][0] < at - 3.5:
            size -= window.popleft()[1]
        assert len(window) <= 3000
        assert size <= 3_000_000
    burst = max(sum(1 for t, _ in sink.times if t == at) for at, _ in sink.times[::50])
    assert burst <= 500


def test_a_sparse_flow_is_not_delayed(clock: Clock) -> None:
    sink, pacer = StampedSink(clock), Pacer(clock)

    async def lines() -> None:
        for i in range(2000):
            await pacer.send([(sink, stream(f"{i}\n"))])
            clock.now += 0.01

    asyncio.run(lines())
    assert clock.slept == []
    assert sink.text == "".join(f"{i}\n" for i in range(2000))


def test_updates_are_dropped_only_under_backlog(clock: Clock) -> None:
    sink, pacer = StampedSink(clock), Pacer(clock)
    few = [(sink, display(str(i), "x")) for i in range(100)]
    asyncio.run(pacer.send(few))
    assert len(sink.messages) == 100
    many = [(sink, display(str(i), "x")) for i in range(5000)]
    asyncio.run(pacer.send(many))
    assert len(sink.messages) == 101
    assert sink.contents[-1]["data"]["text/plain"] == "4999"


def test_what_is_not_paced_goes_at_once(clock: Clock) -> None:
    sink, pacer = ListSink(paced=False), Pacer(clock)
    asyncio.run(pacer.send([(sink, stream("x" * 10_000_000))]))
    assert clock.slept == []
    assert len(sink.text) == 10_000_000


def test_merging_is_cheap() -> None:
    """20,000 lines in the batches of a flood cost well below the kernel's own second."""
    sink = ListSink()
    batches = [[(sink, stream(f"{i}\n")) for i in range(n, n + 200)] for n in range(0, 20_000, 200)]
    pacer = Pacer()
    start = time.process_time()
    for batch in batches:
        asyncio.run(pacer.send(batch))
    assert time.process_time() - start < 2.0
    assert json.loads(sink.messages[-1].content)["text"].endswith("19999\n")
