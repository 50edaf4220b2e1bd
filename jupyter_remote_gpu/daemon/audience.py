"""The faces that follow a kernel, and the news that each of them is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..errors import RemoteGPUError, error_to_json
from ..models import PodState
from .sentences import GONE

if TYPE_CHECKING:
    from .channels import FaceChannel


class Audience:
    """One channel a client, the newest; who comes late is told how things stand.

    Parameters
    ----------
    last : callable
        The number of the newest record that there is of the kernel here.

    Attributes
    ----------
    channels : dict
        By client.
    state, reason
        Of the pod.
    fault : RemoteGPUError or None
        Why this kernel cannot be reached although its pod may be.
    """

    def __init__(self, last: Callable[[], int]) -> None:
        self._last = last
        self.channels: dict[str, FaceChannel] = {}
        self.state = PodState.DISCONNECTED
        self.reason: str | None = None
        self.since = 0.0
        self.fault: RemoteGPUError | None = None
        self._expected: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._trouble: dict[str, str | None] = {"pod": None, "laptop": None}

    def attach(self, channel: FaceChannel) -> None:
        """A face reads; it supersedes an older connection of the same client."""
        older = self.channels.get(channel.client)
        self.channels[channel.client] = channel
        if older is not None:
            older.supersede()
        channel.tell(self.link_message())
        for where, text in self._trouble.items():
            if text is not None:
                channel.tell({"type": "trouble", "where": where, "message": text})

    def detach(self, channel: FaceChannel) -> None:
        """A face is gone."""
        if self.channels.get(channel.client) is channel:
            del self.channels[channel.client]

    def tell(self, client: object, message: dict[str, Any]) -> None:
        """Tell one client, if it is here."""
        channel = self.channels.get(str(client))
        if channel is not None:
            channel.tell(message)
        expected = self._expected.get(str(client))
        if expected is not None and not expected.done():
            expected.set_result(message)

    @contextlib.contextmanager
    def expect(self, client: str) -> Iterator[asyncio.Future[dict[str, Any]]]:
        """The next message to a client that has no channel: the daemon itself asks as it."""
        expected = asyncio.get_running_loop().create_future()
        self._expected[client] = expected
        try:
            yield expected
        finally:
            del self._expected[client]

    def reject(self, client: str, number: int, error: RemoteGPUError) -> None:
        """Tell a client that its request will not be handed over."""
        body = error_to_json(error)
        self.tell(client, {"type": "rejected", "client": client, "number": number, "error": body})

    def tell_link(self) -> None:
        """Tell everybody how the way to the kernel stands."""
        for channel in list(self.channels.values()):
            channel.tell(self.link_message())

    def link_message(self) -> dict[str, Any]:
        """The control message that says so."""
        message: dict[str, Any] = {
            "type": "link",
            "state": str(self.state),
            "reason": self.reason,
            "since": self.since,
        }
        if self.fault is not None:
            message.update(state=str(PodState.FAILED), reason=str(self.fault), code=self.fault.code)
            if self.fault.code == GONE:
                message["last"] = self._last()
        return message

    def trouble(self, where: str, text: object) -> None:
        """Tell everybody what is no longer safe, or (None) that it is again."""
        value = str(text) if text else None
        if self._trouble[where] == value:
            return
        self._trouble[where] = value
        for channel in list(self.channels.values()):
            channel.tell({"type": "trouble", "where": where, "message": value})

    def refuse_all(self, error: RemoteGPUError) -> None:
        """End all channels with a reason."""
        for channel in list(self.channels.values()):
            channel.refuse(error)
