"""The end of a log: the segment file that grows."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from ..errors import WireError


class Tail:
    """Appends to one file: all of what is given, or nothing.

    Parameters
    ----------
    path : Path
    size : int
        How much of the file counts; what may lie behind is cut off.

    Attributes
    ----------
    size : int
        Bytes that were written and count.
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        self.size = size
        self._fd = -1
        self._closed = False

    def create(self) -> None:
        """Make the file."""
        self._open(os.O_CREAT)

    def write(self, data: bytes) -> None:
        """Append `data`; where the system refuses (`OSError`), none of it counts."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            self.cut(self.size)
            raise
        self.size += len(data)

    def read(self, at: int) -> bytes:
        """What was written from `at` on."""
        return os.pread(self._file, self.size - at, at)

    def cut(self, size: int) -> None:
        """Take back what lies behind `size`."""
        self.size = size
        self._release()
        # Opening cuts; if that cannot be done now, the next write does it.
        with contextlib.suppress(OSError):
            self._open()

    def close(self) -> None:
        """Let go of the file; nothing can be written any more."""
        self._release()
        self._closed = True

    @property
    def _file(self) -> int:
        if self._fd < 0:
            self._open()
        return self._fd

    def _open(self, more: int = 0) -> None:
        if self._closed:
            raise WireError(f"{self.path.parent} is closed")
        # O_APPEND: without it a reopened log would be overwritten from its beginning.
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | more, 0o600)
        try:
            if os.fstat(fd).st_size > self.size:
                os.ftruncate(fd, self.size)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd

    def _release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            # A network disk may fail here once more; the descriptor is gone all the same.
            with contextlib.suppress(OSError):
                os.close(fd)
