"""Frames: the unit in which bytes travel on every socket and lie in every segment file.

``size:u32 kind:u8 crc32:u32 payload``, network byte order; a payload has at most
1 MiB. Kind ``J`` is a control message (a JSON object); ``R`` is a whole record; a
larger record is ``B`` (begin), any number of ``M`` (middle) and ``E`` (end).
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from ..errors import WireError

HEAD = struct.Struct(">IBI")
MAX_PAYLOAD = 1 << 20
CONTROL, WHOLE, BEGIN, MIDDLE, END = b"JRBME"
_KINDS = frozenset(b"JRBME")


def encode_head(kind: int, payload: bytes | memoryview) -> bytes:
    """What comes before `payload` in its frame."""
    return HEAD.pack(len(payload), kind, zlib.crc32(payload))


def encode_frame(kind: int, payload: bytes) -> bytes:
    """One frame. `payload` has at most `MAX_PAYLOAD` bytes (the caller splits)."""
    return encode_head(kind, payload) + payload


def encode_control(message: dict[str, Any]) -> bytes:
    """A control message as a frame.

    Raises
    ------
    WireError
        If the message has more than 1 MiB: control messages are small by design.
    """
    payload = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    if len(payload) > MAX_PAYLOAD:
        raise WireError(f"a control message of {len(payload)} bytes does not fit in a frame")
    return encode_frame(CONTROL, payload)


def decode_control(payload: bytes) -> dict[str, Any]:
    """The JSON object of a control frame.

    Raises
    ------
    WireError
        If it is not one.
    """
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError) as e:
        raise WireError("a control message is not JSON") from e
    if not isinstance(message, dict):
        raise WireError("a control message is not a JSON object")
    return message


def check_head(size: int, kind: int) -> None:
    """Raise `WireError` when a frame's head is not one of this protocol."""
    if kind not in _KINDS:
        raise WireError(f"unknown frame kind 0x{kind:02x}: the other side is not ours")
    if size > MAX_PAYLOAD:
        raise WireError(f"a frame claims {size} bytes, more than {MAX_PAYLOAD}")


class FrameDecoder:
    """Turns a byte stream into frames.

    Parameters
    ----------
    verify : bool
        Whether checksums are compared. On a live socket below ssh that would only
        repeat what ssh does; on files it finds a torn or rotten tail.

    Notes
    -----
    After a `WireError` the stream has no known boundary any more: drop it.
    """

    def __init__(self, verify: bool = False) -> None:
        self._buffer = bytearray()
        self._verify = verify

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Add `data`; yield each complete ``(kind, payload)``."""
        for kind, raw in self.feed_raw(data):
            yield kind, raw[HEAD.size :]

    def feed_raw(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Like `feed`, but yields ``(kind, whole frame)``, for hops that only copy."""
        buffer = self._buffer
        buffer += data
        at, end = 0, len(buffer)
        try:
            while end - at >= HEAD.size:
                size, kind, crc = HEAD.unpack_from(buffer, at)
                check_head(size, kind)
                stop = at + HEAD.size + size
                if stop > end:
                    break
                raw = bytes(buffer[at:stop])
                at = stop
                if self._verify and zlib.crc32(raw[HEAD.size :]) != crc:
                    raise WireError("a frame's checksum is wrong")
                yield kind, raw
        finally:
            del buffer[:at]

    @property
    def pending(self) -> int:
        """Bytes of an incomplete frame that wait for the rest."""
        return len(self._buffer)
