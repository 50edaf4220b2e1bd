"""The daemon's log: standard error is the file, and it is kept bounded."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

MAX_BYTES = 2 << 20


class BoundedLog(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error; when the file behind it is large, begins a new one.

    The older one stays as ``daemon.log.1``.
    """

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(sys.stderr)
        self._path = path
        self._max = max_bytes

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        if os.fstat(2).st_size > self._max:
            try:
                rotate(self._path)
            except OSError:  # full, or too many open files: whoever logs must not fail of it
                self.handleError(record)


def rotate(path: Path) -> None:
    """Begin a new file at `path` and put standard output and error into it."""
    if path.exists():
        os.replace(path, path.with_name(path.name + ".1"))
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def set_up(path: Path) -> None:
    """Log to `path`, which also takes what falls on standard output and error."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)
    handler = BoundedLog(path)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(process)d %(name)s: %(message)s")
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    logging.getLogger("asyncssh").setLevel(logging.WARNING)
