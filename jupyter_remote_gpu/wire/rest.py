"""What of a compacted record is new to a log that has its beginning."""

from __future__ import annotations

from ..errors import WireError
from .compact import trim
from .frames import HEAD
from .records import decode_record


def rest_of(frame: bytes, cursor: int) -> bytes:
    """What follows `cursor` of the whole record in `frame`, as a frame.

    Raises
    ------
    WireError
        If the record is damaged, or nothing of it follows `cursor`.
    """
    record = trim(decode_record(frame[HEAD.size :]), cursor)
    if record is None:
        raise WireError(f"nothing of a record follows {cursor}")
    return record.encode()
