"""What is known of a pod from its latest probe, so that a prepared pod connects at once."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..pods.registry import Pod
from . import archive


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
        self._noise: list[str] = []
        self.fresh = False
        self.probe = self._read()

    @property
    def warnings(self) -> tuple[str, ...]:
        said = (self.probe or {}).get("warnings")
        return tuple(str(w) for w in said or ()) + tuple(self._noise)

    def warn(self, text: str) -> bool:
        """Add a warning; whether it is new."""
        if self._noise:
            return False
        self._noise.append(text)
        return True

    def learn(self, probe: dict[str, Any]) -> None:
        """Keep an answer (writes a file)."""
        self.probe = probe
        self.fresh = True
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".new")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as f:
            json.dump({**self._key, "probe": probe}, f)
        os.replace(temporary, self._path)

    def forget(self) -> None:
        """Ask again at the next connect."""
        self.probe = None
        self._path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        try:
            known = json.loads(self._path.read_text("utf-8"))
            if all(known.get(k) == v for k, v in self._key.items()):
                probe = known["probe"]
                return probe if isinstance(probe, dict) else None
        except (OSError, ValueError, KeyError, AttributeError):
            return None  # never asked, or not readable: it is asked again
        return None
