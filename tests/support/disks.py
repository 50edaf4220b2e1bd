"""Small disks under the journals and the mirrors, which can be filled (as root, on Linux)."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.daemon import OwnDaemon

SECONDS = 10.0


def disks(daemon: OwnDaemon, pod: Path) -> list[Path]:
    """The folders of all journals of the pod in `pod`, and of all mirrors."""
    return [
        pod / "home" / ".local" / "share" / "jupyter-remote-gpu" / "kernels",
        daemon.folder / "mirrors",
    ]


@contextlib.contextmanager
def small_disk(folder: Path, nbytes: int) -> Iterator[None]:
    """A disk of its own at `folder`, until nobody uses it any more."""
    # Each of them for the user alone, as the product makes them.
    for path in (*reversed(folder.parents), folder):
        path.mkdir(mode=0o700, exist_ok=True)
    options = f"size={nbytes},mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    subprocess.run(mount, check=True, timeout=SECONDS)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=SECONDS)


@contextlib.contextmanager
def filled(folder: Path) -> Iterator[None]:
    """No room at all on the disk of `folder`: ENOSPC, also in the midst of a write."""
    file = folder / "full"
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with pytest.raises(OSError) as full:
            while True:
                os.write(fd, bytes(1 << 16))
        assert full.value.errno == errno.ENOSPC
        assert os.statvfs(folder).f_bavail == 0
        yield
    finally:
        os.close(fd)
        file.unlink()
