"""One connection to a keeper: frames in, control messages and journal bytes out."""

from __future__ import annotations

import os
from collections import deque
from typing import Any, Protocol

from .. import _version
from ..errors import PodError, RemoteGPUError, WireError, error_to_json
from ..wire import PROTOCOL
from ..wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from ..wire.reader import LogReader
from ..wire.records import Record, RecordAssembler, check_id, is_id
from .journal import Journal

CHUNK = 256 << 10
_CHUNKS_A_TURN = 4


class Service(Protocol):
    """What a peer asks of its owner."""

    journal: Journal

    def greeting(self) -> dict[str, Any]:
        """What the welcome says beside identity and next number."""

    def opened(self, peer: Peer) -> None:
        """`peer` said a good hello."""

    def on_request(self, peer: Peer, record: Record) -> None: ...

    def on_control(self, peer: Peer, message: dict[str, Any]) -> None: ...


class Peer:
    """A bridge's connection. Nothing here blocks; what does not fit waits in the file.

    Attributes
    ----------
    client : str or None
        Who speaks; None until its hello was taken.
    closed : bool
        The other side is gone, or was refused and has been told.
    refused : bool
        It has been, or will be, told why it is not served.
    unreadable : bool
        It was refused because the journal cannot be read at its cursor.
    """

    def __init__(self, service: Service, source: int, sink: int) -> None:
        self.source, self.sink = source, sink
        self.client: str | None = None
        self.faces = 0
        self.closed = False
        self._service = service
        self._decoder = FrameDecoder()
        self._assembler = RecordAssembler()
        self._controls: deque[bytes] = deque()
        self._out = b""
        self._reader: LogReader | None = None
        self.refused = self.unreadable = False
        os.set_blocking(source, False)
        os.set_blocking(sink, False)

    def close(self) -> None:
        self.closed = True
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    # -- in

    def receive(self) -> None:
        """Read what is there and act on it; a peer that is not ours is refused."""
        try:
            data = os.read(self.source, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if not data:
            self.close()
            return
        self.take(data)

    def take(self, data: bytes) -> None:
        """Act on bytes from the other side."""
        try:
            for kind, payload in self._decoder.feed(data):
                if self.refused or self.closed:
                    return
                if kind != CONTROL:
                    record = self._assembler.feed(kind, payload)
                    if record is not None:
                        self._need_hello()
                        self._service.on_request(self, record)
                    continue
                message = decode_control(payload)
                if self.client is None:
                    self._hello(message)
                elif message.get("type") == "ping":
                    self.send({"type": "pong", "tag": message.get("tag")})
                elif message.get("type") == "faces":
                    self.faces = _count(message.get("count"))
                else:
                    self._service.on_control(self, message)
        except RemoteGPUError as e:
            self.refuse(e)
        except (TypeError, ValueError, KeyError) as e:
            self.refuse(WireError(f"a message has the wrong form ({type(e).__name__})"))

    def _need_hello(self) -> None:
        if self.client is None:
            raise WireError("the first frame is not a hello")

    def _hello(self, message: dict[str, Any]) -> None:
        if message.get("protocol") != PROTOCOL:
            raise WireError(
                f"The pod's keeper speaks protocol {PROTOCOL}, the laptop "
                f"{message.get('protocol')!r}: this kernel was started by another version of "
                "jupyter-remote-gpu. Use that version to reach it, or stop it and start anew.",
                code="version",
            )
        client = check_id(message.get("client"), "the client")
        journal = self._service.journal
        identity, cursor = message.get("identity"), message.get("cursor")
        if not isinstance(cursor, int):
            raise WireError("the hello has no cursor")
        if identity != journal.identity and (identity is not None or cursor):
            raise WireError(
                "the cursor belongs to another journal",
                code="identity",
                details={"identity": journal.identity},
            )
        journal.flush()
        self._reader = journal.reader(cursor)
        self.client = client
        self.send(
            {
                "type": "welcome",
                "protocol": PROTOCOL,
                "version": _version.__version__,
                "identity": journal.identity,
                "next": journal.last + 1,
                "trouble": journal.trouble,
                **self._service.greeting(),
            }
        )
        self._service.opened(self)

    def refuse(self, error: RemoteGPUError) -> None:
        self.refused = True
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self.send({"type": "refused", "error": error_to_json(error)})

    # -- out

    def send(self, message: dict[str, Any]) -> None:
        """Queue a control message; it goes ahead of the journal's bytes."""
        self._controls.append(encode_control(message))

    @property
    def drained(self) -> bool:
        """Nothing is left to be sent."""
        at_end = self._reader is None or self._reader.cursor >= self._service.journal.log.last
        return self.closed or not (self._out or self._controls or not at_end)

    def pump(self) -> bool:
        """Send what can be sent at once; True when more waits for the other side to read."""
        for _ in range(_CHUNKS_A_TURN):
            if self.closed:
                return False
            if not self._out and not self._fill():
                if self.refused:
                    self.close()
                return False
            try:
                self._out = self._out[os.write(self.sink, self._out) :]
            except BlockingIOError:
                return True
            except OSError:
                self.close()
                return False
        return True

    def _fill(self) -> bool:
        if self._controls:
            self._out = b"".join(self._controls)
            self._controls.clear()
        elif self._reader is not None:
            try:
                self._out = self._reader.read(CHUNK)
            except (RemoteGPUError, OSError) as e:
                self.unreadable = True
                self.refuse(
                    PodError(
                        f"The kernel's journal on the pod cannot be read beyond record "
                        f"{self._reader.cursor}: {e}. What this laptop has of it stays.",
                        code="journal",
                    )
                )
                return self._fill()
        return bool(self._out)


def _count(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise WireError("the count of faces is not a number")
    return value


def reject(peer: Peer, record: Record, error: RemoteGPUError) -> None:
    """Tell `peer` that its request will not be handed over."""
    client = record.head.get("client")
    peer.send(
        {
            "type": "rejected",
            "client": client if is_id(client) else None,
            "number": record.first,
            "error": error_to_json(error),
        }
    )
