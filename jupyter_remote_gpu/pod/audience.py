"""The bridges that are connected to a keeper: what is wrong with one harms no other."""

from __future__ import annotations

import contextlib
import os
import socket
import time
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import zmq

from ..errors import PodError
from .peers import Peer, Service
from .saying import say

_PAUSE_SECONDS = 1.0
"""How long nobody is let in after the system could not (no file descriptor was left)."""


class Audience:
    """Owned by the keeper, whose poller watches it.

    Parameters
    ----------
    service : Service
        What the peers ask.
    path : Path
        Where the socket is made.
    poller : zmq.Poller
        Listener and connections are registered there.
    """

    def __init__(self, service: Service, path: Path, poller: zmq.Poller) -> None:
        self._service = service
        self._poller = poller
        self._peers: list[tuple[Peer, socket.socket]] = []
        self._masks: dict[socket.socket, int] = {}
        self._listener = _listen(path)
        self._paused_until: float | None = None
        poller.register(self._listener, zmq.POLLIN)

    @property
    def faces(self) -> bool:
        """Whether anybody's face follows the kernel."""
        return any(peer.faces for peer, _ in self._peers)

    @property
    def drained(self) -> bool:
        """Whether everybody has been sent everything."""
        return all(peer.drained for peer, _ in self._peers)

    def receive(self, ready: Mapping[Any, int]) -> None:
        """Act on what has come from those who are `ready`, and let new ones in."""
        for peer, sock in list(self._peers):
            if not peer.closed and ready.get(sock.fileno(), 0) & (zmq.POLLIN | zmq.POLLERR):
                with self._contained(peer):
                    peer.receive()
        if self._listener.fileno() in ready:
            self._accept()
        elif self._paused_until is not None and time.monotonic() >= self._paused_until:
            self._paused_until = None
            self._poller.register(self._listener, zmq.POLLIN)

    def pump(self) -> None:
        """Send everybody what can be sent at once; let go of who has ended."""
        for entry in list(self._peers):
            peer, sock = entry
            more = False
            with self._contained(peer):
                more = peer.pump()
            if peer.closed:
                self._poller.unregister(sock)
                self._peers.remove(entry)
                del self._masks[sock]
                sock.close()
                continue
            mask = zmq.POLLIN | (zmq.POLLOUT if more else 0)
            if self._masks[sock] != mask:
                self._poller.modify(sock, mask)
                self._masks[sock] = mask

    def tell(self, message: dict[str, Any]) -> None:
        """Send a control message to everybody who has been welcomed."""
        for peer, _ in self._peers:
            if peer.client is not None:
                peer.send(message)

    def supersede(self, by: Peer) -> None:
        """A client that comes back takes the place of its half-open predecessor."""
        for other, _ in self._peers:
            if other is not by and other.client == by.client:
                other.close()

    @property
    def resumes_at(self) -> float | None:
        """When (monotonic, s) `receive` wants to be called although nobody is ready."""
        return self._paused_until

    def close(self) -> None:
        for peer, sock in self._peers:
            peer.close()
            sock.close()
        self._listener.close()

    @contextlib.contextmanager
    def _contained(self, peer: Peer) -> Iterator[None]:
        try:
            yield
        except Exception:  # noqa: BLE001 - logged; hours of work must not end by it
            say(traceback.format_exc())
            if peer.refused:
                peer.close()
            else:
                peer.refuse(PodError("The kernel's keeper failed at this; its log says how."))

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError as e:
            # The one that waits would wake us at once, again and again.
            say(f"nobody can be let in: {e.strerror}")
            self._poller.unregister(self._listener)
            self._paused_until = time.monotonic() + _PAUSE_SECONDS
            return
        if not _same_user(sock):
            sock.close()
            return
        self._peers.append((Peer(self._service, sock.fileno(), sock.fileno()), sock))
        self._poller.register(sock, zmq.POLLIN)
        self._masks[sock] = zmq.POLLIN


def _listen(path: Path) -> socket.socket:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(16)
    listener.setblocking(False)
    return listener


def _same_user(sock: socket.socket) -> bool:
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the folder is 0700
    import struct

    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, uid, _ = struct.unpack("3i", raw)
    return bool(uid == os.getuid())
