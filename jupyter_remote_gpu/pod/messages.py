"""Jupyter messages between the keeper and its kernel: sockets, signatures, headers."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import zmq

from .kernel import KernelProcess

DELIMITER = b"<IDS|MSG>"
CHANNELS = ("iopub", "shell", "control", "stdin")
_BATCH = 256
_BATCH_BYTES = 4 << 20


class KernelSockets:
    """The four sockets of a kernel's client, with nothing that can drop a message.

    Notes
    -----
    ``RCVHWM = 0``: with the default a reader that slept lost most of 60,000 prints.
    Shell, control and stdin share one identity, or an `input_request` finds nobody.
    """

    def __init__(self, kernel: KernelProcess) -> None:
        self._context = zmq.Context()
        self._auth = hmac.new(kernel.key.encode("ascii"), digestmod=hashlib.sha256)
        self.session = uuid.uuid4().hex
        self.topic = f"jrg-{uuid.uuid4().hex}".encode("ascii")
        self.sockets: dict[str, Any] = {}
        for channel in CHANNELS:
            socket = self._context.socket(zmq.SUB if channel == "iopub" else zmq.DEALER)
            socket.linger = 1000
            socket.rcvhwm = socket.sndhwm = 0
            socket.reconnect_ivl = 10  # the kernel binds later than we connect
            if channel == "iopub":
                socket.subscribe(b"")
                socket.subscribe(self.topic)
            else:
                socket.identity = self.session.encode("ascii")
            socket.connect(kernel.endpoint(channel))
            self.sockets[channel] = socket

    def close(self) -> None:
        for socket in self.sockets.values():
            socket.close(linger=0)
        self._context.term()

    def sign(self, parts: Sequence[bytes]) -> bytes:
        auth = self._auth.copy()
        for part in parts:
            auth.update(part)
        return auth.hexdigest().encode("ascii")

    def send(self, channel: str, parts: Sequence[bytes]) -> None:
        """Send header, parent_header, metadata, content and buffers, signed."""
        frames = [DELIMITER, self.sign(parts[:4]), *parts]
        self.sockets[channel].send_multipart(frames, zmq.NOBLOCK)

    def send_new(self, channel: str, kind: str, content: dict[str, Any]) -> str:
        """Send a message of the keeper's own; its msg_id."""
        header = {
            "msg_id": f"jrg-{uuid.uuid4().hex}",
            "msg_type": kind,
            "username": "jupyter-remote-gpu",
            "session": self.session,
            "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "version": "5.3",
        }
        self.send(channel, [dump(header), b"{}", b"{}", dump(content)])
        return header["msg_id"]

    def receive(self, channel: str) -> Iterator[list[bytes]]:
        """What has arrived, at most a batch: header, parent_header, metadata, content, buffers.

        A message that is not signed by this kernel's key is left out.
        """
        socket = self.sockets[channel]
        size = 0
        for _ in range(_BATCH):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                at = frames.index(DELIMITER)
            except ValueError:
                continue
            parts = frames[at + 2 :]
            if len(parts) < 4 or not hmac.compare_digest(self.sign(parts[:4]), frames[at + 1]):
                continue
            yield parts
            size += sum(map(len, parts))
            if size > _BATCH_BYTES:
                return


def without_subshell(header: dict[str, Any], session: str) -> dict[str, Any]:
    """A face's header as this kernel may see it.

    ``subshell_id`` belongs to one kernel: passed on, the remote comm would remember it
    and every later message would be dropped.
    """
    header = {k: v for k, v in header.items() if k != "subshell_id"}
    header["session"] = session
    return header


def dump(value: Any) -> bytes:
    """JSON as the keeper writes it into messages."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
