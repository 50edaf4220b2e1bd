"""Records: the numbered entries of a log.

A record's payload is ``first:u64 last:u64 head_size:u32 head parts…``; `head` is a
JSON object, `parts` the byte strings whose lengths ``head["parts"]`` lists. A raw
record has ``first == last``; a compacted one stands for the range.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import WireError
from .frames import (
    BEGIN,
    CONTROL,
    END,
    HEAD,
    MAX_PAYLOAD,
    MIDDLE,
    WHOLE,
    FrameDecoder,
    encode_frame,
    encode_head,
)

RANGE = struct.Struct(">QQI")
MAX_RECORD = 1 << 30
"""A record's largest payload, in bytes.

A print of 50 MB and a figure of 500 MB (in base64 a third more) are honest; what goes on for
longer only fills the disk of whoever copies it.
"""
MAX_REQUEST = 256 << 20
"""The same for what a face asks."""
MAX_NOTE = 2 * MAX_REQUEST
"""The same for the keeper's own records, of which the largest says what was asked."""
DURABLE, PROGRESS, EPHEMERAL = "durable", "progress", "ephemeral"
_ID = re.compile(r"[0-9a-f]{32}\Z")


def is_id(value: object) -> bool:
    """Whether `value` is an id as every hop accepts it: 32 lower-case hex digits."""
    return isinstance(value, str) and _ID.match(value) is not None


def check_id(value: object, what: str) -> str:
    """Return `value` if it is an id, else raise `WireError` naming `what`."""
    if not is_id(value):
        raise WireError(f"{what} {value!r:.60} is not an id of 32 hex digits")
    return str(value)


@dataclass(slots=True)
class Record:
    """One entry of a log.

    Attributes
    ----------
    first, last : int
        The numbers it stands for, both included; numbers start at 1.
    head : dict
        ``channel`` (iopub, shell, control, stdin, keeper; for requests the channel they go to),
        ``type`` (the Jupyter msg_type, or the keeper's own), ``execution`` and
        ``client`` (ids or None), ``class`` (durable, progress, ephemeral), ``parts``.
    parts : list of bytes
        For kernel messages: header, parent_header, metadata, content, then buffers,
        as the kernel sent them. For the keeper's own: one JSON object.
    """

    first: int
    last: int
    head: dict[str, Any]
    parts: list[bytes]

    @property
    def channel(self) -> str:
        return str(self.head.get("channel"))

    @property
    def type(self) -> str:
        return str(self.head.get("type"))

    @property
    def execution(self) -> str | None:
        value = self.head.get("execution")
        return value if isinstance(value, str) else None

    def json(self, part: int = 0) -> dict[str, Any]:
        """Part number `part` read as a JSON object (`WireError` if it is none)."""
        try:
            value = loads(self.parts[part])
        except (IndexError, ValueError, RecursionError) as e:
            raise WireError(f"part {part} of record {self.first} is not JSON") from e
        if not isinstance(value, dict):
            raise WireError(f"part {part} of record {self.first} is not a JSON object")
        return value

    @property
    def content(self) -> dict[str, Any]:
        """The Jupyter content, or the object of a keeper's own record."""
        return self.json(0 if self.channel == "keeper" else 3)

    def encode(self) -> bytes:
        """See `encode_record`."""
        return encode_record(self.first, self.last, self.head, self.parts)


def encode_record(first: int, last: int, head: dict[str, Any], parts: Sequence[bytes]) -> bytes:
    """A record as the bytes of its frames (one ``R``, or ``B M… E``)."""
    head = {**head, "parts": [len(p) for p in parts]}
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    payload = b"".join((RANGE.pack(first, last, len(text)), text, *parts))
    if len(payload) <= MAX_PAYLOAD:
        return encode_frame(WHOLE, payload)
    # A figure of 500 MB is not copied more often than it must be: the memory is the kernel's.
    view = memoryview(payload)
    frames: list[bytes | memoryview] = []
    for at in range(0, len(payload), MAX_PAYLOAD):
        piece = view[at : at + MAX_PAYLOAD]
        kind = BEGIN if at == 0 else END if at + MAX_PAYLOAD >= len(payload) else MIDDLE
        frames += (encode_head(kind, piece), piece)
    return b"".join(frames)


