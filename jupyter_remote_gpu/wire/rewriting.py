"""The child process that rewrites a segment, as keeper and daemon both start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .log import Log
from .retention import Task
from .tidy import DAMAGED

SECONDS = 600.0
"""A child that takes longer is ended: it is a second's work, but at the lowest priority, beside
samplers on every core of a pod whose processor time may have a quota."""
PAUSE_SECONDS = 5.0
"""After a failure (no room, no memory) nothing is rewritten for so long."""

_CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
from jupyter_remote_gpu.wire.tidy import main
sys.exit(main())
"""


class Rewriting:
    """One task, from the start of its child to the new segment in the old one's place.

    Parameters
    ----------
    log : Log
    task : Task

    Notes
    -----
    Nothing here raises `OSError`: a segment that cannot be rewritten stays as it is.
    """

    def __init__(self, log: Log, task: Task) -> None:
        self.task = task
        self._log = log
        # The child of an owner that was killed may still write: not to our file.
        self._target = task.segment.path.with_suffix(f".{os.getpid()}.new")
        self._until = time.monotonic() + SECONDS
        self._child: subprocess.Popen[bytes] | None = None
        self._why = "its child failed"
        try:
            self._start()
        except OSError as e:
            self._why = str(e)

    def _start(self) -> None:
        task = self.task
        spec = {
            "source": str(task.segment.path),
            "target": str(self._target),
            "spared": task.spared,
            "reason": task.reason,
        }
        root = Path(__file__).resolve().parents[2]  # the archive, or the package's parent
        # In a file: a word of the command line has a limit, and a pipe could make us wait.
        with tempfile.TemporaryFile(dir=task.segment.path.parent) as words:
            words.write(json.dumps(spec).encode())
            words.seek(0)
            self._child = subprocess.Popen(
                [sys.executable, "-S", "-c", _CHILD, str(root)],
                stdin=words,
                stdout=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
            )

    def over(self) -> bool:
        """Whether the child has ended; one that is over its time is ended here."""
        if self._child is None or self._child.poll() is not None:
            return True
        if time.monotonic() < self._until:
            return False
        self._stop()
        return True

    def wait(self) -> None:
        """Wait for the child (blocks; at most `SECONDS`)."""
        if self._child is not None:
            try:
                self._child.wait(SECONDS)
            except subprocess.TimeoutExpired:
                self._stop()

    def _stop(self) -> None:
        if self._child is not None and self._child.poll() is None:
            self._why = f"its child took more than {SECONDS:g} s, or was stopped"
            self._child.kill()
            self._child.wait()

    def finish(self) -> str | None:
        """Take what the child has written; the child must be over.

        Returns
        -------
        str or None
            Why it failed, and may not fail another time. None: it is done, or never will be.
        """
        status = None if self._child is None else self._child.returncode
        if status == 0:
            try:
                self._log.adopt(self.task.segment, self._target)
            except OSError as e:
                status, self._why = None, str(e)
        if status == 0:
            return None
        self.close()
        if status == DAMAGED:
            return None
        return f"{self.task.segment.path} was not rewritten: {self._why}"

    def close(self) -> None:
        """Give it up; what the child has written goes."""
        self._stop()
        try:
            self._target.unlink(missing_ok=True)
        except OSError as e:
            self._why += f"; {e}"
