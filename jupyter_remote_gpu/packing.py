"""Parts of our code as one archive of pure Python, named by its content's hash."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Archive", "pack"]

_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Archive:
    """The bytes of the archive and their SHA-256, in hex."""

    data: bytes
    sha256: str


def pack(files: Iterable[str], packages: Iterable[str], main: str | None = None) -> Archive:
    """The archive of these parts of the installed package; the same files give the same bytes.

    Parameters
    ----------
    files, packages : iterable of str
        Modules of the package, and its subpackages (without what is below them).
    main : str, optional
        What runs when the archive itself is run.
    """
    package = Path(__file__).resolve().parent
    names = list(files)
    for folder in packages:
        names += sorted(f"{folder}/{p.name}" for p in (package / folder).glob("*.py"))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            _put(archive, f"{package.name}/{name}", (package / name).read_text("utf-8"))
        if main is not None:
            _put(archive, "__main__.py", main)
    data = buffer.getvalue()
    return Archive(data, hashlib.sha256(data).hexdigest())


def _put(archive: zipfile.ZipFile, name: str, text: str) -> None:
    info = zipfile.ZipInfo(name, _LONG_AGO)
    info.external_attr = 0o644 << 16
    # Deflate only: its output is the same for one zlib, and it is unpacked in no time.
    archive.writestr(info, text, zipfile.ZIP_DEFLATED, 9)
