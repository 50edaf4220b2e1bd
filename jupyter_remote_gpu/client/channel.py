"""The async face of one kernel: its records once and in order, requests handed over once."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..errors import DaemonError, VersionMismatch, WireError, error_from_json
from ..wire.frames import CONTROL, decode_control, encode_control
from ..wire.records import Record, RecordAssembler, check_id, encode_record
from .connection import Connection, ConnectionLost, dial
from .identity import next_number
from .requests import message_parts
from .within import within

SPAWN_TRIES = 3
"""How often in a row a daemon may fail to start before the channel gives up."""
LOST_SECONDS = (0.0, 0.05, 0.2, 1.0, 2.0)
"""The pause before it dials again, by how often in a row the connection was lost soon."""
STOPPED_SECONDS = 1.0
"""How often it is looked for another daemon, where the last one was stopped and none is wanted."""
STEADY_SECONDS = 5.0
"""A connection that lasted longer was not lost soon."""


class Channel:
    """One kernel's log from a cursor on, and the way to it; survives the daemon's death.

    Parameters
    ----------
    pod, kernel, identity : str
        As `kernel.open` told.
    client : str
        Who asks; requests are numbered per client.
    cursor : int
        ``last`` of the newest record that was read; 0 is the beginning.
    on_batch : coroutine function
        Gets all records that one read made complete, in order, each once. The next read
        waits for it. A compacted record may begin at or before the cursor: the fold trims it.
    on_control : coroutine function
        Gets the control messages (ack, rejected, interrupted, link, trouble).
    wanted : callable, optional
        Whether what comes is waited for; by default always. If not, a daemon that the user has
        stopped is not started again for it before something is asked.
    """

    def __init__(
        self,
        *,
        pod: str,
        kernel: str,
        identity: str,
        client: str,
        cursor: int,
        on_batch: Callable[[list[Record]], Awaitable[None]],
        on_control: Callable[[dict[str, Any]], Awaitable[None]],
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.pod = pod
        self.kernel = check_id(kernel, "the kernel's id")
        self.identity = identity
        self.client = client
        self.cursor = cursor
        self._on_batch = on_batch
        self._on_control = on_control
        self._wanted = wanted
        self._asked = asyncio.Event()
        self._lock = threading.Lock()
        # Requests by number and interrupts by tag, as long as they are not answered: in the
        # order in which they were asked for, because an interrupt names what goes before it.
        self._waiting: dict[int | str, bytes] = {}
        self._unsent: deque[int | str] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._last_word: dict[str, Any] | None = None
        self._closed = False

    @property
    def unacknowledged(self) -> int:
        """Requests that are not yet in the journal, as far as is known."""
        with self._lock:
            return sum(isinstance(key, int) for key in self._waiting)

    async def run(self) -> None:
        """Follow the kernel until `close`.

        Raises
        ------
        WireError
            If what comes is not of this protocol or not continuous; also with code
            ``identity`` (the journal is another one) or ``cursor``.
        NotFound
            If neither the laptop nor the pod has this kernel.
        DaemonError
            If no daemon can be had.
        """
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        failures = losses = 0
        try:
            while not self._closed:
                try:
                    connection = await self._dial()
                except DaemonError as e:
                    if e.code == "daemon-absent":
                        await self._until_asked()
                        continue
                    failures += 1
                    if failures >= SPAWN_TRIES:
                        raise
                    await asyncio.sleep(0.2 * failures)
                    continue
                failures, began = 0, self._loop.time()
                try:
                    if connection.welcome.get("identity") != self.identity:
                        raise WireError("The daemon serves another journal.", code="identity")
                    self._start(connection)
                    await self._follow(connection)
                except ConnectionLost:
                    steady = self._loop.time() - began > STEADY_SECONDS
                    losses = 0 if steady else losses + 1
                finally:
                    self._connection = None
                    await connection.close()
                await asyncio.sleep(LOST_SECONDS[min(losses, len(LOST_SECONDS) - 1)])
        except asyncio.CancelledError:
            if not self._closed:
                raise
        finally:
            self._task = None

    async def close(self) -> None:
        """Let go of the kernel; it runs on. `run` returns."""
        self._closed = True
        task = self._task
        if task is not None and task is not asyncio.current_task():
            task.cancel()
            await asyncio.wait([task])

    # -- what the face asks for (from any thread)

    def submit(
        self,
        type: str,
        content: dict[str, Any],
        *,
        channel: str = "shell",
        msg_id: str,
        execution: str | None = None,
        answers: int | None = None,
        meta: dict[str, Any] | None = None,
        buffers: Sequence[bytes] = (),
        header: dict[str, Any] | None = None,
    ) -> int:
        """Hand a request over, once, however often the link is cut; its number.

        Parameters
        ----------
        type, content, channel, msg_id, buffers
            Of the Jupyter message; `msg_id` is the local cell's.
        execution : str, optional
            The id of the cell that it belongs to.
        answers : int, optional
            For an ``input_reply``: number of the record with the ``input_request``.
        meta : dict, optional
            What the execution's record should tell (notebook, cell, …).
        header : dict, optional
            More fields of the message's header (``subshell_id`` is taken out on the way).
        """
        head: dict[str, Any] = {"channel": channel, "type": type, "client": self.client}
        if execution is not None:
            head["execution"] = check_id(execution, "the execution's id")
        if answers is not None:
            head["answers"] = answers
        if meta is not None:
            head["meta"] = meta
        parts = message_parts(type, content, msg_id, self.client, buffers, header)
        with self._lock:
            number = next_number(self.client)
            self._ask(number, encode_record(number, number, head, parts))
        self._wake()
        return number

    def interrupt(self, execution: str | None) -> str:
        """Ask for an interrupt of `execution` (None: whatever runs); the tag of the answer."""
        tag = uuid.uuid4().hex
        message = {"type": "interrupt", "execution": execution, "tag": tag}
        with self._lock:
            self._ask(tag, encode_control(message))
        self._wake()
        return tag

    # -- the connection

    async def _dial(self) -> Connection:
        hello = {
            "service": f"kernel:{self.kernel}",
            "client": self.client,
            "pod": self.pod,
            "identity": self.identity,
            "cursor": self.cursor,
        }
        self._asked.clear()
        spawn = bool(self._waiting) or self._wanted()
        try:
            return await dial(hello, spawn=spawn)
        except (DaemonError, VersionMismatch) as e:
            if spawn or e.details.get("stopped"):
                raise
            return await dial(hello, spawn=True)  # it was killed, and the kernel keeps its reader

    async def _until_asked(self) -> None:
        with contextlib.suppress(asyncio.TimeoutError):
            await within(self._asked.wait(), STOPPED_SECONDS)

    def _start(self, connection: Connection) -> None:
        self._connection = connection
        with self._lock:
            self._unsent = deque(self._waiting)
        self._flush()

    def _ask(self, key: int | str, data: bytes) -> None:
        self._waiting[key] = data
        self._unsent.append(key)

    def _wake(self) -> None:
        loop = self._loop
        if loop is None:
            return
        try:
            here = asyncio.get_running_loop() is loop
        except RuntimeError:
            here = False
        if here:
            self._flush()
        else:
            loop.call_soon_threadsafe(self._flush)

    def _flush(self) -> None:
        connection = self._connection
        if connection is None:
            self._asked.set()
            return  # all of it is sent when the connection is there
        with self._lock:
            while self._unsent:
                data = self._waiting.get(self._unsent.popleft())
                if data is not None:
                    connection.write(data)

    async def _follow(self, connection: Connection) -> None:
        assembler = RecordAssembler()
        while not self._closed:
            batch: list[Record] = []
            for kind, payload in await connection.read():
                if kind == CONTROL:
                    await self._take(connection, decode_control(payload))
                elif (record := assembler.feed(kind, payload)) is not None:
                    self._check(record, batch)
            if batch:
                await self._on_batch(batch)
                self.cursor = batch[-1].last
            word = self._last_word
            if word is not None and word["last"] <= self.cursor:
                self._last_word = None
                await self._on_control(word)

    def _check(self, record: Record, batch: list[Record]) -> None:
        cursor = batch[-1].last if batch else self.cursor
        if record.last <= cursor:
            return
        if record.first > cursor + 1:
            raise WireError(
                f"Records {cursor + 1} to {record.first - 1} are missing from what the daemon sent."
            )
        batch.append(record)

    async def _take(self, connection: Connection, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind == "refused":
            raise error_from_json(message.get("error"))
        if kind == "ping":
            connection.send({"type": "pong", "tag": message.get("tag")})
            return
        if kind == "link":  # it goes ahead of records, but not of those that it is said behind
            self._last_word = message if isinstance(message.get("last"), int) else None
            if self._last_word is not None:
                return
        number = message.get("number")
        with self._lock:
            if kind in ("ack", "rejected") and message.get("client") == self.client:
                self._waiting.pop(number if isinstance(number, int) else 0, None)
            elif kind == "interrupted":
                self._waiting.pop(str(message.get("tag")), None)
        await self._on_control(message)
