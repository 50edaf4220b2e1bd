"""Small private files: replaced atomically, damaged ones set aside."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["dump", "load", "private_folder", "read", "replace", "set_aside"]


def private_folder(path: Path) -> Path:
    """Make `path` if it is missing, and let nobody else in."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def replace(path: Path, data: bytes | str, *, sync: bool = False) -> None:
    """Replace `path` by a 0600 file with `data`: a reader sees the old or the new one.

    Parameters
    ----------
    sync : bool
        Also after a power cut, on file systems that would keep an empty file then.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(data)
            if sync:
                f.flush()
                os.fsync(f.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def dump(path: Path, value: dict[str, Any], *, sync: bool = False) -> None:
    """Replace `path` by `value` as JSON; see `replace`."""
    replace(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")), sync=sync)


def read(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty if it is missing, cannot be read or is damaged."""
    try:
        value = json.loads(path.read_text("utf-8", "surrogatepass"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def load(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty if it is missing, or damaged (then it is set aside).

    Never raises for what is in the file: one bad file must not stop anything.

    Raises
    ------
    OSError
        If it cannot be read now. What is in it may be good, so nobody may write it anew.
    """
    import logging  # the pod's commands, which begin often, do without it

    log = logging.getLogger(__name__)
    try:
        value = json.loads(path.read_text("utf-8", "surrogatepass"))
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as e:
        log.warning("%s is damaged (%s) and was set aside as %s", path, e, set_aside(path).name)
        return {}
    return value


def set_aside(path: Path) -> Path:
    """Rename a damaged file or folder to ``*.damaged-<time>``; the new path."""
    stem = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    target, number = path.with_name(stem), 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{stem}-{number}")
    os.rename(path, target)
    return target
