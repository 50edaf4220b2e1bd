"""Rewrites one closed segment of a log, in a process of its own: compacted, or thinned out.

It takes half a second of CPU a segment; in the keeper or the daemon it would make every
line wait. The owner of the log puts the new file in the old one's place.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..errors import WireError
from .compact import closed_comms, compact_segment
from .gaps import Gap
from .records import Record, decode_records

NICENESS = 15
DAMAGED, FAILED = 3, 1
"""How the child ends when the segment cannot be read, or the new one not be written (now)."""


def thin_out(data: bytes, reason: str, spared: Collection[str | None] = ()) -> bytes:
    """A segment without the messages of most executions.

    Each run of dropped records becomes one `gap` record that says how many messages and
    bytes are missing; the keeper's own records stay.

    Parameters
    ----------
    data : bytes
        The segment.
    reason : str
        What the gap says.
    spared : collection of (str or None)
        The executions whose messages stay; None: those which belong to none.

    Raises
    ------
    WireError
        If the segment is damaged.
    """
    pieces: list[bytes] = []
    gap: Gap | None = None
    for record in decode_records(data):
        goes = _may_go(record) and record.execution not in spared
        if gap is not None and not (goes and gap.execution == record.execution):
            pieces.append(gap.record(reason).encode())
            gap = None
        if not goes:
            pieces.append(record.encode())
            continue
        if gap is None:
            gap = Gap(record)
        gap.add(record)
    if gap is not None:
        pieces.append(gap.record(reason).encode())
    return b"".join(pieces)


def _may_go(record: Record) -> bool:
    if record.type == "input_request":
        return False  # it may wait for its answer, and is small
    if record.channel != "keeper" or record.type == "gap":
        return True
    return record.type == "superseded" and not closed_comms(record)


def tidy(spec: dict[str, Any]) -> None:
    """Write ``spec["target"]`` from ``spec["source"]``.

    Parameters
    ----------
    spec : dict
        ``source``, ``target`` (paths), ``spared`` (as for `thin_out`; None: compact), ``reason``.
    """
    data = Path(spec["source"]).read_bytes()
    spared = spec["spared"]
    if spared is None:
        result = compact_segment(data)
    else:
        result = thin_out(data, str(spec["reason"]), set(spared))
    fd = os.open(spec["target"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(result)


def main() -> int:
    """The child: what is to be done comes by standard input; its exit status."""
    os.nice(NICENESS)
    spec = json.load(sys.stdin)
    try:
        tidy(spec)
    except (WireError, OSError) as e:
        print(f"{spec['source']} cannot be rewritten: {e}", file=sys.stderr)
        return DAMAGED if isinstance(e, WireError) else FAILED
    return 0
