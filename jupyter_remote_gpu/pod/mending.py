"""A journal with damaged segments is made readable again: what is lost becomes a gap.

After a power loss a file may end in zeros; a user who makes room may delete one. What
can be read stays, the damaged file is set aside, and a `gap` record says what is missing.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

from .. import files
from ..wire.segments import mended, segments_in

REASON = "the journal's file on the pod was damaged"


def mend(folder: Path) -> None:
    """Mend the segment files in `folder`, which nobody writes.

    Raises
    ------
    OSError
        If the disk does not let it: all is then as it was.
    """
    for path in sorted(folder.glob("*.seg")):
        if not path.stem.isdecimal():
            _say(path, files.set_aside(path))
    # The newest one is not mended here: its damaged end is cut off when it is opened.
    for segment, following in pairwise(segments_in(folder)):
        data = mended(segment.path, segment.first, following.first, REASON)
        if data is not None:
            _replace(segment.path, data)


def _replace(path: Path, data: bytes) -> None:
    new = path.with_suffix(".mended")
    files.replace(new, data)
    # Killed between these two, the next call finds a missing file: a gap as well.
    if path.exists():
        _say(path, files.set_aside(path))
    new.replace(path)


def _say(path: Path, aside: Path) -> None:
    print(f"{path} is damaged and was set aside as {aside.name}", file=sys.stderr)
