"""What a saved cell's text and outputs are, beside what an execution ran and said: pure.

The same as ``src/cells.ts`` and ``src/refill/rule.ts`` have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["detached", "longer", "same_text", "source"]

CUT = 120
"""A listed code of at least so many characters may be the beginning of a longer one."""

_MAGIC_LINE = re.compile(r"\s*%%gpu(?P<words>[^\S\n][^\n]*)?(?:\n|\Z)")


def source(cell: Mapping[str, Any]) -> str:
    """The text of a cell, which a file may have in lines."""
    text = cell.get("source", "")
    return text if isinstance(text, str) else "".join(text)


def same_text(text: str, code: str, *, whole: bool = False) -> bool:
    """Whether a cell's text is what an execution ran.

    Parameters
    ----------
    whole : bool
        `code` is not cut.
    """
    line = _MAGIC_LINE.match(text)
    if line is None:
        return False  # it would not run on a pod any more
    body = text[line.end() :]
    if body.rstrip() == code.rstrip():
        return True
    return not whole and len(code) >= CUT and body.startswith(code)


def detached(text: str) -> bool:
    """Whether the cell shows a handle; the magic takes ``--det`` too, as argparse does."""
    line = _MAGIC_LINE.match(text)
    words = (line["words"] or "").split() if line else ()
    return any(len(word) > 2 and "--detach".startswith(word) for word in words)


def longer(old: object, new: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the outputs that a cell has are more than those that would replace them."""
    return _amount(old) > _amount(new)


def _amount(outputs: object) -> int:
    """How much is shown: characters of text, and a whole lot for whatever is none."""
    total = 0
    for output in outputs if isinstance(outputs, list | tuple) else ():
        if output.get("output_type") == "stream":
            text = output.get("text", "")
            total += len(text if isinstance(text, str) else "".join(text))
        else:
            total += 1000
    return total
