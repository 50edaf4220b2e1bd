"""What waits for a kernel's keeper: requests in order, and interrupts."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from ..errors import RemoteGPUError, WireError
from ..wire.frames import encode_control
from ..wire.records import Record, check_id, encode_record

MAX_BYTES = 256 << 20
"""A face that sends more than this without an answer is told no."""

REQUESTS = frozenset(
    [
        "execute_request",
        "complete_request",
        "inspect_request",
        "is_complete_request",
        "history_request",
        "comm_info_request",
        "comm_open",
        "comm_msg",
        "comm_close",
        "input_reply",
    ]
)


def check_request(record: Record, client: str) -> None:
    """Raise `WireError` unless a keeper would take `record` from `client`.

    A keeper ends the connection of whoever sends nonsense, and that connection is shared.
    """
    if record.first != record.last or record.head.get("client") != client:
        raise WireError("a request has a wrong number or names another client")
    if record.type not in REQUESTS:
        raise WireError(f"a request of type {record.type!r:.40} is not taken")
    if len(record.parts) < 4 or not isinstance(record.json(0).get("msg_id"), str):
        raise WireError("a request is not a Jupyter message")
    content, meta = record.json(3), record.head.get("meta")
    if record.type == "execute_request" and not isinstance(content.get("code"), str):
        raise WireError("a request has no code")
    if meta is not None and not isinstance(meta, dict):
        raise WireError("what a request tells of its cell is not a JSON object")
    execution = record.head.get("execution")
    if record.type == "execute_request" or execution is not None:
        check_id(execution, "the execution's id")


def asked_execution(record: Record) -> str | None:
    """The execution that a request begins; None for one that only belongs to an execution."""
    return record.execution if record.type == "execute_request" else None


@dataclass(slots=True)
class Waiting:
    """A request that the keeper did not acknowledge yet; `sent`: it may have it."""

    data: bytes
    execution: str | None
    sent: bool = False


class Outbox:
    """Per kernel; everything is sent again, in order, on each new connection to the keeper."""

    def __init__(self) -> None:
        self.requests: OrderedDict[tuple[str, int], Waiting] = OrderedDict()
        self.interrupts: OrderedDict[str, tuple[str, str | None]] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def empty(self) -> bool:
        return not (self.requests or self.interrupts)

    def add(self, client: str, record: Record) -> bytes | None:
        """Take a request; its frames, or None when it waits here already.

        Raises
        ------
        RemoteGPUError
            When too much waits.
        """
        key = (client, record.first)
        if key in self.requests:
            return None
        data = encode_record(record.first, record.last, record.head, record.parts)
        if self.size + len(data) > MAX_BYTES and self.requests:
            raise RemoteGPUError(
                f"More than {MAX_BYTES >> 20} MiB of requests wait for the pod already. "
                "Wait until they are handed over, then try again.",
                code="outbox-full",
            )
        self.requests[key] = Waiting(data, asked_execution(record))
        self.size += len(data)
        return data

    def done(self, client: str, number: int) -> bool:
        """Forget a request that was answered; False when it was not waiting."""
        waiting = self.requests.pop((client, number), None)
        if waiting is None:
            return False
        self.size -= len(waiting.data)
        return True

    def sent(self, client: str, number: int) -> None:
        """Note that the keeper may have this one now."""
        if (client, number) in self.requests:
            self.requests[client, number].sent = True

    def take_unsent(self) -> list[tuple[str, int]]:
        """Remove the requests that no keeper can have seen; their keys."""
        keys = [key for key, waiting in self.requests.items() if not waiting.sent]
        for key in keys:
            self.done(*key)
        return keys

    def take_all(self) -> list[tuple[str, int]]:
        """Remove all requests; their keys."""
        keys = list(self.requests)
        for key in keys:
            self.done(*key)
        return keys

    def everything(self) -> list[bytes]:
        """All that waits, in order, as frames; requests count as sent from here on."""
        frames = []
        for waiting in self.requests.values():
            waiting.sent = True
            frames.append(waiting.data)
        frames += [interrupt_frame(tag, target) for tag, (_, target) in self.interrupts.items()]
        return frames


def interrupt_frame(tag: str, execution: str | None) -> bytes:
    """The control message that interrupts `execution`."""
    message: dict[str, Any] = {"type": "interrupt", "execution": execution, "tag": tag}
    return encode_control(message)
