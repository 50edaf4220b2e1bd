"""Finds out in time that a connection is dead, also when it is dead in one direction only."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import asyncssh

from ..errors import LinkError, RemoteGPUError, TransportError

__all__ = ["Pulse", "lost", "may_pass", "no_session"]

BEAT_SECONDS = 3.0
SILENT_SECONDS = 12.0
OPEN_SECONDS = 30.0
"""How long the pod may take for our session. More than for a beat: on a slow line our code may be
under way at that time; and ssh's keepalive finds a connection on which nothing comes."""
WAKE_SECONDS = 3.0
"""How long an answer may take after the laptop slept."""
LATE_SECONDS = 5.0
"""A timer that is so late was stopped, and nobody can have missed a beat meanwhile."""
_MUCH = 64 << 10
_PATIENT = 8


class Pulse:
    """A ``cat`` on the pod, to which a line is sent now and then; it must come back.

    ssh's own keepalive is content with whatever arrives, so it does not see a link on which
    only what we send is lost. And an open session channel makes OpenSSH set TCP_NODELAY,
    without which each message waits 40 ms.

    Parameters
    ----------
    ssh : asyncssh.SSHClientConnection
    on_dead : callable
        Called when no answer came for `SILENT_SECONDS`, or the channel has ended or could
        not be had.

    Attributes
    ----------
    latency : float or None
        The latest round trip in seconds.
    received : int
        To be counted up with what arrives on other channels: on a slow line a full window
        stands in the way of our line.
    sent : int
        The same for what is sent on them.
    """

    def __init__(
        self, ssh: asyncssh.SSHClientConnection, on_dead: Callable[[RemoteGPUError], None]
    ) -> None:
        self.latency: float | None = None
        self.received = self.sent = 0
        self._ssh = ssh
        self._on_dead = on_dead
        self._kick = asyncio.Event()
        self._beats: dict[bytes, tuple[float, int]] = {}
        self._count = 0
        self._oldest = 0
        self._deadline = 0.0
        self._waited = 0
        self._arrived = 0

    def check_now(self) -> None:
        """The laptop woke up: what is sent from now on must come back soon."""
        self._oldest = self._count
        self._waited = _PATIENT
        self._deadline = time.monotonic() + WAKE_SECONDS
        self._kick.set()

    async def run(self) -> None:
        """Beat until cancelled, or until the connection is dead."""
        reader: asyncio.Task[None] | None = None
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                process = await self._ssh.create_process("exec cat", encoding=None)
            reader = asyncio.create_task(self._listen(process))
            await self._beat(process)
        except TimeoutError:  # an OSError too
            self._on_dead(TransportError(f"The pod opened no session for {OPEN_SECONDS:g} s."))
        except (asyncssh.Error, OSError) as e:
            refused = isinstance(e, asyncssh.ChannelOpenError) and not self._ssh.is_closed()
            self._on_dead(no_session() if refused else lost(e))
        finally:
            if reader is not None:
                reader.cancel()
                await asyncio.wait([reader])

    async def _beat(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self._deadline = time.monotonic() + SILENT_SECONDS
        received = 0
        while True:
            line = b"jrg-pulse %d" % self._count
            self._beats[line] = time.monotonic(), self.sent
            self._count += 1
            process.stdin.write(line + b"\n")
            self._kick.clear()
            pause = min(BEAT_SECONDS, max(0.0, self._deadline - time.monotonic()))
            due = time.monotonic() + pause
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._kick.wait()
            now = time.monotonic()
            if now - due > LATE_SECONDS:
                self.check_now()
            elif now >= self._deadline:
                # A large request may be before us: it would be sent again on the next link.
                moved = max(self.received - received, self.sent - self._arrived)
                if moved < _MUCH or self._waited >= _PATIENT:
                    self._on_dead(TransportError("The pod does not answer any more."))
                    return
                self._waited += 1
                self._deadline = now + BEAT_SECONDS
            received = self.received

    async def _listen(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        try:
            while line := await process.stdout.readline():
                # A login shell may have printed something in front of it.
                name = line[line.rfind(b"jrg-pulse") :].strip()
                beat = self._beats.get(name)
                if beat is None or int(name.split()[1]) < self._oldest:
                    continue  # sent before the laptop slept: it says nothing about now
                self.latency = time.monotonic() - beat[0]
                self._arrived = beat[1]
                # Not those behind it, which on a slow line come back one after the other.
                self._beats = {k: v for k, v in self._beats.items() if v[0] > beat[0]}
                self._waited = 0
                self._deadline = time.monotonic() + SILENT_SECONDS
        except (asyncssh.Error, OSError, ValueError) as e:
            self._on_dead(lost(e))
            return
        self._on_dead(TransportError("The pod ended the connection."))


def lost(error: Exception | None = None) -> TransportError:
    """The error of whoever used the link at that moment."""
    why = f" ({error})" if error is not None and str(error) else ""
    return TransportError(f"The link to the pod was lost{why}.")


def no_session() -> LinkError:
    """The server takes no channel, though the connection stands."""
    return LinkError(
        "The pod's ssh server takes no further session. Set `MaxSessions 10` in "
        "/etc/ssh/sshd_config there and restart sshd; or something there hangs, and the pod must "
        "be started anew.",
        code="max-sessions",
    )


def may_pass(error: RemoteGPUError) -> bool:
    """Whether a pod that was connected may be had again without the user.

    One that gave sessions before gives none while it can start no process.
    """
    return isinstance(error, TransportError) or error.code == "max-sessions"
