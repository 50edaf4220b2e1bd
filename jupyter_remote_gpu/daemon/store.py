"""What the daemon keeps in small files under the data folder."""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from typing import Any

from ..files import dump, load
from ..wire.records import is_id

__all__ = ["Wanted", "laptop_id", "load", "save"]

log = logging.getLogger(__name__)


def save(path: Path, value: dict[str, Any], *, sync: bool = False) -> bool:
    """Replace `path`. A full disk is logged, not raised: what is in memory stays true.

    Parameters
    ----------
    sync : bool
        Survive a power cut: for what cannot be had again.

    Returns
    -------
    bool
        Whether it is on disk.
    """
    try:
        dump(path, value, sync=sync)
    except OSError as e:
        log.error("%s cannot be written: %s", path, e.strerror)
        return False
    return True


def laptop_id(folder: Path) -> str:
    """This laptop's id, 32 hex digits, minted once."""
    path = folder / "laptop.json"
    known = load(path).get("id")
    if not is_id(known):
        known = uuid.uuid4().hex
        save(path, {"id": known}, sync=True)
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
            save(self._path, {"pods": self.pods}, sync=True)

    def discard(self, name: str) -> None:
        """Pod `name` is not wanted any more."""
        if self.pods.pop(name, None) is not None:
            save(self._path, {"pods": self.pods}, sync=True)
