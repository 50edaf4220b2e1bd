"""Small private files of the pods: replaced atomically, damaged ones set aside."""

from __future__ import annotations

import json
import logging
import os
import time
from pathlib import Path
from typing import Any

__all__ = ["load", "private_folder", "replace", "save", "set_aside"]

log = logging.getLogger(__name__)


def private_folder(path: Path) -> Path:
    """Make `path` if it is missing, and let nobody else in."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


def replace(path: Path, data: bytes) -> None:
    """Replace `path` by a 0600 file with `data`: a reader sees the old or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def set_aside(path: Path) -> Path:
    """Rename a damaged file to ``*.damaged-<time>``; the new path."""
    stem = f"{path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S')}"
    target, number = path.with_name(stem), 1
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{stem}-{number}")
    os.rename(path, target)
    return target


def load(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty if it is missing, or damaged (then it is set aside)."""
    try:
        value = json.loads(path.read_bytes())
        if isinstance(value, dict):
            return value
    except FileNotFoundError:
        return {}
    except OSError as e:
        log.error("%s cannot be read: %s", path, e.strerror)
        return {}
    except ValueError:
        pass  # the sentence is below
    log.error("%s was damaged and is now %s; we begin without it", path, set_aside(path).name)
    return {}


def save(path: Path, value: dict[str, Any]) -> None:
    """Replace `path` by `value` as JSON."""
    private_folder(path.parent)
    replace(path, json.dumps(value).encode())
