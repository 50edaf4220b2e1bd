"""Kernels whose keeper is gone: their journals are finished, and read all the same."""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path
from typing import Any

from .. import files
from ..errors import NotFound, PodError, WireError
from ..models import Outcome
from ..wire.frames import BEGIN, WHOLE, FrameDecoder, encode_control
from ..wire.records import Record, RecordAssembler
from . import paths
from .bridge import STUCK
from .journal import Journal
from .machine import check_here, elsewhere
from .mending import mend
from .peers import Peer, reject
from .processes import end_group

_EXIT_SECONDS = 15.0
_KEEPER_GONE = "the keeper ended before its kernel (killed, or the pod was restarted)"


def reap(folder: Path) -> bool:
    """End what a dead keeper left: its kernel's processes, and the journal's open ends.

    Returns
    -------
    bool
        False when the keeper lives (it holds the lock, or is on another machine), or has not begun
        yet.
    """
    journal = _bury(folder)
    if journal is None:
        return False
    journal.log.close()
    return True


def _bury(folder: Path) -> Journal | None:
    """As `reap`; the finished journal. Where the disk takes nothing its end is in memory only."""
    lock = paths.FolderLock(folder)
    info = files.read(folder / "kernel.json")
    if not (info or (folder / "journal").is_dir()) or not lock.acquire():
        return None
    try:
        info = files.read(folder / "kernel.json")  # perhaps another one's doing meanwhile
        if elsewhere(folder, info):
            return None
        orphan = end_group(info.get("pid"), info.get("pid_started"), info.get("boot"))
        if "ended" in info:
            return _opened(folder)
        journal = _finished(folder)
        if isinstance(socket := info.get("socket"), str):
            paths.remove_sockets(folder, Path(socket).parent)
        info.update(ended=time.time(), status=None, orphan=orphan)
        try:
            if journal.log.trouble is None:
                files.dump(folder / "kernel.json", info)
        except OSError as e:
            # Nothing is lost: whoever comes next finishes it again.
            print(f"{folder / 'kernel.json'}: {e.strerror}", file=sys.stderr)
        return journal
    finally:
        lock.release()


def _opened(folder: Path) -> Journal:
    try:
        journal = Journal(folder)
        if journal.log.damage is None:
            return journal
        journal.log.close()
    except ValueError:  # a file that is none of ours
        pass
    mend(folder / "journal")
    return Journal(folder)


def _finished(folder: Path) -> Journal:
    """The journal, with what the keeper could not say: how it ended, and each open execution."""
    journal = _opened(folder)
    try:
        opened, died = _read(journal)
    except (WireError, OSError) as e:
        print(f"{folder / 'journal'}: {e}", file=sys.stderr)
        journal.log.close()
        mend(folder / "journal")
        journal = Journal(folder)
        opened, died = _read(journal)
    note: dict[str, Any] = {"code": None, "signal": None, "asked": False, "stderr": _KEEPER_GONE}
    if not died:
        journal.note("died", note)
    for execution, client in opened.items():
        content = {"execution": execution, "outcome": str(Outcome.DIED), "count": None, **note}
        journal.note("ended", content, execution=execution, client=client)
    journal.flush()
    return journal


def _read(journal: Journal) -> tuple[dict[str, str | None], bool]:
    """The executions that have no end (with their clients), and whether the kernel has one."""
    opened: dict[str, str | None] = {}
    died = False
    at = 0
    reader = journal.reader(0)
    decoder, assembler = FrameDecoder(verify=True), RecordAssembler()
    while data := reader.read():
        for kind, payload in decoder.feed(data):
            record = assembler.feed(kind, payload)
            if record is None:
                continue
            if record.first != at + 1:
                raise WireError(f"record {at + 1} is missing")
            at = record.last
            if record.channel != "keeper":
                continue
            execution = record.execution
            if record.type == "request" and execution is not None:
                opened[execution] = record.head.get("client")
            elif record.type == "ended" and execution is not None:
                opened.pop(execution, None)
            died = died or record.type == "died"
    reader.close()
    if at != journal.last:
        raise WireError(f"record {at + 1} is missing")
    return opened, died


def _requests(journal: Journal) -> dict[tuple[Any, Any], tuple[int, str | None]]:
    """Record and execution of each request that the keeper took, by client and number."""
    found: dict[tuple[Any, Any], tuple[int, str | None]] = {}
    reader, decoder = journal.reader(0), FrameDecoder()
    assembler: RecordAssembler | None = None
    while data := reader.read():
        for kind, payload in decoder.feed(data):
            if kind in (WHOLE, BEGIN):
                # Only the keeper's own records are unpacked: one in thousands in a flood.
                ours = b'"channel":"keeper"' in payload[:200]
                assembler = RecordAssembler() if ours else None
            record = None if assembler is None else assembler.feed(kind, payload)
            if record is not None and record.type == "request":
                asked = record.content
                found[asked.get("client"), asked.get("number")] = record.first, record.execution
    reader.close()
    return found


class _DeadKernel:
    """What a peer can have of a kernel that is gone: its journal."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self.journal = journal
        self._info = files.read(folder / "kernel.json")
        self._taken: dict[tuple[Any, Any], tuple[int, str | None]] | None = None

    def greeting(self) -> dict[str, Any]:
        return {"alive": False, "final": True, "started": self._info.get("started")}

    def opened(self, peer: Peer) -> None:
        """Nobody else is here."""

    def on_request(self, peer: Peer, record: Record) -> None:
        """A request that ran may be sent again (its ack was lost): it must not look as if new."""
        if self._taken is None:
            self._taken = _requests(self.journal)
        client = record.head.get("client")
        if (client, record.first) in self._taken:
            number, execution = self._taken[client, record.first]
            peer.send(
                {
                    "type": "ack",
                    "client": client,
                    "number": record.first,
                    "record": number,
                    "execution": execution,
                    "duplicate": True,
                }
            )
            return
        reject(peer, record, NotFound("the kernel has ended", code="kernel-ended"))

    def on_control(self, peer: Peer, message: dict[str, Any]) -> None:
        if message.get("type") == "interrupt":
            peer.send({"type": "interrupted", "tag": message.get("tag"), "done": False})


def serve(folder: Path, hello: dict[str, Any], source: int, sink: int) -> None:
    """Serve the journal in `folder` on two file descriptors until the other side ends."""
    check_here(folder, files.read(folder / "kernel.json"))
    end = time.monotonic() + _EXIT_SECONDS
    while (
        journal := _bury(folder)
    ) is None:  # the keeper is about to end: its socket is gone already
        if time.monotonic() > end:
            raise PodError(STUCK, code="keeper-stuck")
        time.sleep(0.05)
    peer = Peer(_DeadKernel(folder, journal), source, sink)
    peer.take(encode_control(hello))
    while True:
        more = peer.pump()
        if peer.closed:
            break
        poll = select.poll()
        poll.register(source, select.POLLIN)
        poll.register(sink, select.POLLOUT if more else 0)
        ready = dict(poll.poll())
        if ready.get(sink, 0) & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
            break
        if ready.get(source):
            peer.receive()
    if peer.unreadable:
        lock = paths.FolderLock(folder)
        if lock.acquire():  # for the next one who comes
            mend(folder / "journal")
            lock.release()
