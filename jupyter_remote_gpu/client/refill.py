"""What a notebook ran on its pods, and what each of its cells shows by the mirror."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

from ..errors import DaemonError, RemoteGPUError
from ..models import Outcome
from ..wire.records import Record
from .area import Output
from .channel import Channel
from .control import Control
from .outputs import OutputFold

__all__ = ["Completed", "Reading", "completed", "executions_of", "find"]

READ_SECONDS = 300.0
"""A log within its bound (2 GB) is read in less; more than that is a daemon that hangs."""
CLOSE_SECONDS = 5.0


@dataclass(frozen=True)
class Completed:
    """What the cell of an execution shows, as far as the mirror knows.

    Attributes
    ----------
    execution : dict
        As `executions_of` has it.
    code : str
        All of the cell's code.
    outputs : list of dict
        As nbformat 4 has them.
    outcome : str or None
        See `Outcome`; None while it is queued or runs.
    cursor : int
        Everything up to this record of the log is in the outputs.
    first : int
        The record of the request.
    widgets : dict or None
        A notebook's ``metadata.widgets`` for what is shown; None where there is no widget.
    """

    execution: dict[str, Any]
    code: str
    outputs: list[Output]
    execution_count: int | None
    outcome: str | None
    cursor: int
    first: int
    widgets: dict[str, Any] | None


async def executions_of(control: Control, notebook: str) -> list[dict[str, Any]]:
    """What a notebook ran, oldest first, on whichever pod and kernel.

    Parameters
    ----------
    notebook : str
        As its kernel was told (``JPY_SESSION_NAME``): an absolute path.

    Raises
    ------
    DaemonError
        If it does not answer.
    """
    told = await control.request("execution.list", notebook=notebook)
    rows: list[dict[str, Any]] = told["executions"]
    return rows


async def find(control: Control, execution: str) -> dict[str, Any]:
    """One execution, with where it runs.

    Raises
    ------
    NotFound
        If nothing is known of it here.
    """
    found = await control.request("execution.find", id=execution)
    return {**found.pop("execution"), **found}


async def completed(control: Control, execution: str) -> Completed:
    """Read what an execution has said so far.

    Raises
    ------
    RemoteGPUError
        If nothing is known of it, or its log cannot be read.
    """
    found = await find(control, execution)
    reading = Reading(found)
    try:
        return await reading.upto(found)
    finally:
        await reading.close()


class Reading:
    """Follows the log from an execution's request to its end; `close` it.

    Parameters
    ----------
    found : dict
        The execution, by `find`.

    Attributes
    ----------
    changed : int
        The newest record that can have changed what is shown.
    """

    def __init__(self, found: dict[str, Any]) -> None:
        self._id = str(found["id"])
        self._first = int(found["first"])
        self._code: str | None = None
        self._fold = OutputFold(self._id, cursor=self._first - 1, count=_count(found))
        self._news = asyncio.Event()
        self.changed = 0
        self._channel = Channel(
            pod=str(found["pod"]),
            kernel=str(found["kernel"]),
            identity=str(found["identity"]),
            # Of its own: two channels of one client would supersede each other.
            client=uuid.uuid4().hex,
            cursor=self._first - 1,
            on_batch=self._on_batch,
            on_control=self._on_control,
        )
        self._task = asyncio.create_task(self._channel.run(), name=f"reading {self._id[:8]}")
        self._task.add_done_callback(lambda _: self._news.set())

    async def upto(self, found: dict[str, Any], seconds: float = READ_SECONDS) -> Completed:
        """What is shown once all that `find` tells of was read.

        Raises
        ------
        RemoteGPUError
            If the log cannot be read, or not within so many seconds.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self._fold.cursor < found["last"] and not self._over:
            if self._task.done():
                raise self._failure()
            self._news.clear()
            waiting = asyncio.ensure_future(self._news.wait())
            try:
                await asyncio.wait([waiting], timeout=max(0.0, deadline - loop.time()))
            finally:
                waiting.cancel()
            if loop.time() >= deadline:
                raise DaemonError(
                    f"The log of execution {self._id[:8]} was not read within {seconds:g} s. Try "
                    "again.",
                    code="timeout",
                )
        return self._so_far(found)

    async def close(self) -> None:
        """Let go of the log."""
        await self._channel.close()
        self._task.cancel()  # it may not have begun
        await asyncio.wait([self._task], timeout=CLOSE_SECONDS)

    @property
    def _over(self) -> bool:
        return self._fold.outcome is not None

    def _so_far(self, found: dict[str, Any]) -> Completed:
        fold = self._fold
        outcome = fold.outcome
        if outcome is None and (found.get("outcome") or found.get("kernel_ended")):
            # Its keeper was killed, or its end was dropped from the log.
            outcome = str(found.get("outcome") or Outcome.DIED)
        return Completed(
            execution=found,
            code=str(found["code"]) if self._code is None else self._code,
            outputs=[dict(output) for output in fold.outputs],  # theirs go on changing
            execution_count=fold.execution_count,
            outcome=outcome,
            cursor=fold.cursor,
            first=self._first,
            widgets=fold.comms.widget_state() or None,
        )

    def _failure(self) -> RemoteGPUError:
        error = None if self._task.cancelled() else self._task.exception()
        if isinstance(error, RemoteGPUError):
            return error
        return DaemonError(f"The log of execution {self._id[:8]} is not read any more: {error}.")

    async def _on_batch(self, records: list[Record]) -> None:
        for record in records:
            if self._over:
                break
            self._fold.feed(record)
            if record.channel == "iopub" or record.execution == self._id:
                self.changed = record.last
            if record.type == "request" and record.execution == self._id:
                code = record.content.get("code")
                self._code = code if isinstance(code, str) else self._code
        self._news.set()

    async def _on_control(self, message: dict[str, Any]) -> None:
        """Nothing was asked for, so nothing is answered."""


def _count(found: dict[str, Any]) -> int | None:
    count = (found.get("meta") or {}).get("count")
    return count if isinstance(count, int) and not isinstance(count, bool) else None
