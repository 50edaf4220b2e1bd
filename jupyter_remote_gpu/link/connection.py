"""One ssh connection to a pod, with its pulse and the channels on it."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import asyncssh

from ..errors import PodError, RemoteGPUError, TransportError
from .bootstrap import command_line, converse, new_nonce, words_of
from .channel import Bridge, Process, Stderr
from .pulse import Pulse, lost

__all__ = ["CHANNELS_PER_CONNECTION", "Connection", "FullError"]

CHANNELS_PER_CONNECTION = 8
"""OpenSSH allows ten sessions; one is the pulse, one is left for what comes in between."""

WINDOW_BYTES = 256 << 10
"""So much of one channel is under way. A line of another kernel waits behind what a long catch-up
has under way: on 10 Mbit/s 0.2 s, where asyncssh's own 2 MiB would be 2 s."""
FULL_SECONDS = 60.0
"""So long a connection on which the server refused a channel is not asked for one again, unless
one of its channels ends: what a given-up command left running there may have ended."""
_CLOSE_SECONDS = 2.0


class FullError(Exception):
    """The server takes no further channel on this connection."""


class Connection:
    """One ssh connection with its pulse.

    Attributes
    ----------
    channels : int
        In use or about to be.
    carried : bool
        Whether a channel was ever opened on it.
    """

    def __init__(
        self,
        ssh: asyncssh.SSHClientConnection,
        on_lost: Callable[[RemoteGPUError], None],
        on_left: Callable[[Connection], None],
    ) -> None:
        self.ssh = ssh
        self.channels = 0
        self.carried = False
        self.lost = False
        self._full = -math.inf
        self._on_lost = on_lost
        self._on_left = on_left
        self.pulse = Pulse(ssh, self._end)
        self._tasks = [
            asyncio.create_task(self._watch()),
            asyncio.create_task(self.pulse.run()),
        ]

    async def _watch(self) -> None:
        await self.ssh.wait_closed()
        self._end(TransportError("The connection to the pod was closed."))

    def _end(self, error: RemoteGPUError) -> None:
        if not self.lost:
            self.lost = True
            # Readers of every channel see the end now, not when TCP gives up.
            self.ssh.abort()
            self._on_lost(error)

    @property
    def has_room(self) -> bool:
        """Whether a further channel may be had on it."""
        full = time.monotonic() - self._full < FULL_SECONDS
        return self.channels < CHANNELS_PER_CONNECTION and not full and not self.lost

    def leave(self) -> None:
        """A channel that was counted has ended."""
        self.channels -= 1
        self._full = -math.inf
        self._on_left(self)

    def refused(self) -> None:
        """The server took no further channel."""
        self.leave()
        self._full = time.monotonic()

    async def open(self, line: str) -> Process:
        """Run a command line on a channel that was counted.

        Raises
        ------
        FullError
            If the server takes no further channel.
        TransportError
            If the link was lost.
        """
        try:
            process: Process = await self.ssh.create_process(
                line, encoding=None, window=WINDOW_BYTES
            )
        except asyncssh.ChannelOpenError as e:
            if self.ssh.is_closed():
                raise lost() from e
            raise FullError from e
        except (asyncssh.Error, OSError) as e:
            raise lost(e) from e
        self.carried = True
        return process

    async def execute(self, command: str, spec: dict[str, Any], python: str | None) -> Bridge:
        """Run a pod command on a channel that was counted.

        Raises
        ------
        PodError, RemoteGPUError
            What the pod answered.
        TransportError
            If the link was lost.
        """
        nonce, words = new_nonce(), words_of(spec)
        process = await self.open(command_line(command, words, python, nonce))
        stderr = Stderr(process)
        done = False
        try:
            answer = await converse(_Pipes(process), words, nonce, python, process.stdin.drain)
            done = True
            return Bridge(process, answer, stderr, self.count, self.leave, self.count_sent)
        except (asyncssh.Error, OSError) as e:
            raise lost(e) from e
        except TransportError as e:
            if stderr.text.strip():
                raise TransportError(f"{e.message} It said: {stderr.text.strip()}") from e
            raise
        except PodError as e:
            if e.code == "no-command" and self.lost:
                raise lost() from e  # what the login shell had printed was not all
            raise
        finally:
            if not done:
                process.close()
                await stderr.close()

    def count(self, size: int) -> None:
        """So many bytes have arrived on a channel."""
        self.pulse.received += size

    def count_sent(self, size: int) -> None:
        """So many bytes were given to a channel."""
        self.pulse.sent += size

    async def close(self) -> None:
        self.lost = True
        for task in self._tasks:
            task.cancel()
        self.ssh.abort()
        await asyncio.wait(self._tasks)
        with suppress(TimeoutError, asyncssh.Error, OSError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self.ssh.wait_closed()


class _Pipes:
    def __init__(self, process: Process) -> None:
        self._process = process

    async def read(self, size: int) -> bytes:
        return await self._process.stdout.read(size)

    def write(self, data: bytes) -> None:
        self._process.stdin.write(data)
