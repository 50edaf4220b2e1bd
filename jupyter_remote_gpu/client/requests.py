"""A request as a Jupyter message."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

__all__ = ["message_parts"]


def message_parts(
    type: str,
    content: dict[str, Any],
    msg_id: str,
    session: str,
    buffers: Sequence[bytes] = (),
    header: dict[str, Any] | None = None,
) -> list[bytes]:
    """Its parts: header, parent_header, metadata, content, buffers.

    Parameters
    ----------
    header : dict, optional
        More fields of the header.
    """
    message = {
        "msg_id": msg_id,
        "msg_type": type,
        "username": "",
        "session": session,
        # To the microsecond: a kernel refuses a second message of the same bytes.
        "date": datetime.now(timezone.utc).isoformat(),
        "version": "5.3",
        **(header or {}),
    }
    return [_json(message), b"{}", b"{}", _json(content), *buffers]


def _json(value: dict[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    with contextlib.suppress(UnicodeEncodeError):
        return text.encode("utf-8")
    # A lone surrogate (a file name) cannot be UTF-8; JSON can say it in ASCII.
    return json.dumps(value, separators=(",", ":"), default=str).encode("ascii")
