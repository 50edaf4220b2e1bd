"""Which of two versions is newer."""

from __future__ import annotations

import re

_VERSION = re.compile(r"(\d+(?:\.\d+)*)(?:(a|b|rc)(\d+))?(?:\.dev(\d+))?")
_STAGE = {"a": 0, "b": 1, "rc": 2}


def version_key(version: str) -> tuple[tuple[int, ...], int, int, float]:
    """A key that orders versions as PEP 440 does, for the forms that this project uses.

    Something unreadable is older than everything.
    """
    found = _VERSION.match(version)
    if found is None:
        return (), 0, 0, 0.0
    numbers = [int(n) for n in found[1].split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    dev = float(found[4]) if found[4] else float("inf")
    final = 3 if found[4] is None else -1
    stage = _STAGE[found[2]] if found[2] else final
    return tuple(numbers), stage, int(found[3] or 0), dev
