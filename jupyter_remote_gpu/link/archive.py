"""Our code as the pod gets it: one archive of pure Python, named by its content's hash."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_FILES = ("__init__.py", "_version.py", "errors.py", "files.py", "models.py")
_PACKAGES = ("wire", "pod")
_MAIN = "from jupyter_remote_gpu.pod.__main__ import main\n\nmain()\n"
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Archive:
    """The bytes of the archive and their SHA-256, in hex."""

    data: bytes
    sha256: str


@lru_cache(maxsize=1)
def build() -> Archive:
    """The archive of the installed package; the same files give the same bytes."""
    package = Path(__file__).resolve().parents[1]
    names = list(_FILES)
    for folder in _PACKAGES:
        names += sorted(f"{folder}/{p.name}" for p in (package / folder).glob("*.py"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            _put(archive, f"{package.name}/{name}", (package / name).read_text("utf-8"))
        _put(archive, "__main__.py", _MAIN)
    data = buffer.getvalue()
    return Archive(data, hashlib.sha256(data).hexdigest())


def _put(archive: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.external_attr = 0o644 << 16
    # Deflate only: its output is the same for one zlib, and the pod unpacks it in no time.
    archive.writestr(info, text, zipfile.ZIP_DEFLATED, 9)
