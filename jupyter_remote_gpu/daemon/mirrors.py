"""The mirrors that earlier daemons left: taken up, or set aside."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

from ..files import set_aside
from ..wire.records import is_id
from .mirror import Mirror

log = logging.getLogger(__name__)


def load_mirrors(folder: Path, bound: Callable[[Path, int], int]) -> list[Mirror]:
    """All mirrors in `folder`; one that is damaged is set aside and logged (blocks).

    Parameters
    ----------
    bound : callable
        How large a mirror may become, given a folder on the same disk and its size now.
    """
    mirrors = []
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(folder.iterdir()):
        if not is_id(path.name) or not path.is_dir():
            continue
        try:
            mirror = Mirror(path, bound(folder, _size(path / "log")))
        except OSError as e:
            # What is in it may be good: too many open files, or a disk that is not there.
            log.error("the mirror %s cannot be read now: %s", path, e)
            continue
        except Exception as e:  # one bad mirror must not stop the others
            log.exception("the mirror %s cannot be used", path)
            _set_aside(path, str(e))
            continue
        if not mirror.info and not mirror.last:
            mirror.close()  # a daemon was killed just as it made it
            shutil.rmtree(path, ignore_errors=True)
        elif not mirror.pod or (mirror.last and mirror.identity is None):
            mirror.close()
            _set_aside(path, "nobody knows whose it is")
        else:
            mirrors.append(mirror)
    return mirrors


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file())


def _set_aside(path: Path, why: str) -> None:
    try:
        log.error("the mirror %s (%s) is set aside as %s", path, why, set_aside(path))
    except OSError as e:
        log.error("the mirror %s (%s) cannot be set aside: %s", path, why, e)
