"""How one pod is logged in to: with its pinned host key, within a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import asyncssh

from ..errors import TransportError
from ..pods import hostkeys
from ..pods.registry import Pod, own_key_path
from . import ssh
from .blocking import OneAtATime
from .identities import Identities

__all__ = ["Login"]


class Login:
    """Logs in to one pod, any number of times.

    Parameters
    ----------
    folder : Path
        The data folder.
    pin : callable
        Called with a host key that the user has just confirmed.
    """

    def __init__(self, folder: Path, pod: Pod, pin: Callable[[str], None]) -> None:
        self._folder = folder
        self._pod = pod
        self._pin = pin
        self._blocking = OneAtATime()

    async def connect(
        self, accept: str | None, only: Identities | None = None
    ) -> asyncssh.SSHClientConnection:
        """A connection, within `ssh.LOGIN_SECONDS`.

        Parameters
        ----------
        accept : str or None
            A fingerprint that the user has just confirmed.
        only : Identities, optional
            To be shown instead of all that are found.

        Raises
        ------
        RemoteGPUError
            As `ssh.connect`.
        """
        began, name = time.monotonic(), self._pod.name
        try:
            async with asyncio.timeout(ssh.LOGIN_SECONDS):
                pinned = await self._blocking.run(hostkeys.pinned, self._folder, name)
        except TimeoutError as e:
            raise TransportError(
                f"What is read on this laptop before {name} is reached does not come: does a "
                "program in ~/.ssh/config hang, or is your home folder on a server that is away?",
                code="local",
            ) from e
        trust = ssh.Trust(alias=name, pinned=pinned, accept=accept, pin=self._pin)
        return await ssh.connect(
            self._pod.target,
            trust,
            own_key_path(self._folder, name),
            timeout=ssh.LOGIN_SECONDS - (time.monotonic() - began),
            only=only,
            blocking=self._blocking,
        )
