"""Records as a keeper writes them, for tests without one."""

from __future__ import annotations

from typing import Any

from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.wire.frames import FrameDecoder
from jupyter_remote_gpu.wire.records import encode_record, keeper_record

KERNEL, CLIENT, IDENTITY = "a" * 32, "c" * 32, "1" * 32


def frames(data: bytes) -> list[tuple[int, bytes]]:
    return list(FrameDecoder().feed_raw(data))


def output(number: int, text: str = "x", **head: Any) -> bytes:
    full = {"channel": "iopub", "type": "stream", "execution": None, "client": None, **head}
    return encode_record(number, number, full, [b"{}", b"{}", b"{}", text.encode()])


def note(at: int, kind: str, **content: Any) -> bytes:
    head, parts = keeper_record(kind, content, execution=content.get("execution"))
    return encode_record(at, at, head, parts)


def cell(first: int, execution: str, code: str = "1") -> list[bytes]:
    asked = {"client": CLIENT, "number": first, "type": "execute_request", "code": code}
    return [
        note(first, "request", execution=execution, msg_id="m", time=1.0, **asked),
        note(first + 1, "running", execution=execution, time=2.0),
        output(first + 2),
        note(first + 3, "ended", execution=execution, outcome="ok", count=1, time=3.0),
    ]


def mirrored(mirror: Mirror) -> bytes:
    reader, pieces = mirror.reader(0), []
    while piece := reader.read():
        pieces.append(piece)
    reader.close()
    return b"".join(pieces)
