"""The mirrors that earlier daemons left: taken up, or set aside."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from ..files import set_aside
from ..wire.records import is_id
from .mirror import Mirror

Bound = Callable[[Path, int], int]
"""How large a mirror may become, given a folder on the same disk and its size now."""
log = logging.getLogger(__name__)


def load_mirrors(folder: Path, bound: Bound) -> tuple[list[Mirror], dict[str, OSError]]:
    """All mirrors in `folder`, and by kernel why the others cannot be read now (blocks)."""
    mirrors: list[Mirror] = []
    unread: dict[str, OSError] = {}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(folder.iterdir()):
        if not is_id(path.name) or not path.is_dir():
            continue
        try:
            mirror = load_mirror(path, bound)
        except OSError as e:
            # What is in it may be good: too many open files, or a disk that is not there.
            log.error("the mirror %s cannot be read now: %s", path, e)
            unread[path.name] = e
            continue
        if mirror is not None:
            mirrors.append(mirror)
    return mirrors, unread


def load_mirror(path: Path, bound: Bound) -> Mirror | None:
    """The mirror in `path`; what is damaged is set aside and logged (blocks).

    Returns
    -------
    Mirror or None
        None if nobody knows whose it is, or nothing is in it.

    Raises
    ------
    OSError
        If it cannot be read now.
    """
    try:
        mirror = Mirror(path, bound(path.parent, _size(path / "log")))
    except OSError:
        raise
    except Exception as e:  # one bad mirror must not stop the others
        log.exception("the mirror %s cannot be used", path)
        return _emptied(path, bound, str(e))
    if not mirror.info and not mirror.last:
        mirror.close()  # a daemon was killed just as it made it
        shutil.rmtree(path, ignore_errors=True)
    elif not mirror.pod or (mirror.last and mirror.identity is None):
        mirror.close()
        _set_aside(path, "nobody knows whose it is")
    else:
        return mirror
    return None


def _emptied(path: Path, bound: Bound, why: str) -> Mirror | None:
    """The same kernel's mirror without its records: they come again from the pod.

    Were the kernel's name set aside too, its notebook would get another kernel without a word.
    """
    for part in (path / "log", path / "executions.json"):
        if part.exists():
            log.error("%s of a mirror (%s) is set aside as %s", part, why, set_aside(part))
    mirror = Mirror(path, bound(path.parent, 0))
    if mirror.pod and mirror.identity is not None:
        log.warning("kernel %s: all that it said is fetched again from %s", path.name, mirror.pod)
        return mirror
    mirror.close()
    _set_aside(path, "nobody knows whose it is")
    return None


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file())


def _set_aside(path: Path, why: str) -> None:
    try:
        log.error("%s of a mirror (%s) is set aside as %s", path, why, set_aside(path))
    except OSError as e:
        log.error("%s of a mirror (%s) cannot be set aside: %s", path, why, e)
