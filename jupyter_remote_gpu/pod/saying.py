"""What a keeper says in its log."""

from __future__ import annotations

import contextlib
import sys


def say(words: str) -> None:
    """Say it on standard error, if that takes anything.

    A keeper's log lies on its journal's disk. When that is full, the remark is lost: it must
    not end the keeper, and with it the kernel.
    """
    with contextlib.suppress(OSError):
        print(words, file=sys.stderr, flush=True)
