"""A journal with damaged segments is made readable again: what is lost becomes a gap.

After a power loss a file may end in zeros; a user who makes room may delete one. What
can be read stays, the damaged file is set aside, and a `gap` record says what is missing.
"""

from __future__ import annotations

import os
import sys
from itertools import pairwise
from pathlib import Path

from .. import files
from ..wire.reader import scan_segment
from ..wire.records import encode_record, keeper_record


def mend(folder: Path) -> None:
    """Mend the segment files in `folder`, which nobody writes.

    Raises
    ------
    OSError
        If the disk does not let it: all is then as it was.
    """
    numbers = []
    for path in sorted(folder.glob("*.seg")):
        if path.stem.isdecimal():
            numbers.append(int(path.stem))
        else:
            _say(path, files.set_aside(path))
    if numbers and numbers[0] != 1:
        files.replace(_path(folder, 1), _gap(1, numbers[0] - 1, 0))
    # The newest one is not among these: its damaged end is cut off when it is opened.
    for first, following in pairwise(numbers):
        _mend_segment(_path(folder, first), first, following)


def _mend_segment(path: Path, first: int, following: int) -> None:
    size = path.stat().st_size
    good, last = _readable(path)
    if last >= following:
        good = last = 0
    last = last or first - 1
    if good == size and last == following - 1:
        return
    rest = b"" if last == following - 1 else _gap(last + 1, following - 1, size - good)
    kept = b""
    if good:
        with open(path, "rb") as f:
            kept = f.read(good)
    new = path.with_suffix(".mended")
    files.replace(new, kept + rest)
    # Killed between these two, the next call finds a missing file: a gap as well.
    _say(path, files.set_aside(path))
    os.replace(new, path)


def _readable(path: Path) -> tuple[int, int]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0, 0
    try:
        return scan_segment(fd)
    except OSError:  # a bad block
        return 0, 0
    finally:
        os.close(fd)


def _gap(first: int, last: int, size: int) -> bytes:
    content = {
        "messages": last - first + 1,
        "bytes": size,
        "reason": "the journal's file on the pod was damaged",
    }
    return encode_record(first, last, *keeper_record("gap", content))


def _path(folder: Path, first: int) -> Path:
    return folder / f"{first:020d}.seg"


def _say(path: Path, aside: Path) -> None:
    print(f"{path} is damaged and was set aside as {aside.name}", file=sys.stderr)