def loads(part: bytes) -> Any:
    """The JSON value of a message's part, also where a text in it is not UTF-8."""
    try:
        return json.loads(part)
    except UnicodeDecodeError:
        # So jupyter_client writes what came from a file name in another encoding.
        return json.loads(part.decode("utf-8", "surrogateescape"))


def decode_record(payload: bytes) -> Record:
    """The record of a joined payload.

    Raises
    ------
    WireError
        If lengths do not add up, the head is not JSON, or the range is empty.
    """
    if len(payload) < RANGE.size:
        raise WireError("a record is shorter than its head")
    first, last, size = RANGE.unpack_from(payload)
    at = RANGE.size + size
    try:
        head = json.loads(payload[RANGE.size : at])
        sizes = head["parts"]
        if first > last or at > len(payload) or not isinstance(sizes, list):
            raise ValueError
        parts = []
        for n in sizes:
            if not isinstance(n, int) or n < 0:
                raise ValueError
            parts.append(payload[at : at + n])
            at += n
        if at != len(payload):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise WireError(f"record {first} is damaged") from e
    return Record(first, last, head, parts)


def decode_head(beginning: bytes) -> Record | None:
    """The record that begins so, without its parts; None where not all of its head is there.

    Raises
    ------
    WireError
        If it is damaged.
    """
    if len(beginning) < RANGE.size:
        raise WireError("a record is shorter than its head")
    first, last, size = RANGE.unpack_from(beginning)
    if RANGE.size + size > len(beginning):
        return None
    try:
        head = json.loads(beginning[RANGE.size : RANGE.size + size])
        if first > last or not all(isinstance(n, int) and n >= 0 for n in head["parts"]):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError) as e:
        raise WireError(f"record {first} is damaged") from e
    return Record(first, last, head, [])


def frame_range(raw: bytes | bytearray | memoryview, at: int = 0) -> tuple[int, int]:
    """``(first, last)`` of the ``R`` or ``B`` frame that starts at `at`, without decoding.

    Raises
    ------
    WireError
        If the frame is too short for a record.
    """
    try:
        first, last, _ = RANGE.unpack_from(raw, at + HEAD.size)
    except struct.error as e:
        raise WireError("a record is shorter than its head") from e
    return first, last


def check_size(size: int, limit: int) -> None:
    """Raise `WireError` when a record has more than `limit` bytes."""
    if size > limit:
        raise WireError(f"a record has more than {limit} bytes")


class RecordAssembler:
    """Joins ``R`` and ``B M E`` frames to records.

    Parameters
    ----------
    limit : int
        The largest record taken, in bytes; a peer that goes on beyond it is cut off.
    """

    def __init__(self, limit: int = MAX_RECORD) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._limit = limit

    def feed(self, kind: int, payload: bytes) -> Record | None:
        """Add a record frame's payload; the record if it is complete now.

        Raises
        ------
        WireError
            For a frame out of its order or a record over the limit.
        """
        if kind == WHOLE and not self._pieces:
            return decode_record(payload)
        if kind == CONTROL:
            raise WireError("a control frame is not part of a record")
        if (kind in (BEGIN, WHOLE)) == bool(self._pieces):
            raise WireError("the frames of a record are out of order")
        self._pieces.append(payload)
        self._size += len(payload)
        check_size(self._size, self._limit)
        if kind != END:
            return None
        whole = b"".join(self._pieces)
        self._pieces, self._size = [], 0
        return decode_record(whole)


def decode_records(data: bytes) -> Iterator[Record]:
    """The records in the bytes of a segment.

    Raises
    ------
    WireError
        If one is damaged.
    """
    assembler = RecordAssembler()
    for kind, payload in FrameDecoder(verify=True).feed(data):
        record = assembler.feed(kind, payload)
        if record is not None:
            yield record


def keeper_record(
    kind: str, content: dict[str, Any], **head: Any
) -> tuple[dict[str, Any], list[bytes]]:
    """Head and parts of a record that the keeper itself writes (``started``, ``ended``…)."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(
        "utf-8", "surrogatepass"
    )
    full = {"channel": "keeper", "type": kind, "class": DURABLE, "execution": None, "client": None}
    return {**full, **head}, [text]
