"""A kernel on a pod, opened by this process: its channel, its cells, its comms."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any

from ..client.comms import CommFold
from ..client.threaded import Face, ThreadedChannel
from ..errors import RemoteGPUError, error_from_json
from ..models import Outcome
from ..wire.compact import trim
from ..wire.records import Record
from .comms import CommHub
from .delivery import COMMS, deliver, take_news
from .execution import DOWN, Execution
from .pacing import Item, Pacer
from .raised import GONE
from .sink import running_kernel

if TYPE_CHECKING:
    from .follower import Follower

__all__ = ["DOWN", "RemoteKernel"]

log = logging.getLogger(__name__)

_KEPT = 200
CLOSE_SECONDS = 10.0
"""How long it may take to tell the front ends that widgets are gone (paced as all is)."""
ACCEPT_SECONDS = 5.0
"""How long a cell that was just handed over is waited for before it can be attached to."""


class RemoteKernel:
    """Reads a remote kernel's records and shows each where it belongs.

    All `on_…` methods run in the face's background loop, one after the other.

    Parameters
    ----------
    face : Face
    shell : InteractiveShell
    pacer : Pacer
        One a process: limits are of the local kernel, not of the remote one.
    opened : dict
        The result of `kernel.open`: pod, kernel, identity, last, started, …

    Attributes
    ----------
    died : dict or None
        What is known of its end.
    over : threading.Event
        Set when it has ended.
    ran : bool
        Whether it ever ran anything, as far as is known; if not, it may not have started.
    broken : BaseException or None
        Why nobody reads it any more, though it may live.
    trouble : dict
        What is no longer safe (a full disk), by where.
    ahead : float
        Seconds by which the laptop's clock is ahead of the pod's, as far as is known.
    """

    def __init__(self, face: Face, shell: Any, pacer: Pacer, opened: dict[str, Any]) -> None:
        self.face, self.shell, self.pacer, self.info = face, shell, pacer, opened
        self.pod, self.id = str(opened["pod"]), str(opened["kernel"])
        self.identity = str(opened["identity"])
        self.seen = int(opened["last"])
        self.counts: OrderedDict[int, int] = OrderedDict()
        self.executions: OrderedDict[str, Execution] = OrderedDict()
        self._executions_lock = threading.Lock()
        self.followers: dict[str, Follower] = {}
        self.link: dict[str, Any] = {}
        self.died: dict[str, Any] | None = None
        self.over = threading.Event()
        self.ran = opened.get("joined") is not False
        self.trouble: dict[str, str] = {}
        self.ahead = float("inf")
        self.broken: BaseException | None = None
        self._tags: dict[str, Callable[[bool], None]] = {}
        self._tags_lock = threading.Lock()
        self.turn = asyncio.Lock()
        self._progress = asyncio.Event()
        local = running_kernel(shell)
        self.hub = None if local is None else CommHub(local, self._submit_comm, self.seen)
        self.channel: ThreadedChannel = face.open_channel(
            pod=self.pod,
            kernel=self.id,
            identity=self.identity,
            cursor=self.seen,
            on_batch=self.on_batch,
            on_control=self.on_control,
            wanted=lambda: bool(self._waiting()),
        )
        self.channel.done.add_done_callback(self._channel_ended)

    def _submit_comm(self, *args: Any, **keys: Any) -> int:
        return self.channel.submit(*args, **keys)

    def add(self, execution: Execution) -> None:
        """Take up an execution; before it is submitted, so that nothing of it is missed."""
        with self._executions_lock:
            self.executions[execution.id] = execution
            for id in list(self.executions)[:-_KEPT]:
                if self.executions[id].outcome is not None:
                    del self.executions[id]
        if self.broken is not None:  # that was told to those that were there
            execution.events.put(("broken", self.broken))

    def submit(self, execution: Execution, content: dict[str, Any], **more: Any) -> int:
        """Hand a cell over; its number is known before an answer can name it."""
        with self._tags_lock:
            execution.number = self.channel.submit(
                "execute_request",
                content,
                msg_id=execution.msg_id,
                execution=execution.id,
                **more,
            )
            return execution.number

    def interrupt(self, execution: str | None, done: Callable[[bool], None] | None = None) -> None:
        """Interrupt one execution (None: whatever runs); `done` hears whether it ran."""
        with self._tags_lock:
            tag = self.channel.interrupt(execution)
            if done is not None:
                self._tags[tag] = done

    def close(self, *, tell: bool = False) -> None:
        """Let go of the kernel, which goes on. With `tell` the front ends lose its widgets."""
        for follower in list(self.followers.values()):
            follower.close()
        self.broken = RemoteGPUError(f"This notebook has let go of its kernel on {self.pod}.")
        self.channel.close()
        if self.hub is not None and (closed := self.hub.close()) and tell:
            wait([self.face.submit(self.pacer.send(closed))], CLOSE_SECONDS)

    async def caught_up(self, number: int) -> None:
        """Wait until all up to record `number` is shown, for who shows a part of it again."""
        while True:
            progress = self._progress
            async with self.turn:
                if self.seen >= number or self.broken is not None:
                    return
            await progress.wait()

    async def reopen(self, fold: CommFold) -> bool:
        """Show the comms of a log that was read; False if it is behind what was shown."""
        async with self.turn:
            if fold.cursor < self.seen:
                return False
            if self.hub is not None:
                await self.pacer.send(self.hub.reopen(fold))
            return True

    def resume(self) -> None:
        """Follow the kernel again, from where its channel gave up."""
        self.broken = None
        self.channel.resume()
        self.channel.done.add_done_callback(self._channel_ended)

    def lose(self, how: dict[str, Any]) -> None:
        """It is no more, and its log will not say so: what was asked of it ends."""
        self.died = self.died or how
        for execution in self._waiting():
            execution.died, execution.outcome = self.died, str(Outcome.DIED)
            execution.accepted.set()
            execution.tell(("ended", how))  # who waits may be in another thread
        self._end()

    async def on_batch(self, records: list[Record]) -> None:
        """Show what one read brought."""
        async with self.turn:
            await self._show(records)
        self._go_on()

    def _go_on(self) -> None:
        """Let those look who wait for what is shown."""
        self._progress.set()
        self._progress = asyncio.Event()

    async def _show(self, records: list[Record]) -> None:
        items: list[Item] = []
        for record in records:
            try:
                if (rest := trim(record, self.seen)) is not None:
                    if self.hub is not None and rest is not record:
                        items += self.hub.stop_capture(rest)
                    await self._take(rest, items)
                    if self.hub is not None:
                        self.hub.note(rest)
            except Exception as e:  # one odd record costs no other one
                log.warning("record %d of kernel %s", record.last, self.id, exc_info=True)
                owner = self.executions.get(record.execution or "")
                for execution in [owner] if owner is not None else self._waiting():
                    execution.leave_out(e)
            self.seen = max(self.seen, record.last)
        await self.pacer.flush(items)
        for execution in self._waiting():
            execution.due_questions(self.seen)

    async def on_control(self, message: dict[str, Any]) -> None:
        """Take the daemon's word on requests, interrupts and the link."""
        kind = message.get("type")
        if kind == "link":
            self.link = message
            self._tell(("link", message))
            if message.get("code") == GONE:
                self.lose({"gone": True})
        elif kind == "ack":
            execution = self.executions.get(str(message.get("execution")))
            if execution is not None:
                execution.accept(message.get("record"))
        elif kind == "rejected":
            error = error_from_json(message.get("error"))
            self._tell(("rejected", message.get("number"), error))
            self._reject(message.get("number"), error)
        elif kind == "trouble":
            where, text = str(message.get("where")), str(message.get("message") or "")
            self.trouble[where] = text
            self._tell(("trouble", text, where))
        elif kind == "interrupted":
            with self._tags_lock:
                done = self._tags.pop(str(message.get("tag")), None)
            if done is not None:
                done(bool(message.get("done")))

    def _reject(self, number: object, error: RemoteGPUError) -> None:
        with self._tags_lock:
            waiting = self._waiting()
        for execution in waiting:
            if execution.number == number:  # a detached one: nobody reads its events
                execution.outcome, execution.rejected = str(Outcome.ABORTED), error
                execution.accepted.set()

    def wait_for_request(self, execution: Execution) -> bool:
        """Whether the pod has the execution in its journal; waits a moment for it."""
        return execution.accepted.wait(ACCEPT_SECONDS)

    def newest_open(self) -> str | None:
        """The newest cell that has not ended as far as is known: it may still wait for the link."""
        waiting = self._waiting()
        return waiting[-1].id if waiting else None

    def _waiting(self) -> list[Execution]:
        with self._executions_lock:
            return [e for e in self.executions.values() if e.outcome is None]

    def _tell(self, event: tuple[Any, ...]) -> None:
        for execution in self._waiting():
            execution.tell(event)

    async def _take(self, record: Record, items: list[Item]) -> None:
        """Add what `record` shows to `items`, or send them and tell whoever waits for it."""
        execution = self.executions.get(record.execution or "")
        if execution is not None:
            items += execution.missing(record)
        self.ran = self.ran or record.type == "running"
        if record.channel == "keeper" and isinstance(at := record.content.get("time"), float):
            self.ahead = min(self.ahead, time.time() - at)  # the least delayed tells best
        if record.channel == "iopub":
            if record.type not in COMMS and execution is not None:
                items += execution.take(record)
            elif self.hub is not None and record.type in COMMS:
                follower = self.followers.get(record.execution or "")
                items += self.hub.comm(record, execution, follower)
            elif self.hub is not None:
                items += self.hub.callback(record)
        elif record.channel == "keeper" and record.execution is None:
            for each in self._waiting():
                items += each.missing(record)
                take_news(record, each)
            if record.type == "died":
                self.died = record.content
                await self.pacer.flush(items)
                self._end()
        elif execution is not None:
            await deliver(self.pacer, record, execution, items)

    def _channel_ended(self, done: Future[None]) -> None:
        """The channel gave up, or was closed: whoever waits must hear of it."""
        if not done.cancelled() and (error := done.exception()) is not None:
            self.broken = error
            self._tell(("broken", error))
        self._go_on()

    def _end(self) -> None:
        self.over.set()
        if self.hub is not None and (closed := self.hub.close_all()):
            self.face.submit(self.pacer.send(closed))
