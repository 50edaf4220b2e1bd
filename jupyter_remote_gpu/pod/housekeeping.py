"""Keeps a journal within its bound, one segment at a time, in a child process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ..wire.retention import Retention, Task
from . import paths
from .journal import Journal

DEFAULT_BYTES = 2 << 30
FREE_SHARE = 10
"""A journal may take a tenth of the free disk, or `DEFAULT_BYTES`, whichever is less."""

_NICENESS = 15
_PAUSE_SECONDS = 5.0


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
        self._child: subprocess.Popen[bytes] | None = None
        self._task: Task | None = None
        self._quiet_until = 0.0

    def turn(self) -> None:
        """Adopt what the child has done; give it the next segment."""
        if self._child is not None:
            status = self._child.poll()
            if status is None:
                return
            self._child = None
            self._adopt(status)
        if not self._journal.dirty or time.monotonic() < self._quiet_until:
            return
        self._task = self._retention.next()
        if self._task is None:
            self._journal.dirty = False
        else:
            self._start(self._task)

    def _start(self, task: Task) -> None:
        spec = {
            "source": str(task.segment.path),
            "target": str(task.segment.path.with_suffix(".new")),
            "executions": task.executions,
            "reason": task.reason,
        }
        argv = [sys.executable, "-S", paths.archive_path(), "tidy", json.dumps(spec)]
        self._child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            preexec_fn=_be_nice,
            start_new_session=True,
        )

    def _adopt(self, status: int) -> None:
        task, self._task = self._task, None
        assert task is not None
        new = task.segment.path.with_suffix(".new")
        if status == 0:
            self._journal.log.adopt(task.segment, new)
        else:
            # Its own words are in our log. The segment stays as it is: nothing is lost.
            new.unlink(missing_ok=True)
            self._quiet_until = time.monotonic() + _PAUSE_SECONDS
        self._retention.done(task)

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()


def _be_nice() -> None:
    os.nice(_NICENESS)
