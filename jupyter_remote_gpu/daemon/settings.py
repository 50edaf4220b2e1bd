"""What a user may change, in ``settings.json`` in the data folder."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, fields
from pathlib import Path

from . import store
from .bounded import number

LEAST_BYTES = 64 << 20
"""Of a disk that is nearly full: what does not fit waits on the pod."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """Bounds and times.

    Attributes
    ----------
    journal_bytes : int or None
        How large the journal of a kernel may become on the pod; None: 2 GiB, or a tenth of
        the free disk if that is less. Counts for kernels that are started from then on.
    mirror_bytes : int or None
        The same for the copy on the laptop. What is copied already is not given up by default
        because the disk has filled since.
    mirror_days : float
        After so long the copy of a kernel that ended, or whose pod was removed, is dropped.
    kernel_idle_seconds : float or None
        After so long without work and without a face a kernel on the pod ends; None: 24 h.
        Counts for kernels that are started from then on.
    idle_seconds : float
        After so long without a face and without a wanted pod the daemon ends.
    """

    journal_bytes: int | None = None
    mirror_bytes: int | None = None
    mirror_days: float = 14.0
    kernel_idle_seconds: float | None = None
    idle_seconds: float = 60.0

    def mirror_bound(self, folder: Path, size: int = 0) -> int:
        """How large a mirror in `folder` may become, in bytes; it has `size` of them."""
        if self.mirror_bytes is not None:
            return self.mirror_bytes
        room = max(shutil.disk_usage(folder).free // 10, LEAST_BYTES, size)
        return min(2 << 30, room)

    @property
    def limits(self) -> dict[str, float]:
        """What a keeper is told; what is left out has the keeper's own default."""
        told = {"journal_bytes": self.journal_bytes, "idle_seconds": self.kernel_idle_seconds}
        return {name: value for name, value in told.items() if value is not None}


def load(folder: Path) -> Settings:
    """The settings in `folder`; what is missing or makes no sense has its default."""
    known = {}
    found = store.load(folder / "settings.json")
    for field in fields(Settings):
        given = found.pop(field.name, None)
        value = number(given)
        if value is not None and value > 0:
            known[field.name] = int(value) if field.name.endswith("bytes") else value
        elif given is not None:
            log.warning("settings.json: %s cannot be %.80r; its default is used", field.name, given)
    for name in found:
        log.warning("settings.json: there is no setting %r", name)
    return Settings(**known)  # type: ignore[arg-type]
