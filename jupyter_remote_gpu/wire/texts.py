"""Stream records that stand for a range: their text in pieces, one a number."""

from __future__ import annotations

import json
from typing import Any

from ..errors import WireError
from .records import Record


def pieces_of(record: Record) -> tuple[dict[str, Any], list[int]]:
    """Content and pieces (code points) of a record that has `pieces` in its head.

    Raises
    ------
    WireError
        If the pieces do not add up to the record's range and text.
    """
    content, pieces = record.content, record.head.get("pieces")
    text = content.get("text")
    if (
        not isinstance(text, str)
        or not isinstance(pieces, list)
        or not all(isinstance(n, int) and n >= 0 for n in pieces)
        or len(pieces) != record.last - record.first + 1
        or sum(pieces) != len(text)
    ):
        raise WireError(f"the pieces of record {record.first}..{record.last} do not fit")
    return content, pieces


def dump(value: Any) -> bytes:
    """JSON as compaction writes it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")
