"""Gaps: records that say what was dropped (rule 4), exact for every reader's cursor.

A gap's first part is JSON (``messages``, ``bytes``, ``reason``). Its second is what the rest
of it needs, for a reader that has its beginning: the bytes of each number's message as
64-bit little-endian integers, deflated; 0 where there was none.
"""

from __future__ import annotations

import struct
import zlib

from ..errors import WireError
from .records import Record, keeper_record
from .texts import dump, pieces_of

DETAIL_NUMBERS = 1 << 17
"""A gap over more numbers has no second part, so that it stays one small frame.

A segment has fewer records. Only a keeper whose disk stays full drops so many at once.
"""


class Gap:
    """Adjacent records of one execution that are dropped, being counted.

    Parameters
    ----------
    record : Record
        The first; it is still to be added.
    """

    def __init__(self, record: Record) -> None:
        self.execution = record.execution
        self._first = record.first
        self._last = record.first - 1
        self._messages = self._bytes = 0
        self._sizes: list[int] | None = []

    def add(self, record: Record, size: int | None = None) -> None:
        """Count `record`.

        Parameters
        ----------
        size : int, optional
            The bytes of one message's parts, where these are not in `record`.

        Raises
        ------
        WireError
            If it is damaged.
        """
        messages, size, sizes = _counts(record) if size is None else (1, size, [size])
        self._last = record.last
        self._messages += messages
        self._bytes += size
        if self._sizes is None or sizes is None or len(self._sizes) > DETAIL_NUMBERS:
            self._sizes = None
        else:
            self._sizes += sizes

    def record(self, reason: str) -> Record:
        """The gap; nothing but a `superseded` range where no message is missing."""
        counts = (self._messages, self._bytes, self._sizes)
        return _record(self._first, self._last, self.execution, counts, reason)


def rest_of_gap(record: Record, cursor: int) -> Record:
    """What of a gap follows `cursor`, which lies inside it.

    Raises
    ------
    WireError
        If it is damaged.
    """
    messages, size, sizes = _counts(record)
    left = record.last - cursor
    if sizes is not None:
        sizes = sizes[-left:]
        messages, size = sum(1 for n in sizes if n), sum(sizes)
    elif messages:
        # Dropped from a keeper's memory, where every number is a message.
        size = size * min(messages, left) // messages
        messages = min(messages, left)
    reason = str(record.content.get("reason"))
    return _record(cursor + 1, record.last, record.execution, (messages, size, sizes), reason)


_Counts = tuple[int, int, "list[int] | None"]
"""Messages, bytes, and the bytes of each number's message (None: not known)."""


def _record(first: int, last: int, execution: str | None, counts: _Counts, reason: str) -> Record:
    messages, size, sizes = counts
    if not messages:
        return Record(first, last, *keeper_record("superseded", {}, execution=execution))
    content = {"messages": messages, "bytes": size, "reason": reason}
    head, parts = keeper_record("gap", content, execution=execution)
    numbers = last - first + 1
    if sizes is not None and len(sizes) == numbers and 1 < numbers <= DETAIL_NUMBERS:
        parts.append(zlib.compress(struct.pack(f"<{numbers}Q", *sizes)))
    return Record(first, last, head, parts)


def _counts(record: Record) -> _Counts:
    numbers = record.last - record.first + 1
    none = [0] * (numbers - 1) if numbers <= DETAIL_NUMBERS else None
    if record.channel == "keeper":
        if record.type != "gap":
            return 0, 0, None if none is None else [*none, 0]
        messages, size = _count(record, "messages"), _count(record, "bytes")
        return messages, size, _sizes(record, messages, size)
    size = sum(len(p) for p in record.parts)
    if "pieces" not in record.head:
        return 1, size, None if none is None else [*none, size]
    content, pieces = pieces_of(record)
    sizes, at = [], 0
    for n in pieces:
        sizes.append(len(dump(content["text"][at : at + n])) - 2)
        at += n
    newest = max((i for i, n in enumerate(pieces) if n), default=None)
    if newest is None:
        return 0, 0, sizes
    # What is not text (headers and so on) any rest has as well.
    sizes[newest] += size - sum(sizes)
    return sum(1 for n in pieces if n), size, sizes


def _count(record: Record, what: str) -> int:
    n = record.content.get(what)
    if not isinstance(n, int) or not 0 <= n < 1 << 63:
        raise WireError(f"a gap at record {record.first} has no count of {what}")
    return n


def _sizes(record: Record, messages: int, size: int) -> list[int] | None:
    numbers = record.last - record.first + 1
    if len(record.parts) < 2:
        return [size] if numbers == messages == 1 else None
    try:
        if numbers > DETAIL_NUMBERS:
            raise ValueError
        packed = zlib.decompressobj().decompress(record.parts[1], 8 * numbers + 1)
        sizes = list(struct.unpack(f"<{numbers}Q", packed))
    except (ValueError, zlib.error, struct.error) as e:
        raise WireError(f"the sizes of gap {record.first}..{record.last} do not fit") from e
    if sum(sizes) != size or sum(1 for n in sizes if n) != messages:
        raise WireError(f"the sizes of gap {record.first}..{record.last} do not fit")
    return sizes
