"""An exec channel whose command has answered: from there on a plain byte stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncssh

from ..errors import TransportError
from .bootstrap import Answer

__all__ = ["Bridge", "Process", "Stderr"]

_STDERR_TAIL = 4000
_CLOSE_SECONDS = 2.0

Process = asyncssh.SSHClientProcess[bytes]


class Stderr:
    """Keeps the end of what a command writes to its standard error, so that it never blocks."""

    def __init__(self, process: Process) -> None:
        self.text = ""
        self._task = asyncio.create_task(self._follow(process))

    async def _follow(self, process: Process) -> None:
        with suppress(asyncssh.Error, OSError):
            while data := await process.stderr.read(4096):
                self.text = (self.text + data.decode("utf-8", "replace"))[-_STDERR_TAIL:]

    async def ended(self) -> None:
        """Wait until the command has closed it."""
        await asyncio.wait([self._task])

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


class Bridge:
    """What a pod command answered, and the stream behind it.

    Attributes
    ----------
    info : dict
        The command's JSON answer.
    noise : str
        What the pod's login shell printed before it.
    """

    def __init__(
        self,
        process: Process,
        answer: Answer,
        stderr: Stderr,
        on_data: Callable[[int], None],
        on_close: Callable[[], None],
        on_sent: Callable[[int], None] = lambda size: None,
    ) -> None:
        self.info = answer.info
        self.noise = answer.noise
        self._rest = answer.rest
        self._process = process
        self._stderr = stderr
        self._on_data = on_data
        self._on_sent = on_sent
        self._on_close: Callable[[], None] | None = on_close

    async def read(self, n: int = 65536) -> bytes:
        """The next bytes; ``b""`` when the other side or the link has ended."""
        if self._rest:
            data, self._rest = self._rest[:n], self._rest[n:]
            return data
        try:
            data = await self._process.stdout.read(n)
        except (asyncssh.Error, OSError):
            return b""
        self._on_data(len(data))
        return data

    def write(self, data: bytes) -> None:
        """Queue bytes. When the channel has ended they are lost, and `read` tells so."""
        self._on_sent(len(data))
        with suppress(asyncssh.Error, OSError):
            self._process.stdin.write(data)

    @property
    def unsent(self) -> int:
        """Bytes that wait here until the pod takes more."""
        return self._process.channel.get_write_buffer_size()

    async def drain(self) -> None:
        """Wait until the peer has taken most of what was written.

        Raises
        ------
        TransportError
            If the link was lost.
        """
        try:
            await self._process.stdin.drain()
        except (asyncssh.Error, OSError) as e:
            raise TransportError("The link to the pod was lost.") from e

    async def close(self) -> None:
        """End the channel; its command sees the end of its input."""
        on_close, self._on_close = self._on_close, None
        self._process.close()
        try:
            with suppress(TimeoutError, asyncssh.Error, OSError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._process.wait_closed()
            await self._stderr.close()
        finally:
            if on_close is not None:
                on_close()
