"""The magics for kernels in whose environment the package is not installed."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path

from ..client.paths import data_folder
from ..errors import DaemonError
from ..files import private_folder, replace
from ..packing import pack

__all__ = ["load_code"]

_FILES = ("__init__.py", "_version.py", "errors.py", "files.py", "models.py")
_PACKAGES = ("wire", "client", "magic")
_LOAD = "get_ipython().extension_manager.load_extension('jupyter_remote_gpu')"
_build = lru_cache(maxsize=1)(lambda: pack(_FILES, _PACKAGES))
log = logging.getLogger(__name__)


def load_code() -> str:
    """What a front end sends silently before a cell that needs the magics (blocks).

    It leaves no name behind, and is quick where they are loaded. Where the package cannot be
    imported the archive goes to the end of ``sys.path``: it holds the kernel's side and nothing
    else of this environment.
    """
    try:
        path = _archive()
    except (DaemonError, OSError) as e:
        log.warning("kernels without the package cannot have the magics: %s", e)
        return _LOAD
    return (
        "__import__('importlib.util').util.find_spec('jupyter_remote_gpu') or "
        f"__import__('sys').path.append({str(path)!r})\n{_LOAD}"
    )


def _archive() -> Path:
    archive = _build()
    folder = private_folder(data_folder() / "magics")
    path = folder / f"{archive.sha256}.zip"
    # Its name tells what is in it, but not whether somebody has changed that since.
    if not path.is_file() or path.read_bytes() != archive.data:
        replace(path, archive.data)
    return path
