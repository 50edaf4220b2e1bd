"""A notebook's file: read as it is, and replaced whole."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nbformat import from_dict
from nbformat.v4 import to_notebook_json, writes_json
from nbformat.validator import iter_validate

from ..errors import Conflict, NotFound, RemoteGPUError

__all__ = ["SavedNotebook", "trouble"]


class SavedNotebook:
    """A notebook of nbformat 4, as it lies on the disk now.

    Parameters
    ----------
    path : str
        A link is followed: its target is what `replace` replaces.

    Attributes
    ----------
    file : Path
        The file itself.
    notebook : dict
    time : float
        When it was saved.

    Raises
    ------
    RemoteGPUError
        If there is none, or it cannot be used; what to do then.
    """

    def __init__(self, path: str) -> None:
        self.file = Path(os.path.realpath(path))
        self._data = _read(self.file)
        self.time = os.stat(self.file).st_mtime
        self.notebook = _parsed(self.file, self._data)

    def replace(self, notebook: Mapping[str, Any]) -> None:
        """Write `notebook` in its place, in the form in which Jupyter saves it.

        Raises
        ------
        Conflict
            If the file is not any more what was read.
        RemoteGPUError
            If it cannot be written.
        """
        text: str = writes_json(from_dict(notebook)) + "\n"  # type: ignore[no-untyped-call]
        # A lone half of a character has no UTF-8; within JSON its escape is the same.
        data = text.encode("utf-8", "backslashreplace")
        try:
            self._replace(data)
        except OSError as e:
            raise RemoteGPUError(
                f"{self.file} cannot be written: {e.strerror or e}. It is as it was."
            ) from e

    def _replace(self, data: bytes) -> None:
        before = os.stat(self.file)
        if not os.access(self.file, os.W_OK):
            raise RemoteGPUError(f"{self.file} is read-only (`chmod u+w` makes it writable).")
        fd, name = tempfile.mkstemp(prefix=".remote-gpu-", suffix=".new", dir=self.file.parent)
        try:
            with os.fdopen(fd, "wb") as f:
                f.write(data)
                f.flush()
                os.fchmod(fd, stat.S_IMODE(before.st_mode))
                with contextlib.suppress(PermissionError):  # only root may give a file away
                    os.fchown(fd, before.st_uid, before.st_gid)
                os.fsync(fd)
            if _read(self.file) != self._data:
                raise Conflict(
                    f"{self.file} was changed meanwhile, so nothing was written. Run this again."
                )
            os.replace(name, self.file)
        except BaseException:
            os.unlink(name)
            raise


def trouble(notebook: Mapping[str, Any], *, strict: bool = False) -> str | None:
    """What keeps `notebook` from being one of nbformat 4; None if nothing does.

    Without ids, with two of a kind and with fields of others it is one: files are so.

    Parameters
    ----------
    strict : bool
        As nbformat 4.4 has it, and no more than that.
    """
    errors = iter_validate(  # type: ignore[no-untyped-call]
        notebook, version=4, version_minor=4, relax_add_props=not strict
    )
    for error in errors:
        return str(error).strip().splitlines()[0][:300]
    return None


def _read(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise RemoteGPUError(f"{path} is not a file: name a notebook (.ipynb).")
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no {path}. Name the notebook's file, saved once.") from None
    except OSError as e:
        raise RemoteGPUError(f"{path} cannot be read: {e.strerror or e}.") from e


def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as e:
        raise RemoteGPUError(
            f"{path} is not a notebook, or is damaged: {str(e)[:200]}. Nothing was written."
        ) from e
    version = value.get("nbformat") if isinstance(value, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise RemoteGPUError(f"{path} is not a notebook: it does not say its nbformat.")
    if version != 4:
        hint = (
            "Open it in JupyterLab and save it, which converts it."
            if version < 4
            else "Only 4 is known here: upgrade this package."
        )
        raise RemoteGPUError(f"{path} is of notebook format {version}. {hint}")
    try:
        notebook: dict[str, Any] = to_notebook_json(value)  # type: ignore[no-untyped-call]
        why = trouble(notebook)
    except (AttributeError, KeyError, TypeError) as e:  # nbformat's reader, of what is no notebook
        why = f"{type(e).__name__}: {e}"
    if why is not None:
        raise RemoteGPUError(
            f"{path} is a damaged notebook: {why}. Mend it (JupyterLab says more when it opens it)."
        )
    return notebook
