"""Where things lie on the pod, and who holds them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
from pathlib import Path

from ..errors import PodError
from ..wire.records import is_id

ENDED_DAYS = 14
"""How long the journal of an ended kernel stays, in days."""

OTHER_KEEPER = "another keeper has this kernel"
"""What a keeper tells `start` when it is not the first."""

_SOCKET_LIMIT = 100


def state_folder() -> Path:
    """The folder of everything that we keep on the pod (the loader chose it)."""
    value = os.environ.get("JRG_STATE")
    if not value:
        raise PodError("JRG_STATE is not set: this command is run by the daemon's loader.")
    return Path(value)


def archive_path() -> str:
    """The file from which this code was loaded (an archive, or the package's parent)."""
    here = Path(__file__).resolve()
    for parent in here.parents:
        if parent.suffix == ".zip":
            return str(parent)
    return str(here.parents[2])


def kernels_folder() -> Path:
    """Holds one folder a kernel, named by its id."""
    folder = state_folder() / "kernels"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def kernel_folder(kernel: str) -> Path:
    """The folder of kernel `kernel` (checked to be an id, so that it cannot lead elsewhere)."""
    if not is_id(kernel):
        raise PodError(f"{kernel!r:.60} is not a kernel's id", code="bad-input")
    return kernels_folder() / kernel


def socket_folder(kernel: str) -> Path:
    """A 0700 folder for sockets whose path is short enough for the system.

    The kernel's own folder if its path allows, else one below ``/tmp``.
    """
    own = kernel_folder(kernel)
    if _fits(own):
        return own
    short = f"jrg-{os.getuid()}"
    base = Path(tempfile.gettempdir()) / short
    if not _fits(base / kernel[:16]):
        base = Path("/tmp") / short
    base.mkdir(mode=0o700, exist_ok=True)
    info = base.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o077:
        raise PodError(f"{base} belongs to somebody else: remove it, or set TMPDIR on the pod.")
    folder = base / kernel[:16]
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / "keeper.sock")) <= _SOCKET_LIMIT


def remove_sockets(folder: Path, sockets: Path) -> None:
    """Take away what a kernel that has ended leaves in `sockets`."""
    for name in ("keeper.sock", "connection.json", *(f"k-{n}" for n in range(1, 6))):
        (sockets / name).unlink(missing_ok=True)
    if sockets != folder:
        with contextlib.suppress(OSError):  # something else was put there: it stays
            sockets.rmdir()


class FolderLock:
    """Held by the keeper while it lives; who can take it knows that the keeper is gone."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "lock"
        self._fd = -1

    def acquire(self) -> bool:
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return False
        self._fd = fd
        return True

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
