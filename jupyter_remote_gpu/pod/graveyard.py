"""Kernels whose keeper is gone: their journals are finished, and read all the same."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

from .. import files
from ..errors import NotFound
from ..models import Outcome
from ..wire.frames import FrameDecoder, encode_control
from ..wire.records import Record, RecordAssembler
from . import paths
from .journal import Journal
from .peers import Peer, reject

_EXIT_SECONDS = 15.0
_KEEPER_GONE = "the keeper ended before its kernel (killed, or the pod was restarted)"


def reap(folder: Path) -> bool:
    """End what a dead keeper left: its kernel's processes, and the journal's open ends.

    Returns
    -------
    bool
        False when the keeper lives (it holds the lock).
    """
    lock = paths.FolderLock(folder)
    if not lock.acquire():
        return False
    try:
        info = files.read(folder / "kernel.json")
        orphan = paths.is_running(info.get("pid"), info.get("pid_started"))
        if orphan:
            _end_group(int(info["pid"]), info.get("pid_started"))
        if "ended" not in info and (folder / "journal").is_dir():
            _finish(folder)
            if isinstance(socket := info.get("socket"), str):
                paths.remove_sockets(folder, Path(socket).parent)
            info.update(ended=time.time(), status=None, orphan=orphan)
            files.dump(folder / "kernel.json", info)
    finally:
        lock.release()
    return True


def _end_group(pid: int, started: object) -> None:
    for number, patience in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, number)
        end = time.monotonic() + patience
        while paths.is_running(pid, started) and time.monotonic() < end:
            time.sleep(0.02)


def _finish(folder: Path) -> None:
    """Append what the keeper could not: how it ended, and the end of each open execution."""
    journal = Journal(folder)
    opened: dict[str, str | None] = {}
    died = False
    reader = journal.reader(0)
    decoder, assembler = FrameDecoder(), RecordAssembler()
    while data := reader.read():
        for kind, payload in decoder.feed(data):
            record = assembler.feed(kind, payload)
            if record is None or record.channel != "keeper":
                continue
            execution = record.execution
            if record.type == "request" and execution is not None:
                opened[execution] = record.head.get("client")
            elif record.type == "ended" and execution is not None:
                opened.pop(execution, None)
            died = died or record.type == "died"
    reader.close()
    note: dict[str, Any] = {"code": None, "signal": None, "asked": False, "stderr": _KEEPER_GONE}
    if not died:
        journal.note("died", note)
    for execution, client in opened.items():
        content = {"execution": execution, "outcome": str(Outcome.DIED), "count": None, **note}
        journal.note("ended", content, execution=execution, client=client)
    journal.flush()
    journal.log.close()


class _DeadKernel:
    """What a peer can have of a kernel that is gone: its journal."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder)
        self._info = files.read(folder / "kernel.json")

    def greeting(self) -> dict[str, Any]:
        return {"alive": False, "started": self._info.get("started")}

    def opened(self, peer: Peer) -> None:
        """Nobody else is here."""

    def on_request(self, peer: Peer, record: Record) -> None:
        reject(peer, record, NotFound("the kernel has ended", code="kernel-ended"))

    def on_control(self, peer: Peer, message: dict[str, Any]) -> None:
        if message.get("type") == "interrupt":
            peer.send({"type": "interrupted", "tag": message.get("tag"), "done": False})


def serve(folder: Path, hello: dict[str, Any], source: int, sink: int) -> None:
    """Serve the journal in `folder` on two file descriptors until the other side ends."""
    end = time.monotonic() + _EXIT_SECONDS
    while not reap(folder):  # the keeper is about to end: its socket is gone already
        if time.monotonic() > end:
            os.write(sink, encode_control(_refusal()))
            return
        time.sleep(0.05)
    peer = Peer(_DeadKernel(folder), source, sink)
    peer.take(encode_control(hello))
    while True:
        more = peer.pump()
        if peer.closed:
            return
        poll = select.poll()
        poll.register(source, select.POLLIN)
        poll.register(sink, select.POLLOUT if more else 0)
        ready = dict(poll.poll())
        if ready.get(sink, 0) & (select.POLLERR | select.POLLNVAL):
            return
        if ready.get(source):
            peer.receive()


def _refusal() -> dict[str, Any]:
    message = "The kernel's keeper does not answer and does not end: try again in a minute."
    return {
        "type": "refused",
        "error": {"kind": "pod", "code": "keeper-stuck", "message": message, "details": {}},
    }
