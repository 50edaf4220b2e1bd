"""What is known of a pod from its latest probe, so that a prepared pod connects at once."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from ..errors import plain
from ..files import dump, load, private_folder
from ..pods.registry import Pod
from . import archive

__all__ = ["KnownPod"]

MOST_WARNINGS = 20
MAX_WARNING = 500
log = logging.getLogger(__name__)


class KnownPod:
    """The answer of `probe`, kept in ``probes/<pod>.json``.

    Attributes
    ----------
    probe : dict or None
        None when the pod was never asked, or by another version of our code.
    fresh : bool
        It was asked by this process.
    """

    def __init__(self, folder: Path, pod: Pod) -> None:
        self._path = folder / "probes" / f"{pod.name}.json"
        self._key = {"code": archive.build().sha256, "address": pod.address, "python": pod.python}
        self._noise: str | None = None
        self._doubt: str | None = None
        self.fresh = False
        try:
            known = load(self._path)
        except OSError as e:  # asked anew: it is only what the pod said last time
            log.warning("%s cannot be read: %s", self._path, e.strerror)
            known = {}
        found = known.get("probe")
        same = all(known.get(k) == v for k, v in self._key.items())
        self.probe: dict[str, Any] | None = found if same and isinstance(found, dict) else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences for people about this pod."""
        said = (self.probe or {}).get("warnings")
        found = said[:MOST_WARNINGS] if isinstance(said, list) else []
        told = (*found, *(w for w in (self._noise, self._doubt) if w))
        return tuple(plain(str(w), MAX_WARNING, line=True) for w in told)

    def warn_of_noise(self, noise: str) -> bool:
        """The login shell printed `noise`, or nothing; whether that is news."""
        if bool(noise.strip()) is (self._noise is not None):
            return False
        self._noise = None
        if noise.strip():
            self._noise = (
                f"The pod's login shell prints text ({noise.strip()[:80]!r}) for every command. "
                "Cells run all the same, but file sync and scp will fail until it prints only in "
                "interactive shells (see ~/.bashrc there)."
            )
        return True

    def learn(self, probe: dict[str, Any]) -> None:
        """Keep an answer (writes a file)."""
        self.probe, self.fresh, self._doubt = probe, True, None
        try:
            private_folder(self._path.parent)
            dump(self._path, {**self._key, "probe": probe})
        except OSError as e:  # it is asked again by the next daemon
            log.warning("%s cannot be written: %s", self._path, e.strerror)

    def doubt(self, why: str) -> None:
        """The latest answer was an error: show it; the next connect asks again."""
        self._doubt = why
        self._path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Ask before the pod is connected: it may be another machine."""
        self.probe, self.fresh, self._doubt = None, False, None
        self._path.unlink(missing_ok=True)
