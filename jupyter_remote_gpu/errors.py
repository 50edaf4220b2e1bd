"""The project's own errors: each has a code for programs and a sentence for people."""

from __future__ import annotations

import json
from typing import Any

__all__ = [
    "BadInput",
    "Conflict",
    "DaemonError",
    "HostKeyChanged",
    "HostKeyUnknown",
    "LinkError",
    "NotConnected",
    "NotFound",
    "PodError",
    "RemoteGPUError",
    "TransportError",
    "VersionMismatch",
    "WireError",
    "error_from_json",
    "error_to_json",
    "plain",
]

MAX_MESSAGE, MAX_CODE, MAX_DETAILS = 4000, 60, 64 << 10
"""How much of an error of the other side is taken, in characters."""


class RemoteGPUError(Exception):
    """Base of all errors that a user is meant to read.

    Parameters
    ----------
    message : str
        A sentence that says what is wrong and what to do next.
    code : str, optional
        A short machine-readable word; the class's own by default.
    details : dict, optional
        JSON values for programs (a fingerprint, a list of names).
    """

    code = "error"

    def __init__(
        self, message: str, *, code: str | None = None, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        self.details = details or {}


class BadInput(RemoteGPUError):
    """What the user gave cannot be used as it is."""

    code = "bad-input"


class NotFound(RemoteGPUError):
    """A pod, kernel or execution of that name is not known."""

    code = "not-found"


class Conflict(RemoteGPUError):
    """The thing exists already, or its state does not allow this."""

    code = "conflict"


class WireError(RemoteGPUError):
    """Bytes on a socket or in a file that are not of this protocol."""

    code = "wire"


class VersionMismatch(RemoteGPUError):
    """The other side speaks another protocol version."""

    code = "version"


class DaemonError(RemoteGPUError):
    """The daemon could not be started or reached."""

    code = "daemon"


class LinkError(RemoteGPUError):
    """The link to a pod cannot be had, and trying again by itself will not help."""

    code = "link"


class TransportError(LinkError):
    """The network failed: trying again may help."""

    code = "transport"


class NotConnected(LinkError):
    """The pod is not connected, so the cell cannot be handed over."""

    code = "not-connected"


class HostKeyUnknown(LinkError):
    """The pod showed a host key that nobody has confirmed yet."""

    code = "host-key"


class HostKeyChanged(LinkError):
    """The pod showed another host key than the pinned one."""

    code = "host-key-changed"


class PodError(RemoteGPUError):
    """A command on the pod failed (no Python, no place to write, no ipykernel)."""

    code = "pod"


_CLASSES: dict[str, type[RemoteGPUError]] = {
    c.code: c
    for c in (
        BadInput,
        NotFound,
        Conflict,
        WireError,
        VersionMismatch,
        DaemonError,
        LinkError,
        TransportError,
        NotConnected,
        HostKeyUnknown,
        HostKeyChanged,
        PodError,
    )
}


def error_to_json(error: RemoteGPUError) -> dict[str, Any]:
    """What travels over a socket for `error`: ``kind``, ``code``, ``message``, ``details``."""
    kind = next((k for c in type(error).__mro__ for k, v in _CLASSES.items() if v is c), "error")
    return {
        "kind": kind,
        "code": error.code,
        "message": error.message,
        "details": error.details,
    }


def error_from_json(data: Any) -> RemoteGPUError:
    """The inverse of `error_to_json`; unknown kinds become the base class."""
    if not isinstance(data, dict):
        return RemoteGPUError(f"the other side answered with an unreadable error: {data!r:.200}")
    details = data.get("details")
    cls = _CLASSES.get(str(data.get("kind")), RemoteGPUError)
    # Bounded: it is shown, kept, and sent on in a frame; and the pod may say what it likes.
    fits = isinstance(details, dict) and len(json.dumps(details)) <= MAX_DETAILS
    return cls(
        str(data.get("message", "no message"))[:MAX_MESSAGE],
        code=str(data.get("code", cls.code))[:MAX_CODE],
        details=details if fits else {},
    )


def plain(text: str, limit: int = 2000, *, line: bool = False) -> str:
    """What another machine said, as text that no terminal obeys.

    Parameters
    ----------
    limit : int
        Characters that are kept.
    line : bool
        Line breaks become spaces.
    """
    kept = text if len(text) <= limit else text[: limit - 1] + "…"
    return "".join(
        c if c.isprintable() or (c == "\n" and not line) else " " if c.isspace() else _escaped(c)
        for c in kept
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
