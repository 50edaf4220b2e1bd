"""One face's connection: frames in, bytes out, bounded when it does not read."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from ..wire.frames import FrameDecoder, encode_control

READ_BYTES = 256 << 10
HIGH_BYTES = 256 << 10
CLOSE_SECONDS = 1.0


class FaceConnection:
    """A Unix socket to a face.

    Attributes
    ----------
    hello : dict
        Its first message.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        writer.transport.set_write_buffer_limits(high=HIGH_BYTES)
        self._decoder = FrameDecoder()
        self._early: list[tuple[int, bytes]] = []
        self.hello: dict[str, Any] = {}

    async def read(self) -> list[tuple[int, bytes]]:
        """The frames of one read; empty at the end.

        Raises
        ------
        WireError
            For bytes that are not of this protocol.
        """
        if self._early:
            frames, self._early = self._early, []
            return frames
        while True:
            data = await self._reader.read(READ_BYTES)
            if not data:
                return []
            frames = list(self._decoder.feed(data))
            if frames:
                return frames

    async def first(self) -> tuple[int, bytes] | None:
        """The first frame; what came with it is read next. None at the end."""
        frames = await self.read()
        if not frames:
            return None
        self._early = frames[1:]
        return frames[0]

    @property
    def full(self) -> bool:
        """Whether more than `HIGH_BYTES` wait for the face to read."""
        return self.writer.transport.get_write_buffer_size() > HIGH_BYTES

    def queue(self, data: bytes) -> None:
        """Send bytes without waiting; look at `full` before."""
        self.writer.write(data)

    async def drain(self) -> None:
        """Wait until the face has read most of what waits."""
        await self.writer.drain()

    async def send(self, message: dict[str, Any]) -> None:
        """Send a control message; waits while the face does not read."""
        await self.write(encode_control(message))

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the face does not read."""
        self.writer.write(data)
        await self.writer.drain()

    async def close(self) -> None:
        """Close after what is queued was sent; a face that does not read is cut off."""
        self.writer.close()
        with contextlib.suppress(OSError):
            try:
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.writer.wait_closed()
            except TimeoutError:
                self.abort()

    def end(self, message: dict[str, Any]) -> None:
        """Send a last word and close, without waiting; a face that does not read is cut off."""
        self.queue(encode_control(message))
        self.writer.close()
        asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.abort)

    def abort(self) -> None:
        """Drop the connection at once; whoever reads or writes on it is told by an error."""
        self.writer.transport.abort()
