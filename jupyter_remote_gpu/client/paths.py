"""Where things lie on the laptop: the data folder and the daemon's socket."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Any

from ..errors import DaemonError
from ..files import read

__all__ = ["data_folder", "recorded_daemon", "socket_path"]

MAX_SOCKET_PATH = 100
"""Bytes; macOS allows 104 and Linux 108, both with a closing zero byte."""


def data_folder() -> Path:
    """``<Jupyter data folder>/remote-gpu``, made 0700; ``JUPYTER_DATA_DIR`` moves it.

    Raises
    ------
    DaemonError
        If it cannot be made, or belongs to somebody else.
    """
    from jupyter_core.paths import jupyter_data_dir

    folder = Path(os.path.abspath(jupyter_data_dir())) / "remote-gpu"
    _private_folder(folder, parents=True)
    return folder


def socket_path(*, make: bool = False) -> Path:
    """The daemon's socket for this data folder.

    It lies in a folder of this machine, so its name need not tell the machine (whose own
    name changes when a laptop changes networks).

    Parameters
    ----------
    make : bool
        Make the socket's folder if it is missing.

    Raises
    ------
    DaemonError
        If the folder belongs to somebody else or others may enter it.
    """
    key = os.fsencode(data_folder())
    name = hashlib.sha256(key).hexdigest()[:8] + ".sock"
    for base in (os.environ.get("XDG_RUNTIME_DIR"), "/tmp"):
        # A relative XDG_RUNTIME_DIR is to be ignored, says its specification.
        if not base or not os.path.isabs(base) or not os.path.isdir(base):
            continue
        path = Path(base) / f"jrg-{os.getuid()}" / name
        if len(os.fsencode(path)) <= MAX_SOCKET_PATH:
            check_socket_folder(path.parent, make=make)
            return path
    raise DaemonError(
        "There is no place for the daemon's socket: neither XDG_RUNTIME_DIR nor /tmp is a "
        f"folder with a path short enough (at most {MAX_SOCKET_PATH} bytes). "
        "Set XDG_RUNTIME_DIR to a short path that belongs to you."
    )


def check_socket_folder(folder: Path, *, make: bool) -> None:
    """Raise `DaemonError` unless `folder` is ours alone (or missing, without `make`)."""
    if make or os.path.lexists(folder):
        _private_folder(folder, parents=False)


def recorded_daemon() -> dict[str, Any]:
    """What the last daemon wrote down: ``pid``, ``socket``, ``python``, ``root``.

    A face whose ``XDG_RUNTIME_DIR`` differs from the daemon's finds it by this.
    """
    return read(data_folder() / "daemon.json")


def _private_folder(folder: Path, *, parents: bool) -> None:
    try:
        folder.mkdir(mode=0o700, parents=parents, exist_ok=True)
        # The data folder may be a link to a larger disk; in /tmp a link is somebody's trap.
        found = os.stat(folder) if parents else os.lstat(folder)
    except OSError as e:
        raise DaemonError(f"The folder {folder} cannot be made: {e.strerror}.") from e
    if not stat.S_ISDIR(found.st_mode):
        raise DaemonError(f"{folder} is not a folder. Remove it, it is in the way.")
    if found.st_uid != os.getuid():
        raise DaemonError(
            f"The folder {folder} belongs to user {found.st_uid}, not to you "
            f"({os.getuid()}). Have it removed, or set JUPYTER_DATA_DIR or XDG_RUNTIME_DIR "
            "to a folder of your own."
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise DaemonError(
            f"Others may enter the folder {folder} (mode {stat.S_IMODE(found.st_mode):o}). "
            f"Look at what is in it, then run: chmod 700 {folder}"
        )
