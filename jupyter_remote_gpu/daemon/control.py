"""Service ``control``: requests answered by the table of ops, and snapshots as they change."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any, Protocol

from .. import _version
from ..errors import BadInput, RemoteGPUError, WireError, error_to_json
from ..wire import PROTOCOL
from ..wire.frames import CONTROL, MAX_PAYLOAD, decode_control, encode_control
from .connection import FaceConnection
from .snapshot import Snapshots

MAX_REQUESTS = 64
log = logging.getLogger(__name__)


class Ops(Protocol):
    """What can be asked."""

    async def perform(self, op: str, args: dict[str, Any]) -> dict[str, Any]: ...


class ControlSession:
    """One connection of service ``control``."""

    def __init__(self, connection: FaceConnection, ops: Ops, snapshots: Snapshots) -> None:
        self._connection = connection
        self._ops = ops
        self._snapshots = snapshots
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: asyncio.Task[None] | None = None
        self._sending = asyncio.Lock()

    async def serve(self) -> None:
        """Until the face goes away; what it asked for and waits is given up then.

        Raises
        ------
        WireError
            For a message that is not a request.
        """
        await self._connection.send(
            {
                "type": "welcome",
                "protocol": PROTOCOL,
                "version": _version.__version__,
                "identity": None,
                "next": 1,
                "alive": True,
                "pid": os.getpid(),
            }
        )
        try:
            while frames := await self._connection.read():
                for kind, payload in frames:
                    if kind != CONTROL:
                        raise WireError("a record is not a request to the control service")
                    self._take(decode_control(payload))
        finally:
            tasks = {*self._tasks, *([self._subscription] if self._subscription else [])}
            for task in tasks:
                task.cancel()
            if tasks:
                await asyncio.wait(tasks)

    def _take(self, message: dict[str, Any]) -> None:
        if "cancel" in message:
            self._cancel(message["cancel"])
            return
        number, op, args = message.get("id"), message.get("op"), message.get("args", {})
        if not isinstance(number, int) or not isinstance(op, str) or not isinstance(args, dict):
            raise WireError("a request has no id, no op, or no args")
        if len(self._tasks) >= MAX_REQUESTS:
            raise WireError(f"more than {MAX_REQUESTS} requests at once")
        if op == "subscribe":
            self._subscribe(args.get("revision"))
        task = asyncio.create_task(self._answer(number, op, args), name=str(number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _cancel(self, number: object) -> None:
        """Give up a request that nobody waits for any more; it is not answered."""
        for task in self._tasks:
            if task.get_name() == str(number):
                task.cancel()

    async def _answer(self, number: int, op: str, args: dict[str, Any]) -> None:
        reply: dict[str, Any] = {"id": number, "ok": True}
        try:
            reply["result"] = {} if op == "subscribe" else await self._ops.perform(op, args)
            data = _encoded(op, reply)
        except RemoteGPUError as e:
            data = encode_control({"id": number, "ok": False, "error": error_to_json(e)})
        except Exception as e:
            log.exception("op %s failed", op)
            error = error_to_json(_fault(op, e))
            data = encode_control({"id": number, "ok": False, "error": error})
        await self._write(data)

    def _subscribe(self, revision: object) -> None:
        if not isinstance(revision, int):
            raise BadInput("subscribe needs a revision: 0 for the present snapshot")
        self._snapshots.value()  # what this face has just changed is in its first one
        if self._subscription is not None:
            self._subscription.cancel()
        self._subscription = asyncio.create_task(self._follow(revision))

    async def _follow(self, revision: int) -> None:
        while True:
            revision, event = await self._snapshots.after(revision)
            await self._write(event)

    async def _write(self, data: bytes) -> None:
        # One writer at a time: whoever waits for a face that does not read holds the others.
        try:
            async with self._sending:
                await self._connection.write(data)
        except (ConnectionError, BrokenPipeError):
            self._connection.abort()  # the reader's side ends the session


def _fault(op: str, error: Exception) -> RemoteGPUError:
    if isinstance(error, OSError) and error.errno is not None:
        where = error.filename2 or error.filename
        return RemoteGPUError(
            f"The laptop does not let the daemon do {op}: {f'{where}: ' if where else ''}"
            f"{error.strerror}. Mend that (make room?), then try again.",
            code="local",
        )
    return RemoteGPUError(
        f"The daemon failed at {op} ({type(error).__name__}). Please report this with the "
        "end of its log (`jupyter remote-gpu log`).",
        code="internal",
    )


def _encoded(op: str, reply: dict[str, Any]) -> bytes:
    try:
        return encode_control(reply)
    except WireError as e:
        raise RemoteGPUError(
            f"The daemon's answer to {op} is larger than a message may be "
            f"({MAX_PAYLOAD >> 20} MiB). Ask for less: name one pod.",
            code="too-large",
        ) from e
