"""The journal: the numbered log of one kernel, as its keeper writes it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import files
from ..wire.log import MEMORY_BYTES, SEGMENT_BYTES, Log
from ..wire.reader import LogReader
from ..wire.records import MAX_RECORD, encode_record, keeper_record
from ..wire.segments import Segment

MAX_MESSAGE = MAX_RECORD - (16 << 20)
"""In bytes; the rest of a record is for its head."""


class Journal:
    """Numbers records and writes them in batches.

    Parameters
    ----------
    folder : Path
        The kernel's folder; segments lie in ``journal/`` below it.
    segment_bytes, memory_bytes : int
        As for `Log`.

    Attributes
    ----------
    dirty : bool
        A segment was closed, or a cell ended, since housekeeping last had nothing to do. Between
        these the log may be over its bound, by the segment that is written at most.
    identity : str
        32 hex digits minted with the journal: a cursor for another one means nothing here.
    """

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        memory_bytes: int = MEMORY_BYTES,
    ) -> None:
        self.dirty = False
        self.log = Log(
            folder / "journal",
            segment_bytes=segment_bytes,
            memory_bytes=memory_bytes,
            on_closed=self._segment_closed,
        )
        name = folder / "identity.json"
        known = files.read(name).get("identity")
        if not isinstance(known, str):
            known = uuid.uuid4().hex
            files.dump(name, {"identity": known})
        self.identity = known
        self._next = self.log.last + 1
        self._batch: list[bytes] = []

    def _segment_closed(self, segment: Segment) -> None:
        self.dirty = True

    @property
    def last(self) -> int:
        """The newest number given out (readers see it after `flush`)."""
        return self._next - 1

    @property
    def trouble(self) -> str | None:
        """What is no longer safe, in a sentence for the user; None when all is well."""
        if self.log.trouble is None:
            return None
        return (
            f"The pod's disk takes nothing ({self.log.trouble}). The cell goes on; what it "
            "says is kept in the pod's memory, as far as that reaches, and on the laptop: make "
            "room on the pod."
        )

    def add(self, head: dict[str, Any], parts: Sequence[bytes]) -> int:
        """Number a record and put it in the batch; its number.

        In the place of a message that no hop would take comes a gap.
        """
        size = sum(len(part) for part in parts)
        if size > MAX_MESSAGE:
            content = {"messages": 1, "bytes": size, "reason": "it was larger than a record may be"}
            head, parts = keeper_record("gap", content, execution=head.get("execution"))
        number = self._next
        self._batch.append(encode_record(number, number, {**head, "time": time.time()}, parts))
        self._next += 1
        return number

    def note(self, kind: str, content: dict[str, Any], **head: Any) -> int:
        """Add a record of the keeper's own; its number."""
        return self.add(*keeper_record(kind, {**content, "time": time.time()}, **head))

    def flush(self) -> None:
        """Write the batch: from here on it outlives this process."""
        if self._batch:
            data, count = b"".join(self._batch), len(self._batch)
            self._batch.clear()
            self.log.append(data, self._next - count, self._next - 1)
            if self.log.congested:
                self._drop()

    def reader(self, cursor: int) -> LogReader:
        return self.log.reader(cursor)

    def _drop(self) -> None:
        """The disk is full and the memory too: of the older half only our own records stay."""
        from ..wire.tidy import thin_out

        memory = self.log.memory
        items = [memory.take() for _ in range(max(1, len(memory) // 2))]
        rest = thin_out(b"".join(data for _, _, data in items), "the pod's disk is full")
        memory.put_back(items[0][0], items[-1][1], rest)
