"""What a pod said, cut to a size and a type that can be shown: one pod must not blind the rest."""

from __future__ import annotations

from typing import Any

__all__ = ["number", "plain", "text"]

TEXT_CHARS = 300
ITEMS = 200
DEPTH = 5
MAX_NUMBER = 1 << 63


def text(value: object, chars: int = TEXT_CHARS) -> str:
    """`value` if it is a text, at most `chars` of it; else nothing."""
    return value[:chars] if isinstance(value, str) else ""


def number(value: object) -> float | None:
    """`value` if it is a finite number, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if abs(value) < MAX_NUMBER else None


def plain(value: Any, depth: int = DEPTH) -> Any:
    """A JSON value with its texts, lists and objects cut; what is deeper than `depth` is None."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return text(value)
    if isinstance(value, (int, float)):
        return number(value)
    if depth and isinstance(value, (list, tuple)):
        return [plain(v, depth - 1) for v in value[:ITEMS]]
    if depth and isinstance(value, dict):
        return {text(k): plain(v, depth - 1) for k, v in list(value.items())[:ITEMS]}
    return None
