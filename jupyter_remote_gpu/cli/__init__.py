"""``jupyter remote-gpu``: everything from a terminal, as thin as it can be on `client`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit status (0 done, 1 failed, 2 wrong usage)."""
    if os.name == "nt":
        print("jupyter remote-gpu does not run on Windows itself: use WSL.", file=sys.stderr)
        return 1
    from .program import run

    return run(list(sys.argv[1:] if argv is None else argv))
