"""Our code as the pod gets it."""

from __future__ import annotations

from functools import lru_cache

from ..packing import Archive, pack

__all__ = ["Archive", "build"]

_FILES = ("__init__.py", "_version.py", "errors.py", "files.py", "models.py")
_PACKAGES = ("wire", "pod")
_MAIN = "from jupyter_remote_gpu.pod.__main__ import main\n\nmain()\n"


@lru_cache(maxsize=1)
def build() -> Archive:
    """The archive of the installed package."""
    return pack(_FILES, _PACKAGES, _MAIN)
