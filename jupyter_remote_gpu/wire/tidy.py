"""Rewrites one closed segment of a log, in a process of its own: compacted, or thinned out.

It takes half a second of CPU a segment; in the keeper or the daemon it would make every
line wait. The owner of the log puts the new file in the old one's place.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from .compact import Superseded, closed_comms, compact_segment
from .frames import FrameDecoder
from .records import Record, RecordAssembler, encode_record, keeper_record

ALL = "*"
"""Instead of execution ids: drop the messages of all."""


def thin_out(data: bytes, executions: Collection[str], reason: str) -> bytes:
    """A segment without the messages of some executions.

    Each run of dropped records becomes one `gap` record that says how many messages and
    bytes are missing; the keeper's own records stay.

    Parameters
    ----------
    data : bytes
        The segment.
    executions : collection of str
        Their ids, or `ALL` among them for everything.
    reason : str
        What the gap says.
    """
    pieces: list[bytes] = []
    gap: _Gap | None = None
    for record in _records(data):
        if not _goes(record, executions):
            if gap is not None:
                pieces.append(gap.encode(reason))
                gap = None
            pieces.append(encode_record(record.first, record.last, record.head, record.parts))
            continue
        if gap is not None and gap.execution != record.execution:
            pieces.append(gap.encode(reason))
            gap = None
        if gap is None:
            gap = _Gap(record)
        gap.add(record)
    if gap is not None:
        pieces.append(gap.encode(reason))
    return b"".join(pieces)


def _goes(record: Record, executions: Collection[str]) -> bool:
    if record.channel == "keeper" and (record.type != "gap" and not _is_plain_hole(record)):
        return False
    return ALL in executions or record.execution in executions


def _is_plain_hole(record: Record) -> bool:
    return record.type == "superseded" and not closed_comms(record)


class _Gap:
    def __init__(self, record: Record) -> None:
        self.execution = record.execution
        self._first = self._last = record.first
        self._messages = self._bytes = 0

    def add(self, record: Record) -> None:
        self._last = record.last
        if record.type == "gap" and record.channel == "keeper":
            earlier = record.content
            self._messages += int(earlier["messages"])
            self._bytes += int(earlier["bytes"])
        elif record.channel != "keeper":
            pieces = record.head.get("pieces")
            count = sum(1 for n in pieces if n) if isinstance(pieces, list) else 1
            self._messages += count
            self._bytes += sum(len(p) for p in record.parts)

    def encode(self, reason: str) -> bytes:
        if not self._messages:
            head, parts = keeper_record("superseded", {}, execution=self.execution)
        else:
            content = {"messages": self._messages, "bytes": self._bytes, "reason": reason}
            head, parts = keeper_record("gap", content, execution=self.execution)
        return encode_record(self._first, self._last, head, parts)


def _records(data: bytes) -> Iterator[Record]:
    assembler = RecordAssembler()
    for kind, payload in FrameDecoder(verify=True).feed(data):
        record = assembler.feed(kind, payload)
        if record is not None:
            yield record


def tidy(spec: dict[str, Any]) -> dict[str, Any]:
    """Write ``spec["target"]`` from ``spec["source"]``.

    Parameters
    ----------
    spec : dict
        ``source``, ``target`` (paths), ``executions`` (ids to drop; none: compact), ``reason``.

    Returns
    -------
    dict
        ``before`` and ``after``, in bytes.
    """
    source, target = Path(spec["source"]), Path(spec["target"])
    data = source.read_bytes()
    executions = spec.get("executions") or ()
    if executions:
        result = thin_out(data, set(executions), str(spec.get("reason")))
    else:
        result = compact_segment(data, Superseded())
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as f:
        f.write(result)
    return {"before": len(data), "after": len(result)}


if __name__ == "__main__":
    print(json.dumps(tidy(json.loads(sys.argv[1]))))
