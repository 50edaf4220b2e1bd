"""Keeps a journal within its bound, one segment at a time, in a child process."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Any

from ..wire.retention import Retention
from ..wire.rewriting import PAUSE_SECONDS, Rewriting
from .journal import Journal
from .machine import Beat
from .saying import say

DEFAULT_BYTES = 2 << 30
FREE_SHARE = 10
"""A journal may take a tenth of the free disk, or `DEFAULT_BYTES`, whichever is less."""
LEAST_BYTES = 64 << 20
"""Of a disk that is nearly full: what does not fit waits in memory, and is on the laptop."""
RECKON_SECONDS = 600.0
"""So often it is seen whether there is more room now."""


def bound(folder: Path, limits: dict[str, Any]) -> int:
    """How large a journal in `folder` may become, in bytes."""
    asked = limits.get("journal_bytes")
    if isinstance(asked, int) and asked > 0:
        return asked
    return max(LEAST_BYTES, min(DEFAULT_BYTES, shutil.disk_usage(folder).free // FREE_SHARE))


class Housekeeping:
    """Owned by the keeper, which calls `turn` in each round of its loop.

    Parameters
    ----------
    limits : dict
        As for `bound`.
    """

    def __init__(
        self, journal: Journal, retention: Retention, limits: dict[str, Any] | None = None
    ) -> None:
        self._journal = journal
        self._retention = retention
        self._limits = limits
        self._beat = Beat(journal.log.folder.parent)
        self._reckon_at = time.monotonic() + RECKON_SECONDS
        self._work: Rewriting | None = None
        self._quiet_until = 0.0

    def turn(self) -> None:
        """Adopt what the child has done; give it the next segment."""
        self._beat.turn()
        self._reckon()
        if self._work is not None:
            if not self._work.over():
                return
            failure, task = self._work.finish(), self._work.task
            self._work = None
            if failure is None:
                self._retention.done(task)
            else:
                self._retention.failed(task)
                say(failure)
                self._quiet_until = time.monotonic() + PAUSE_SECONDS
        if not self._journal.dirty or time.monotonic() < self._quiet_until:
            return
        following = self._retention.next()
        if following is None:
            self._journal.dirty = False
        else:
            self._work = Rewriting(self._journal.log, following)

    def _reckon(self) -> None:
        """Use the room that was made on the disk since; what is used already stays."""
        if self._limits is None or time.monotonic() < self._reckon_at:
            return
        self._reckon_at = time.monotonic() + RECKON_SECONDS
        with contextlib.suppress(OSError):
            now = bound(self._journal.log.folder, self._limits)
            self._retention.bound = max(self._retention.bound, now)

    def close(self) -> None:
        if self._work is not None:
            self._work.close()
