"""Small JSON files under the data folder: written atomically, damaged ones set aside."""

from __future__ import annotations

import json
import logging
import uuid
from pathlib import Path
from typing import Any

from ..client.paths import set_aside, write_atomic
from ..wire.records import is_id

log = logging.getLogger(__name__)


def load(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; empty when missing. A damaged file is set aside.

    Never raises for what is in the file: one bad file must not stop the daemon.
    """
    try:
        value = json.loads(path.read_bytes())
        if not isinstance(value, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError) as e:
        log.warning("%s is damaged (%s) and was set aside as %s", path, e, set_aside(path).name)
        return {}
    return value


def save(path: Path, value: dict[str, Any]) -> None:
    """Replace `path`. A full disk is logged, not raised: what is in memory stays true."""
    try:
        write_atomic(path, json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    except OSError as e:
        log.error("%s cannot be written: %s", path, e.strerror)


def laptop_id(folder: Path) -> str:
    """This laptop's id, 32 hex digits, minted once."""
    path = folder / "laptop.json"
    known = load(path).get("id")
    if not is_id(known):
        known = uuid.uuid4().hex
        save(path, {"id": known})
    return str(known)


class Wanted:
    """The pods that the user wants connected; a new daemon takes them up again.

    Attributes
    ----------
    pods : dict
        By name: whether it was connected since the user asked, so that a network which is
        not there is waited for.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "wanted.json"
        found = load(self._path).get("pods")
        self.pods = {str(k): bool(v) for k, v in found.items()} if isinstance(found, dict) else {}

    def add(self, name: str, reached: bool = False) -> None:
        """Pod `name` is wanted; `reached`: it is connected now."""
        if name not in self.pods or (reached and not self.pods[name]):
            self.pods[name] = reached
            save(self._path, {"pods": self.pods})

    def discard(self, name: str) -> None:
        """Pod `name` is not wanted any more."""
        if self.pods.pop(name, None) is not None:
            save(self._path, {"pods": self.pods})
