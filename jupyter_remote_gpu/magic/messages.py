"""A kernel's message on its last hop: bytes that are looked into only where they must be."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from ..errors import WireError
from ..wire.records import Record

__all__ = ["Message", "dump", "load", "new_message"]


def dump(value: Any) -> bytes:
    """`value` as JSON, also when a text in it holds half of a surrogate pair."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def load(data: bytes, what: str) -> dict[str, Any]:
    """The JSON object in `data`; `WireError` naming `what` if it is none.

    Bytes that are no UTF-8 (a printed file name may have such) are read as every reader
    of Jupyter messages reads them.
    """
    try:
        value = json.loads(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as e:
        raise WireError(f"{what} is not JSON") from e
    if not isinstance(value, dict):
        raise WireError(f"{what} is not a JSON object")
    return value


@dataclass(slots=True)
class Message:
    """What one iopub message shows, without its parent (the sink knows that).

    Attributes
    ----------
    type : str
        The msg_type.
    header : dict
        Sent as it was read, and not as it was written: of a key that is written twice
        each reader would take the one that it likes.
    metadata, content : bytes
        JSON as the remote kernel sent it.
    """

    type: str
    header: dict[str, Any]
    metadata: bytes
    content: bytes
    buffers: list[bytes] = field(default_factory=list)
    _parsed: dict[str, Any] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, record: Record) -> Message:
        """The message that `record` carries; all of it can be read by whoever shows it.

        Raises
        ------
        WireError
            If a part is missing or unreadable, or its own header calls it something else
            than the record does: what passes is decided by the record's type.
        """
        if len(record.parts) < 4:
            raise WireError(f"record {record.first} is not a whole kernel message")
        head, _, metadata, content, *buffers = record.parts
        header = load(head, f"the header of record {record.first}")
        if header.get("msg_type") != record.type:
            kind = str(header.get("msg_type"))
            raise WireError(f"record {record.first} says {record.type} and holds {kind:.40}")
        if metadata != b"{}":
            load(metadata, f"the metadata of record {record.first}")
        message = cls(record.type, header, metadata, content, buffers)
        parsed = message.parse()
        if record.type == "stream" and not (
            parsed.get("name") in ("stdout", "stderr") and isinstance(parsed.get("text"), str)
        ):
            raise WireError(f"record {record.first} is a stream without name or text")
        return message

    def parse(self) -> dict[str, Any]:
        """The content, decoded; not to be changed."""
        if self._parsed is None:
            self._parsed = load(self.content, f"the content of a {self.type} message")
        return self._parsed

    def with_content(self, content: dict[str, Any] | bytes, suffix: str = "") -> Message:
        """The same message with other content; `suffix` makes its msg_id another one.

        Readers that check signatures take two messages with equal header and content
        for a replay and drop the second.
        """
        body = content if isinstance(content, bytes) else dump(content)
        header = self.header
        if suffix:
            header = {**header, "msg_id": f"{header.get('msg_id', '')}{suffix}"}
        return Message(self.type, header, self.metadata, body, self.buffers)


def new_message(
    kind: str,
    content: dict[str, Any],
    *,
    metadata: dict[str, Any] | None = None,
    buffers: list[bytes] | None = None,
) -> Message:
    """A message of our own.

    Its msg_id is a uuid, because the local session's counter has no lock and this may
    be called in any thread.
    """
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": kind,
        "username": "",
        "session": "",
        "date": datetime.now(timezone.utc).isoformat(),
        "version": "5.3",
    }
    return Message(kind, header, dump(metadata or {}), dump(content), buffers or [])
