"""Compaction of a closed segment (rule 8), as a log is compacted in Kafka.

Adjacent texts of one stream become one record that stands for the range; frames that
later ones replace make room for `superseded` records, so that numbers have no gaps.
Whoever reads from a cursor inside a range gets the rest of it by `trim`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .gaps import rest_of_gap
from .records import DURABLE, EPHEMERAL, Record, decode_records, keeper_record
from .superseded import Frame, Frames, Key
from .texts import dump, pieces_of

__all__ = ["Plan", "closed_comms", "compact", "compact_segment", "plan", "trim"]

TEXT_BYTES = 256 << 10
"""Texts are joined up to about this size, so that a face need not unpack megabytes for a line."""


@dataclass
class Plan:
    """What is to go: places of records, and the comms whose brackets end at a place."""

    gone: set[int] = field(default_factory=set)
    closed: dict[int, str] = field(default_factory=dict)


def compact(records: Sequence[Record]) -> list[Record]:
    """The compacted form of adjacent records of one closed segment, raw or compacted before."""
    return list(_apply(records, plan(records)))


def compact_segment(data: bytes) -> bytes:
    """The same for the bytes of a segment file, with little memory beside both forms.

    Raises
    ------
    WireError
        If the segment is damaged: it is then better left as it is.
    """
    found = plan(decode_records(data))
    return b"".join(r.encode() for r in _apply(decode_records(data), found))


def trim(record: Record, cursor: int) -> Record | None:
    """What of `record` follows `cursor`; None if nothing does.

    Raises
    ------
    WireError
        If its pieces do not add up to its range and text, or a gap's counts to its range.
    """
    if record.last <= cursor:
        return None
    if record.first > cursor:
        return record
    if "pieces" in record.head:
        content, pieces = pieces_of(record)
        passed = cursor - record.first + 1
        content["text"] = content["text"][sum(pieces[:passed]) :]
        head = {**record.head, "pieces": pieces[passed:]}
        return Record(cursor + 1, record.last, head, [*record.parts[:3], dump(content)])
    if record.type == "gap" and record.channel == "keeper":
        return rest_of_gap(record, cursor)
    return Record(cursor + 1, record.last, record.head, record.parts)


def closed_comms(record: Record) -> list[str]:
    """The ipywidgets.Output comms that captured within a `superseded` range and ended there.

    A reader whose cursor lies inside that range may have seen the beginning only: for it
    they stop capturing now, as by the ``msg_id=""`` that is gone.
    """
    closed = record.content.get("closed")
    return [c for c in closed if isinstance(c, str)] if isinstance(closed, list) else []


# -- what goes


def plan(records: Iterable[Record]) -> Plan:
    """Find what goes, by one pass over the records and one back over the frames in them."""
    frames = Frames()
    found: list[Frame] = []
    result = Plan()
    for place, record in enumerate(records):
        if record.head.get("class") == EPHEMERAL:
            result.gone.add(place)
        found += frames.feed(place, record)
    _backwards(found, result)
    return result


def _backwards(frames: list[Frame], result: Plan) -> None:
    displays: set[Key] = set()
    wiped: set[Key] = set()
    covered: dict[Key, set[str]] = {}
    for frame in reversed(frames):
        key = frame.key
        if frame.kind == "display":
            if key in displays:
                result.gone.add(frame.place)
            displays.add(key)
        elif frame.kind == "barrier":
            for other in [k for k in covered if k[1] == key[1]]:
                del covered[other]
        elif frame.kind == "update":
            later = covered.setdefault(key, set())
            if frame.keys and frame.keys <= later:
                result.gone.add(frame.place)
            later |= frame.keys
        elif frame.bracket is not None:
            bracket = frame.bracket
            if bracket.clears and bracket.plain and key in wiped:
                result.gone.update(bracket.places)
                result.closed[frame.place] = key[1]
            if bracket.wipes:
                wiped.add(key)


# -- what is left


class _Text:
    """Adjacent texts of one stream, being joined."""

    def __init__(self, record: Record, name: str, text: str) -> None:
        self.first, self.last = record.first, record.last
        self._record, self._name = record, name
        self._texts = [text]
        self._pieces: list[int] = _pieces(record, text)
        self._size = len(record.parts[3])
        self._joined = False

    def takes(self, record: Record, name: str) -> bool:
        mine = self._record
        return (
            name == self._name
            and record.head.get("execution") == mine.head.get("execution")
            and record.parts[1:3] == mine.parts[1:3]
            and self._size + len(record.parts[3]) <= TEXT_BYTES
        )

    def add(self, record: Record, text: str) -> None:
        self._pieces += [0] * (record.first - self.last - 1)
        self._pieces += _pieces(record, text)
        self._texts.append(text)
        self._size += len(record.parts[3])
        self.last = record.last
        self._joined = True

    def record(self) -> Record:
        mine = self._record
        if not self._joined:
            return mine
        content = dump({"name": self._name, "text": "".join(self._texts)})
        head = {**mine.head, "pieces": self._pieces}
        return Record(self.first, self.last, head, [*mine.parts[:3], content])


@dataclass
class _Hole:
    """Adjacent numbers whose records are gone."""

    first: int
    last: int
    closed: list[str]

    def record(self) -> Record:
        content: dict[str, Any] = {"closed": self.closed} if self.closed else {}
        return Record(self.first, self.last, *keeper_record("superseded", content))


def _apply(records: Iterable[Record], found: Plan) -> Iterator[Record]:
    text: _Text | None = None
    hole: _Hole | None = None
    for place, record in enumerate(records):
        was_gone = record.type == "superseded" and record.channel == "keeper"
        if place in found.gone or was_gone:
            closed = closed_comms(record) if was_gone else []
            if place in found.closed:
                closed = [found.closed[place]]
            if hole is None:
                hole = _Hole(record.first, record.last, [])
            hole.last = record.last
            hole.closed += [c for c in closed if c not in hole.closed]
            continue
        stream = _stream(record)
        # A hole that ends a capture has something to say and stays; others become pieces of 0.
        silent = hole is None or not hole.closed
        if stream is not None and text is not None and silent and text.takes(record, stream[0]):
            text.add(record, stream[1])
            hole = None
            continue
        if text is not None:
            yield text.record()
        if hole is not None:
            yield hole.record()
        hole = None
        text = _Text(record, *stream) if stream is not None else None
        if text is None:
            yield record
    if text is not None:
        yield text.record()
    if hole is not None:
        yield hole.record()


def _stream(record: Record) -> tuple[str, str] | None:
    """Name and text of a record that may be joined with its neighbours."""
    head = record.head
    if head.get("type") != "stream" or head.get("channel") != "iopub" or len(record.parts) != 4:
        return None
    if head.get("class") != DURABLE:
        return None
    try:
        content = json.loads(record.parts[3])
        name, text = content["name"], content["text"]
        text.encode()  # halves of surrogate pairs must not meet
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if len(content) != 2 or not isinstance(name, str):
        return None
    return name, text


def _pieces(record: Record, text: str) -> list[int]:
    pieces = record.head.get("pieces")
    return list(pieces) if isinstance(pieces, list) else [len(text)]
