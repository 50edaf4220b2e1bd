"""The laptop's copy of one kernel's journal, and what is known about that kernel."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import WireError
from ..wire.frames import BEGIN, HEAD, WHOLE
from ..wire.log import RETRY_SECONDS, SEGMENT_BYTES, Log
from ..wire.reader import LogReader
from ..wire.records import RANGE, check_id, frame_range, is_id
from ..wire.rest import rest_of
from ..wire.retention import Retention, Task, segment_bytes
from ..wire.segments import Segment
from . import store
from .executions import Executions

BOUND_BYTES = 2 << 30
CHECKPOINT_BYTES = 16 << 20
"""After so many bytes the fold of executions is written down again."""
_GOOD_HEAD = re.compile(
    rb'\{"channel":"[a-z]+","type":"[a-z_]+","class":"[a-z]+",'
    rb'"execution":(?:null|"[0-9a-f]{32}"),"client":(?:null|"[0-9a-f]{32}")'
    rb'(?:,"(?:time|pieces|parts)":[-+0-9.e,\[\]]+)*\}'
)
"""As a keeper spells it; a head in another spelling is parsed, which takes four times as long."""
log = logging.getLogger(__name__)


class Mirror:
    """One kernel's log on the laptop; survives pod, link and daemon.

    Parameters
    ----------
    folder : Path
        ``mirrors/<kernel id>``; opening it reads the newest segment, so do it in a thread.
    bound : int
        Bytes that the log may take before the output of old cells makes room.

    Attributes
    ----------
    info : dict
        ``pod``, ``identity`` (None until the pod told), ``display_name``, ``started``, ``cwd``,
        ``notebook``, ``start`` (what the pod was asked to start).
    watchers : set of callables
        Called after each append, in the loop; they must be quick.
    retention : Retention
        Says what is to be rewritten.
    closed_bytes : int
        In segments that were closed since housekeeping last had nothing to do.
    on_closed : callable
        Called when there is something for housekeeping.
    """

    def __init__(self, folder: Path, bound: int = BOUND_BYTES) -> None:
        self.folder = folder
        self.id = folder.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.info: dict[str, Any] = store.load(folder / "kernel.json")
        self.watchers: set[Callable[[], None]] = set()
        self.log = Log(
            folder / "log",
            segment_bytes=segment_bytes(bound, SEGMENT_BYTES),
            on_closed=self._segment_closed,
        )
        self.bound = bound
        self.closed = False
        self.closed_bytes = 0
        self.on_closed: Callable[[], None] = lambda: None
        self._unsaved = 0
        self._unnoted = False
        self._partial = False
        executions = Executions.load(self.checkpoint, self.identity, self.log.last)
        try:
            executions.catch_up(self.log)
        except WireError as e:
            # What is behind the damage is folded when it can be read again.
            log.warning("the mirror %s is damaged: %s", folder, e)
        self.take(executions)

    @property
    def checkpoint(self) -> Path:
        """Where the fold of executions is written down."""
        return self.folder / "executions.json"

    def take(self, executions: Executions) -> None:
        """Use a fold of the log, and see to its retention anew."""
        self.executions = executions
        self.closed_bytes = 0
        self.retention = Retention(self.log, self.bound)
        self._retained: set[str] = set()
        for info in self.executions.all.values():
            self.retention.began(info.id, info.first)
            if info.id in self.executions.open:
                self._retained.add(info.id)
            else:
                self.retention.ended(info.id)
        for segment in self.log.segments[:-1]:
            if segment.first in self.executions.compacted:
                self.retention.done(Task(segment))
            else:
                self.closed_bytes += segment.size

    # -- what is damaged

    @property
    def cursor(self) -> int:
        """What the pod is asked to go on from: the end, or where the damage begins."""
        return self.last if self.log.damage is None else self.log.damage - 1

    def damaged(self) -> Segment | None:
        """The segment that cannot be read; it is closed."""
        segment = None if self.log.damage is None else self.log.segment_with(self.log.damage)
        if segment is not None and segment is self.log.segments[-1]:
            self.log.close_segment()
        return segment

    def drop_damaged(self) -> None:
        """Drop it and all that follows: it is appended again; see `Log.cut`."""
        self.rollback()
        self.log.cut(self.cursor + 1)
        compacted = self.executions.compacted
        self.executions.compacted = {first for first in compacted if first <= self.last}
        self.take(self.executions)

    # -- housekeeping

    def rewritten(self, task: Task, done: bool) -> None:
        """Housekeeping is through with `task`; not `done`: it failed, and may be tried again."""
        if not done:
            self.retention.failed(task)
        else:
            self.retention.done(task)
            if self.retention.is_compacted(task.segment):
                self.executions.compacted.add(task.segment.first)
            self._unsaved = max(1, self._unsaved)

    def _segment_closed(self, segment: Segment) -> None:
        self.closed_bytes += segment.size
        self.on_closed()

    def _retain(self) -> None:
        """Tell retention which executions have begun and ended."""
        folded = self.executions
        for name in [n for n in folded.open if n not in self._retained]:
            self.retention.began(name, folded.open[name].first)
            self._retained.add(name)
        for name in [n for n in self._retained if n not in folded.open]:
            self.retention.ended(name)
            self._retained.discard(name)
        if self.closed_bytes and not folded.open:
            self.on_closed()

    @property
    def identity(self) -> str | None:
        value = self.info.get("identity")
        return value if is_id(value) else None

    @property
    def pod(self) -> str:
        return str(self.info.get("pod", ""))

    @property
    def last(self) -> int:
        """Number of the newest whole record."""
        return self.log.last

    @property
    def finished(self) -> bool:
        """The kernel is gone and all that it said is here."""
        return self.executions.died is not None and not self.executions.open

    def note(self, **info: Any) -> None:
        """Change what is known about the kernel, on disk; also what was not written before."""
        if self._unnoted or any(self.info.get(k, ...) != v for k, v in info.items()):
            self.info.update(info)
            # Without it nobody knows whose the records are, which are written when there is room.
            self._unnoted = not store.save(self.folder / "kernel.json", self.info, sync=True)

    # -- writing: the bytes of the journal, as they come

    def append(self, frames: list[tuple[int, bytes]]) -> bool:
        """Copy record frames; whether an execution or the kernel changed by them.

        Runs of whole records are written at once. What came before a bad record stays; of
        the bad one nothing is written or folded, so that it is asked for again.

        Raises
        ------
        WireError
            If they do not continue the log, or are not of the protocol.
        """
        before = self.log.last
        told = False
        run: list[bytes] = []
        first = last = 0
        try:
            for kind, raw in frames:
                if kind in (WHOLE, BEGIN):
                    if self._partial:
                        raise WireError("a record begins inside another one")
                    _check_ids(raw)
                if kind != WHOLE:
                    self._write(run, first, last)
                    run = []
                    told = self.executions.feed(kind, raw) or told
                    self._partial = not self.log.append_frame(kind, raw)
                    continue
                a, b = frame_range(raw)
                expected = (last if run else self.log.last) + 1
                if not a <= expected <= b:
                    raise WireError(f"record {a}..{b} does not follow {expected - 1}")
                if a < expected:
                    # The journal was compacted across our cursor: only the rest is new.
                    raw, a = rest_of(raw, expected - 1), expected
                told = self.executions.feed(kind, raw) or told
                first, last = (first if run else a), b
                run.append(raw)
        finally:
            self._write(run, first, last)
            self._unsaved += sum(len(raw) for _, raw in frames)
            if self._unsaved > CHECKPOINT_BYTES:
                self.save()
            if told:
                self._retain()
                self.note()
            if self.log.last != before:
                self.wake()
        return told

    def _write(self, run: list[bytes], first: int, last: int) -> None:
        if run:
            self.log.append(b"".join(run), first, last)

    def rollback(self) -> None:
        """Drop the incomplete record at the end: its link was cut."""
        self.log.rollback()
        self.executions.rollback()
        self._partial = False

    def wake(self) -> None:
        """Tell readers that there is more."""
        for watcher in list(self.watchers):
            watcher()

    async def until_written(self) -> None:
        """Wait until the disk takes what is in memory (it was full)."""
        while not self.log.retry():  # noqa: ASYNC110 (a disk sends no event)
            await asyncio.sleep(RETRY_SECONDS)

    async def until_room(self) -> None:
        """Wait until more may be appended: with a full disk only so much is kept in memory."""
        while self.log.congested:
            self.log.retry()
            await asyncio.sleep(RETRY_SECONDS)

    def reader(self, cursor: int) -> LogReader:
        """See `Log.reader`."""
        return self.log.reader(cursor)

    def save(self) -> None:
        """Write down the fold, so that the next daemon reads only what follows."""
        self._unsaved = 0
        self.executions.save(self.checkpoint, self.identity)

    def close(self) -> None:
        """Write down and close."""
        self.closed = True
        self.rollback()
        self.log.retry(force=True)
        self.note()
        if self._unsaved:
            self.save()
        self.log.close()


def _check_ids(raw: bytes) -> None:
    """Raise `WireError` unless a frame begins a record whose ids are 32 hex digits or null."""
    if len(raw) < HEAD.size + RANGE.size:
        raise WireError("a record is shorter than its head")
    _, _, size = RANGE.unpack_from(raw, HEAD.size)
    at = HEAD.size + RANGE.size
    if at + size > len(raw):
        raise WireError("a record's head does not fit in its first frame")
    if _GOOD_HEAD.fullmatch(raw, at, at + size):
        return
    try:
        head = json.loads(raw[at : at + size])
        ids = [head.get("execution"), head.get("client")]
    except (ValueError, AttributeError, RecursionError) as e:
        raise WireError("the head of a record is not a JSON object") from e
    for value in ids:
        if value is not None:
            check_id(value, "an id from the pod:")
