"""The keeper: holds one kernel's sockets, writes its journal, serves the bridges.

One process a kernel and one thread in it, which waits in `zmq.Poller` for the kernel's
sockets, the bridges and the end of its child.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
import traceback
from pathlib import Path
from typing import Any

import zmq

from .. import files
from ..wire.log import SEGMENT_BYTES
from ..wire.retention import Retention, segment_bytes
from . import housekeeping, paths
from .audience import Audience
from .conversation import Conversation
from .intake import Intake
from .journal import Journal
from .kernel import KernelProcess
from .machine import machine
from .peers import Peer
from .processes import boot, members, start_time
from .saying import say

LINGER_SECONDS = 10.0
"""How long readers may take the rest after the kernel ended (the journal stays readable)."""

STOP_SECONDS = 5.0
"""Patience between asking a kernel to shut down, SIGTERM and SIGKILL, each."""

GROUP_SECONDS = 2.0
"""Patience with what a kernel that has ended leaves in its process group."""

READY_SECONDS = 60.0
"""A kernel that has not answered for so long is spoken of."""

IDLE_SECONDS = 24 * 3600.0
"""A kernel without work and without a face for so long is ended."""


class Keeper:
    """See the module."""

    def __init__(self, folder: Path, spec: dict[str, Any]) -> None:
        self.folder = folder
        self.kernel_id = folder.name
        sockets = paths.socket_folder(self.kernel_id)
        self._socket_path = sockets / "keeper.sock"
        self._poller = zmq.Poller()
        self.audience = Audience(self, self._socket_path, self._poller)
        # Both must exist before the first child can end.
        self._wake, wake = socket.socketpair()
        for end in (self._wake, wake):
            end.setblocking(False)
        self._wake_end = wake
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._stop(force=True))
        self.kernel = KernelProcess(folder, sockets, spec)
        limits = dict(spec.get("limits") or {})
        size = housekeeping.bound(folder, limits)
        self.journal = Journal(folder, segment_bytes=segment_bytes(size, SEGMENT_BYTES))
        self.retention = Retention(self.journal.log, size)
        self.house = housekeeping.Housekeeping(self.journal, self.retention, limits)
        self._spec = spec
        self._stop_at: list[tuple[float, int]] = []
        self._asked = False
        self._idle_seconds = float(limits.get("idle_seconds") or IDLE_SECONDS)
        self._idled = False
        self._wanted_at = time.monotonic()
        self._trouble: str | None = None
        self._silence: str | None = None
        self._ready_seconds = float(limits.get("ready_seconds") or READY_SECONDS)

    # -- life

    def start(self) -> None:
        """Start the kernel and say so in the journal and in ``kernel.json``."""
        self.kernel.start()
        self._began = time.monotonic()
        self.talk = Conversation(self.kernel, self.journal, self.retention)
        self.intake = Intake(self.talk)
        info = {
            "kernel": self.kernel_id,
            "identity": self.journal.identity,
            "display_name": self._spec.get("display_name", ""),
            "argv": list(self._spec["argv"]),
            "cwd": self.kernel.cwd,
            "binding": self._spec.get("binding") or {},
            "pid": self.kernel.pid,
            "pid_started": start_time(self.kernel.pid),
            "boot": boot(),
            "machine": machine(),
            "keeper_pid": os.getpid(),
            "keeper_started": start_time(os.getpid()),
            "socket": str(self._socket_path),
            "started": time.time(),
        }
        self.info = info
        public = ("kernel", "display_name", "argv", "cwd", "pid", "binding")
        self.journal.note("started", {k: info[k] for k in public})
        self.journal.flush()
        files.dump(self.folder / "kernel.json", info)

    def run(self) -> None:
        """Serve until the kernel has ended and its readers have the rest."""
        for channel_socket in self.talk.sockets.values():
            self._poller.register(channel_socket, zmq.POLLIN)
        self._poller.register(self._wake, zmq.POLLIN)
        while (status := self.kernel.poll()) is None:
            self._turn(self._timeout())
        self._drain()
        self.talk.died(status, self.kernel.stderr_tail(), asked=self._asked, idle=self._idled)
        self.journal.flush()
        self._note_end(status)
        # What the kernel leaves in its group would keep the GPU's memory.
        self.kernel.signal(signal.SIGTERM)
        now = time.monotonic()
        self._stop_at = [(now + GROUP_SECONDS, signal.SIGKILL)]
        while time.monotonic() < now + LINGER_SECONDS and self._unfinished():
            self._turn(0.2)
        self._note_end(status)

    def _unfinished(self) -> bool:
        if self.journal.log.trouble is not None or not self.audience.drained:
            return True
        return bool(members(self.kernel.pid))

    def _note_end(self, status: int) -> None:
        # While the journal's end is not on the disk this is left to who comes next.
        if "ended" not in self.info and self.journal.log.trouble is None:
            info = {**self.info, "ended": time.time(), "status": status}
            try:
                files.dump(self.folder / "kernel.json", info)
            except OSError as e:
                say(f"kernel.json: {e.strerror}")
            else:
                self.info = info

    def close(self) -> None:
        """Let go of everything; the journal's folder stays."""
        self.kernel.close()
        self.audience.close()
        paths.remove_sockets(self.folder, self._socket_path.parent)
        self.house.close()
        self.talk.close()
        self.journal.log.close()

    def _drain(self) -> None:
        # The kernel is gone, but what it sent may still be under way between our threads.
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 0.2:
            if self._turn(0.05):
                quiet_since = time.monotonic()

    def _timeout(self) -> float:
        now = time.monotonic()
        waits = [60.0]
        if (due := self.talk.due()) is not None:
            waits.append(due - now)
        if self._stop_at:
            waits.append(self._stop_at[0][0] - now)
        elif not self._asked:
            waits.append(self._wanted_at + self._idle_seconds - now)
        if not self.talk.ready and self._silence is None:
            waits.append(self._began + self._ready_seconds - now)
        if self.journal.log.trouble:
            waits.append(1.0)
        if (resumes := self.audience.resumes_at) is not None:
            waits.append(resumes - now)
        return max(0.0, min(waits))

    def _turn(self, timeout: float) -> bool:
        """One round of the loop; whether the kernel said anything."""
        ready = dict(self._poller.poll(round(timeout * 1000)))
        spoke = False
        for channel, channel_socket in self.talk.sockets.items():
            if channel_socket in ready:
                spoke = self.talk.receive(channel) or spoke
        self.audience.receive(ready)
        if self._wake.fileno() in ready:
            with contextlib.suppress(BlockingIOError):
                self._wake.recv(4096)
        self.talk.tick(time.monotonic())
        self.journal.flush()
        self.house.turn()
        self._timers()
        self.audience.pump()
        return spoke

    def _timers(self) -> None:
        now = time.monotonic()
        if self._stop_at and now >= self._stop_at[0][0]:
            self.kernel.signal(self._stop_at.pop(0)[1])
        if self.journal.log.trouble:
            self.journal.log.retry()
        if (trouble := self._trouble_now(now)) != self._trouble:
            self._trouble = trouble
            self.audience.tell({"type": "trouble", "where": "pod", "message": trouble})
        if self.talk.over:
            return
        if self.talk.busy or self.audience.faces:
            self._wanted_at = now
        elif now - self._wanted_at >= self._idle_seconds and not self._stop_at:
            self._idled = True
            self._stop()

    def _trouble_now(self, now: float) -> str | None:
        if self.talk.ready or self.talk.over:
            self._silence = None
        elif self._silence is None and now - self._began >= self._ready_seconds:
            words = self.kernel.stderr_tail().strip()[-1000:]
            self._silence = (
                f"The kernel on the pod has not answered for {self._ready_seconds:.0f} s; its "
                f"last words: {words or 'none'}"
            )
        told = (self.journal.trouble, self.talk.trouble, self._silence)
        return " ".join(t for t in told if t) or None

    # -- what peers ask

    def greeting(self) -> dict[str, Any]:
        alive = self.kernel.poll() is None
        return {"alive": alive, "started": self.info["started"], "trouble": self._trouble}

    def opened(self, peer: Peer) -> None:
        self.audience.supersede(peer)

    def on_request(self, peer: Peer, record: Any) -> None:
        self._wanted_at = time.monotonic()
        self.intake.on_request(peer, record)

    def on_control(self, peer: Peer, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "interrupt":
            tag = message.get("tag")
            done = self.intake.interrupt(message.get("execution"), peer.client or "", str(tag))
            peer.send({"type": "interrupted", "tag": tag, "done": done})
        elif kind == "stop":
            self._stop()

    def _stop(self, force: bool = False) -> None:
        self._asked = True
        if self._stop_at:
            return
        now = time.monotonic()
        patience = 0.0 if force else STOP_SECONDS
        self._stop_at = [
            (now + patience, signal.SIGTERM),
            (now + patience + STOP_SECONDS, signal.SIGKILL),
        ]
        if not force:
            self.talk.shutdown()


def _tell(notify: int, words: str) -> None:
    """Whoever started it may be gone by now; a kernel that is there is found by the next."""
    with contextlib.suppress(BrokenPipeError):
        os.write(notify, f"{words}\n".encode("utf-8", "replace"))
    os.close(notify)


def main(spec: dict[str, Any]) -> None:
    """Run the keeper of ``spec["folder"]``; tells ``spec["notify"]`` (a pipe) how it began."""
    folder = Path(spec["folder"])
    notify = int(spec["notify"])
    lock = paths.FolderLock(folder)
    if not lock.acquire():
        _tell(notify, paths.OTHER_KEEPER)
        return
    if files.read(folder / "kernel.json"):  # the same start, sent before, was quicker
        _tell(notify, "ok")
        return
    keeper = None
    try:
        keeper = Keeper(folder, files.read(folder / "spec.json"))
        keeper.start()
    except Exception as e:
        if keeper is not None:
            keeper.kernel.close()
        # The only one who can tell the user is the `start` command at the pipe's other end.
        traceback.print_exc()
        _tell(notify, f"{type(e).__name__}: {e}")
        raise
    _tell(notify, "ok")
    try:
        keeper.run()
    finally:
        keeper.close()
        lock.release()
