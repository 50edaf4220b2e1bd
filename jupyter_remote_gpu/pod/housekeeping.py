"""Keeps a journal within its bound, one segment at a time, in a child process."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from ..wire.retention import Retention
from ..wire.rewriting import PAUSE_SECONDS, Rewriting
from .journal import Journal

DEFAULT_BYTES = 2 << 30
FREE_SHARE = 10
"""A journal may take a tenth of the free disk, or `DEFAULT_BYTES`, whichever is less."""


def bound(folder: Path, limits: dict[str, Any]) -> int:
    """How large a journal in `folder` may become, in bytes."""
    asked = limits.get("journal_bytes")
    if isinstance(asked, int) and asked > 0:
        return asked
    return min(DEFAULT_BYTES, shutil.disk_usage(folder).free // FREE_SHARE)


class Housekeeping:
    """Owned by the keeper, which calls `turn` in each round of its loop."""

    def __init__(self, journal: Journal, retention: Retention) -> None:
        self._journal = journal
        self._retention = retention
        self._work: Rewriting | None = None
        self._quiet_until = 0.0

    def turn(self) -> None:
        """Adopt what the child has done; give it the next segment."""
        if self._work is not None:
            if not self._work.over():
                return
            failure, task = self._work.finish(), self._work.task
            self._work = None
            if failure is None:
                self._retention.done(task)
            else:
                self._retention.failed(task)
                print(failure, file=sys.stderr, flush=True)
                self._quiet_until = time.monotonic() + PAUSE_SECONDS
        if not self._journal.dirty or time.monotonic() < self._quiet_until:
            return
        following = self._retention.next()
        if following is None:
            self._journal.dirty = False
        else:
            self._work = Rewriting(self._journal.log, following)

    def close(self) -> None:
        if self._work is not None:
            self._work.close()
