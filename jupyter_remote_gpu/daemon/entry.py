"""One pod as the daemon holds it."""

from __future__ import annotations

import asyncio

from ..link.supervisor import PodLink
from ..models import PodState
from ..pods.registry import Pod
from .sentences import not_connected

ON_ITS_WAY = {PodState.CONNECTING, PodState.PREPARING, PodState.RECONNECTING}


class PodEntry:
    """A pod and its link; `changed` is an event that is replaced at each change of state."""

    def __init__(self, pod: Pod, link: PodLink) -> None:
        self.pod = pod
        self.name = pod.name
        self.link = link
        self.changed = asyncio.Event()

    @property
    def state(self) -> PodState:
        return self.link.status.state

    def need(self) -> PodLink:
        """The link, if the pod is connected right now.

        Raises
        ------
        NotConnected
        """
        if self.state is not PodState.CONNECTED:
            raise not_connected(self.name, self.link.status)
        return self.link

    async def connected(self, timeout: float) -> PodLink:
        """The link, waiting while the pod is on its way.

        Raises
        ------
        NotConnected
            If the pod is disconnected, failed, or waits for the user's word.
        """
        async with asyncio.timeout(timeout):
            while self.state is not PodState.CONNECTED:
                if self.state not in ON_ITS_WAY:
                    raise not_connected(self.name, self.link.status)
                await self.changed.wait()
        return self.link
