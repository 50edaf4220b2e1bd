"""A face that follows a kernel: the mirror from its cursor on, and its requests."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from .. import _version
from ..errors import BadInput, RemoteGPUError, WireError, error_to_json
from ..wire import PROTOCOL
from ..wire.frames import CONTROL, decode_control, encode_control
from ..wire.records import MAX_REQUEST, RecordAssembler, check_id
from .connection import FaceConnection

if TYPE_CHECKING:
    from ..wire.reader import LogReader
    from .kernel_state import KernelState

CHUNK = 256 << 10
MAX_CONTROLS = 10_000


class FaceChannel:
    """One connection of service ``kernel:<id>``.

    Attributes
    ----------
    client : str
        The face's id: it has one channel a kernel, the newest.
    """

    def __init__(self, connection: FaceConnection, state: KernelState, client: str) -> None:
        self.client = client
        self._connection = connection
        self._state = state
        self._controls: deque[bytes] = deque()
        self._mirror = state.mirror
        self._reader: LogReader | None = None
        self._cursor = 0
        self._open = False
        self._full = asyncio.Event()
        self._failure: RemoteGPUError | None = None

    # -- what the kernel's side tells (never waits)

    def tell(self, message: dict[str, Any]) -> None:
        """Send a control message; it goes ahead of the records."""
        self._controls.append(encode_control(message))
        if len(self._controls) > MAX_CONTROLS:
            self._connection.abort()
        self._pump()

    def refuse(self, error: RemoteGPUError) -> None:
        """End the channel with a reason."""
        self._failure = error
        self._full.set()

    def supersede(self) -> None:
        """End the channel at once: the same client has come back.

        It is told so, or two channels of one client would push each other out for ever.
        """
        error = WireError("Another channel of this client follows the kernel.", code="superseded")
        self._open = False
        self._connection.end({"type": "refused", "error": error_to_json(error)})

    def _pump(self) -> None:
        """Send what there is, as far as the face reads.

        Called by whoever has news, so that a small record costs no turn of the loop.
        """
        if not self._open or self._full.is_set():
            return
        while not self._connection.full:
            if self._controls:
                data = b"".join(self._controls)
                self._controls.clear()
            else:
                data = self._records()
            if not data:
                return
            self._connection.queue(data)
        self._full.set()

    def _records(self) -> bytes:
        """The next records; nothing where there are none, or the channel ends."""
        try:
            if self._reader is None:
                if self._cursor > self._mirror.last and not self._state.synced:
                    # The face read what an earlier daemon could not write down (a full disk):
                    # the pod has it, and it is on its way.
                    return b""
                self._reader = self._mirror.reader(self._cursor)
            return self._reader.read(CHUNK)
        except WireError as e:
            if not self._waits():
                self.refuse(self._state.damage.why(e))
        except OSError as e:
            self.refuse(WireError(f"The mirror cannot be read: {e}"))
        return b""

    def _waits(self) -> bool:
        """Whether what could not be read will be there; we are told then, as of new records."""
        reader = self._reader
        if reader is None or reader.inside:
            return False  # the face has the half of a record
        reader.close()
        return self._mirror is self._state.mirror and self._state.damage.mends()

    # -- the connection

    async def serve(self) -> None:
        """Until the face goes away or is refused.

        Raises
        ------
        WireError
            With code ``identity`` or ``cursor`` when the hello does not fit the mirror.
        """
        hello, mirror = self._connection.hello, self._mirror
        if hello.get("pod") not in (None, mirror.pod):
            raise BadInput(f"kernel {mirror.id[:8]} is not on pod {hello.get('pod')!r:.80}")
        if hello.get("identity") not in (None, mirror.identity):
            raise WireError(
                "The kernel's journal is another one than this cell began with.",
                code="identity",
                details={"identity": mirror.identity},
            )
        cursor = hello.get("cursor")
        if not isinstance(cursor, int):
            raise WireError("the hello has no cursor")
        if self._state.synced and cursor > mirror.last:
            raise WireError(f"cursor {cursor} is beyond record {mirror.last}", code="cursor")
        self._cursor = cursor
        await self._connection.send(
            {
                "type": "welcome",
                "protocol": PROTOCOL,
                "version": _version.__version__,
                "identity": mirror.identity,
                "next": mirror.last + 1,
                "alive": self._state.alive,
            }
        )
        self._open = True
        mirror.watchers.add(self._pump)
        receiving = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._send())
        try:
            self._state.attach(self)
            self._pump()
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            mirror.watchers.discard(self._pump)
            self._state.audience.detach(self)
            for task in (receiving, sending):
                task.cancel()
            await asyncio.wait({receiving, sending})
            self._open = False
            if self._reader is not None:
                self._reader.close()
        for task in (receiving, sending):
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error

    async def _send(self) -> None:
        """Go on when the face has read, until the channel is refused."""
        while self._failure is None:
            await self._full.wait()
            await self._connection.drain()
            self._full.clear()
            self._pump()
        error = error_to_json(self._failure)
        await self._connection.send({"type": "refused", "error": error})

    async def _receive(self) -> None:
        assembler = RecordAssembler(MAX_REQUEST)
        while frames := await self._connection.read():
            for kind, payload in frames:
                if kind == CONTROL:
                    self._control(decode_control(payload))
                elif (record := assembler.feed(kind, payload)) is not None:
                    self._state.request(self.client, record)

    def _control(self, message: dict[str, Any]) -> None:
        kind, tag = message.get("type"), message.get("tag")
        execution = message.get("execution")
        if kind == "ping":
            self.tell({"type": "pong", "tag": tag})
        elif kind == "interrupt" and isinstance(tag, str):
            if execution is not None:
                check_id(execution, "the execution")
            self._state.interrupt(self.client, tag, execution)
        elif kind != "pong":
            raise WireError(f"a message of type {kind!r:.40} is not taken")
