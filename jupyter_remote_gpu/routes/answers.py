"""The base of our handlers: bodies in, JSON and errors out."""

from __future__ import annotations

import asyncio
import json
import math
from http.client import responses
from types import TracebackType
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.iostream import StreamClosedError

from ..errors import (
    BadInput,
    Conflict,
    DaemonError,
    HostKeyChanged,
    HostKeyUnknown,
    LinkError,
    NotConnected,
    NotFound,
    PodError,
    RemoteGPUError,
    VersionMismatch,
    WireError,
)
from .document import check_body
from .manager import Manager

__all__ = ["AUTH_RESOURCE", "RemoteGPUHandler", "status_of"]

AUTH_RESOURCE = "remote_gpu"
# The first that fits counts: some are kinds of those that follow.
_STATUS: tuple[tuple[type[RemoteGPUError], int], ...] = (
    (BadInput, 400),
    (NotFound, 404),
    (Conflict, 409),
    (HostKeyUnknown, 409),
    (HostKeyChanged, 409),
    (NotConnected, 409),
    (LinkError, 502),
    (PodError, 502),
    (WireError, 502),
    (VersionMismatch, 503),
    (DaemonError, 503),
)
_CODES = {400: "bad-input", 403: "forbidden", 404: "not-found", 405: "method-not-allowed"}


def status_of(error: RemoteGPUError) -> int:
    """The HTTP status that stands for one of our errors."""
    if isinstance(error, DaemonError) and error.code == "timeout":
        return 504
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 502)


class RemoteGPUHandler(APIHandler):
    """Answers in JSON; an error of ours becomes its status and a sentence, here only.

    Attributes
    ----------
    manager : Manager
    """

    auth_resource = AUTH_RESOURCE

    def initialize(self, manager: Manager, path: str) -> None:
        self.manager = manager
        self._path = path

    def body(self) -> dict[str, Any]:
        """The request's body, as the OpenAPI document wants it.

        Raises
        ------
        BadInput
        """
        return check_body(self._path, str(self.request.method).lower(), self.request.body)

    def answer(self, value: dict[str, Any], status: int = 200) -> None:
        """Finish with `value` as JSON."""
        self.set_status(status)
        self.finish(_encode(value))

    async def answer_in_pieces(self, value: dict[str, Any], name: str) -> None:
        """`answer` where the list `name` may be large: others have their turn between its items."""
        items = value.pop(name)
        self.set_header("Content-Type", "application/json")
        self.write(f'{_encode(value)[:-1]}, "{name}": [')
        try:
            for i, item in enumerate(items):
                self.write((", " if i else "") + _encode(item))
                await self.flush()
                await asyncio.sleep(0)  # a socket that takes all at once gives no turn
        except StreamClosedError:
            return  # whoever asked has gone
        self.finish("]}")

    def compute_etag(self) -> str | None:
        """None: only who sets one has one."""
        return None

    def set_default_headers(self) -> None:
        """No answer is kept, or only to be asked for again."""
        super().set_default_headers()
        self.set_header("Cache-Control", "no-cache")

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Where an error of ours gets its status."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        if isinstance(error, RemoteGPUError):
            status_code = status_of(error)
        super().send_error(status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """``message``, ``reason`` (HTTP's words), ``code``, ``details``."""
        error = (kwargs.get("exc_info") or (None, None))[1]
        phrase = responses.get(status_code, "Unknown")
        told: dict[str, Any] = {
            "message": phrase,
            "reason": phrase,
            "code": _CODES.get(status_code, "internal"),
            "details": {},
        }
        if isinstance(error, RemoteGPUError):
            told |= {"message": error.message, "code": error.code, "details": error.details}
        elif isinstance(error, web.HTTPError):
            told["message"] = (error.log_message or phrase) % error.args
        else:
            told["message"] = "The server failed at this request: its log says why."
        self.finish(_encode(told))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """An error of ours is an answer; what it says may be the user's own text."""
        if isinstance(value, RemoteGPUError):
            self.log.info("%s %s: %s", self.request.method, self.request.path, value.code)
        else:
            super().log_exception(typ, value, tb)


def _encode(value: dict[str, Any]) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:  # a kernel's output may have NaN in it, which is not JSON
        return json.dumps(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list) else value
