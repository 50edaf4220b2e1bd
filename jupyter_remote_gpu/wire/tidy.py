"""Rewrites one closed segment of a log, in a process of its own: compacted, or thinned out.

It takes half a second of CPU a segment; in the keeper or the daemon it would make every
line wait. The owner of the log puts the new file in the old one's place.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Collection, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ..errors import WireError
from .compact import closed_comms, compact_segment
from .frames import BEGIN, END, HEAD, MIDDLE, WHOLE, FrameDecoder
from .gaps import Gap
from .records import Record, decode_head, decode_record

CHUNK = 1 << 20
NICENESS = 15
DAMAGED, FAILED = 3, 1
"""How the child ends when the segment cannot be read, or the new one not be written (now)."""


def thin_out(data: bytes, reason: str, spared: Collection[str | None] = ()) -> bytes:
    """`thinned` for what is in memory."""
    return b"".join(thinned([data], reason, spared))


def thinned(
    data: Iterable[bytes], reason: str, spared: Collection[str | None] = ()
) -> Iterator[bytes]:
    """A segment without the messages of most executions.

    Each run of dropped records becomes one `gap` record that says how many messages and
    bytes are missing; the keeper's own records stay. What stays is copied frame by frame, and
    of a large message that goes only the head is read: it takes no memory.

    Parameters
    ----------
    data : iterable of bytes
        The segment, in pieces of any size.
    reason : str
        What the gap says.
    spared : collection of (str or None)
        The executions whose messages stay; None: those which belong to none.

    Raises
    ------
    WireError
        If the segment is damaged.
    """
    gap: Gap | None = None
    for record, size, frames in _records(data):
        goes = _may_go(record) and record.execution not in spared
        if gap is not None and not (goes and gap.execution == record.execution):
            yield gap.record(reason).encode()
            gap = None
        for frame in frames:
            if not goes:
                yield frame
        if goes:
            gap = gap or Gap(record)
            gap.add(record, size)
    if gap is not None:
        yield gap.record(reason).encode()


def _records(
    data: Iterable[bytes],
) -> Iterator[tuple[Record, int | None, Iterable[bytes]]]:
    """Each record with its frames, which must be taken before the next one.

    Of a large message the record has no parts; it is followed by their size.
    """
    frames = _frames(data)
    for kind, raw in frames:
        if kind == BEGIN:
            record = decode_head(raw[HEAD.size :])
            rest = _rest_of_record(frames)
            if record is not None and not (_is_counted(record) or "pieces" in record.head):
                yield record, sum(record.head["parts"]), chain([raw], rest)
                continue
            pieces = [raw, *rest]
        elif kind == WHOLE:
            pieces = [raw]
        else:
            raise WireError("the frames of a record are out of order")
        yield decode_record(b"".join(p[HEAD.size :] for p in pieces)), None, pieces


def _frames(data: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    decoder = FrameDecoder(verify=True)
    for piece in data:
        yield from decoder.feed_raw(piece)
    if decoder.pending:
        raise WireError("the segment ends inside a frame")


def _rest_of_record(frames: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    for kind, raw in frames:
        if kind not in (MIDDLE, END):
            break
        yield raw
        if kind == END:
            return
    raise WireError("the frames of a record are out of order")


def _is_counted(record: Record) -> bool:
    """Whether it is one of those records of the keeper's whose content says how it is dropped."""
    return record.channel == "keeper" and record.type in ("gap", "superseded")


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
    spared = spec["spared"]
    fd = os.open(spec["target"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as target, open(spec["source"], "rb") as source:
        if spared is None:
            target.write(compact_segment(source.read()))
        else:
            pieces = iter(lambda: source.read(CHUNK), b"")
            target.writelines(thinned(pieces, str(spec["reason"]), set(spared)))


def main() -> int:
    """The child: what is to be done comes by standard input; its exit status."""
    os.nice(NICENESS)
    with contextlib.suppress(OSError):
        # Where memory is short the kernel is not the one to go for our tidiness.
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    spec = json.load(sys.stdin)
    try:
        tidy(spec)
    except (WireError, OSError) as e:
        print(f"{spec['source']} cannot be rewritten: {e}", file=sys.stderr)
        return DAMAGED if isinstance(e, WireError) else FAILED
    return 0
