"""What each cell became: folded from the keeper's own records of a mirror."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from types import NoneType
from typing import Any

from ..errors import WireError
from ..models import ExecutionInfo
from ..wire.frames import BEGIN, END, HEAD, WHOLE, FrameDecoder
from ..wire.log import Log
from ..wire.records import MAX_NOTE, RANGE, Record, RecordAssembler, check_id
from . import store

CODE_CHARS = 2000
"""How much of a cell's code is kept here; all of it is in the mirror."""
OLD_CODE_CHARS = 120
RECENT = 50
_TIME = (int, float, NoneType)
_TYPES: dict[str, tuple[type, ...]] = {
    "id": (str,),
    "client": (str,),
    "first": (int,),
    "last": (int,),
    "code": (str,),
    "meta": (dict,),
    "requested": _TIME,
    "started": _TIME,
    "ended": _TIME,
    "outcome": (str, NoneType),
    "count": (int, NoneType),
}
log = logging.getLogger(__name__)
_TOLD = frozenset(["started", "request", "running", "ended", "died"])


def _typed(field: str, value: Any) -> Any:
    """`value`, if an `ExecutionInfo` can have it as that field; else `WireError`."""
    if isinstance(value, bool) or not isinstance(value, _TYPES[field]):
        raise WireError(f"an execution's {field} cannot be {value!r:.60}")
    return value


class Executions:
    """Folds records that come in order; each number is folded once.

    Attributes
    ----------
    last : int
        Everything up to this record is folded in.
    died : dict or None
        The content of the kernel's ``died`` record.
    started : dict or None
        The content of its ``started`` record.
    compacted : set of int
        First numbers of the segments that need not be compacted again; kept with the rest.
    """

    def __init__(self) -> None:
        self.last = 0
        self.all: dict[str, ExecutionInfo] = {}
        self.open: dict[str, ExecutionInfo] = {}
        self.died: dict[str, Any] | None = None
        self.started: dict[str, Any] | None = None
        self.compacted: set[int] = set()
        self._assembler: RecordAssembler | None = None
        self._arriving = 0

    def feed(self, kind: int, raw: bytes) -> bool:
        """Fold one frame in; whether it told something new about an execution.

        Raises
        ------
        WireError
            If a record of the keeper's own is not of the protocol. Nothing of it is folded.
        """
        if kind in (WHOLE, BEGIN):
            _, last, size = RANGE.unpack_from(raw, HEAD.size)
            at = HEAD.size + RANGE.size
            # Only the keeper's own records are unpacked: one in thousands in a flood.
            ours = last > self.last and b'"channel":"keeper"' in raw[at : at + min(size, 200)]
            self._assembler = RecordAssembler(MAX_NOTE) if ours else None
            self._arriving = last
        record = None
        if self._assembler is not None:
            record = self._assembler.feed(kind, raw[HEAD.size :])
        told = record is not None and self._fold(record)
        if kind in (WHOLE, END):
            self.last = max(self.last, self._arriving)
        return told

    def rollback(self) -> None:
        """Forget the frames of an incomplete record."""
        self._assembler = None
        self._arriving = 0

    def _fold(self, record: Record) -> bool:
        kind = record.type
        if record.channel != "keeper" or kind not in _TOLD:
            return False
        content = record.content
        if kind == "started":
            self.started = content
        elif kind == "died":
            self.died = content
        elif content.get("execution") is not None:
            self._execution(kind, check_id(content["execution"], "an execution's id"), record)
        return True

    def _execution(self, kind: str, name: str, record: Record) -> None:
        content = record.content
        time = _typed("ended", content.get("time"))
        info = self.all.get(name)
        if kind == "request":
            if info is None and content.get("type") == "execute_request":
                info = ExecutionInfo(
                    id=name,
                    client=check_id(content.get("client"), "an execution's client"),
                    first=record.first,
                    last=record.last,
                    code=_typed("code", content.get("code", ""))[:CODE_CHARS],
                    meta=_typed("meta", content.get("meta") or {}),
                    requested=time,
                )
                self.all[name] = self.open[name] = info
                if len(self.all) > RECENT:
                    older = self.all[list(self.all)[-RECENT - 1]]
                    older.code = older.code[:OLD_CODE_CHARS]
            return
        if info is None:
            return  # its request fell into a gap
        if kind == "running":
            info.started = time
        elif kind == "ended":
            count = content.get("count")  # the kernel's own word, whatever it is
            info.count = count if isinstance(count, int) else None
            info.outcome, info.ended = str(content.get("outcome")), time
            self.open.pop(name, None)
        info.last = record.last

    def recent(self, count: int = RECENT) -> list[ExecutionInfo]:
        """The newest executions, oldest first; see `info`."""
        return [self.info(name) for name in islice(reversed(self.all), count)][::-1]

    def of(self, notebook: str) -> list[ExecutionInfo]:
        """All that this notebook ran, oldest first."""
        named = [name for name, info in self.all.items() if info.meta.get("notebook") == notebook]
        return [self.info(name) for name in named if not self.all[name].meta.get("silent")]

    def info(self, name: str) -> ExecutionInfo:
        """The execution of that id; one that runs has the log's end as its last."""
        info = self.all[name]
        if name in self.open and info.started is not None:
            return replace(info, last=self.last)
        return info

    def running(self) -> str | None:
        """The execution that the kernel works on."""
        return next((n for n, info in self.open.items() if info.started is not None), None)

    def catch_up(self, log: Log) -> None:
        """Fold in what the log has beyond `last` (blocks for as long as reading takes)."""
        reader = log.reader(min(self.last, log.last))
        try:
            decoder = FrameDecoder()
            while data := reader.read():
                for kind, raw in decoder.feed_raw(data):
                    self.feed(kind, raw)
        finally:
            reader.close()

    # -- checkpoint: so that a restart does not read gigabytes

    def save(self, path: Path, identity: str | None) -> None:
        """Write what is folded so far."""
        store.save(
            path,
            {
                "identity": identity,
                "last": self.last,
                "died": self.died,
                "started": self.started,
                "compacted": sorted(self.compacted),
                "executions": [asdict(e) for e in self.all.values()],
            },
        )

    @classmethod
    def load(cls, path: Path, identity: str | None, log_last: int) -> Executions:
        """What was saved; empty when it is missing, damaged, or of another log."""
        self = cls()
        data = store.load(path)
        last = data.get("last")
        if data.get("identity") != identity or not isinstance(last, int) or last > log_last:
            return self
        try:
            for item in data["executions"]:
                info = ExecutionInfo(**{k: _typed(k, v) for k, v in item.items() if k in _TYPES})
                self.all[check_id(info.id, "an execution's id")] = info
                if info.outcome is None:
                    self.open[info.id] = info
            for told in (data.get("died"), data.get("started")):
                if not isinstance(told, dict | None):
                    raise WireError("what the kernel told is not a JSON object")
            self.compacted = {int(first) for first in data.get("compacted") or []}
        except (WireError, KeyError, TypeError, ValueError, AttributeError) as e:
            log.warning("%s is not of our form (%s): the log is read instead", path, e)
            return cls()
        self.last = last
        self.died, self.started = data.get("died"), data.get("started")
        return self
