"""One pod as the daemon holds it."""

from __future__ import annotations

from ..errors import NotFound, RemoteGPUError
from ..link.supervisor import PodLink
from ..models import PodState
from ..pods.registry import Pod
from .sentences import ON_ITS_WAY, not_connected

__all__ = ["ON_ITS_WAY", "PodEntry"]


class PodEntry:
    """A pod and its link.

    Attributes
    ----------
    removed : bool
        It is not one of this laptop's any more.
    waiting : int
        How many wait until it is connected.
    """

    def __init__(self, pod: Pod, link: PodLink) -> None:
        self.pod = pod
        self.name = pod.name
        self.link = link
        self.removed = False
        self.waiting = 0

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
        NotFound
            If it was removed meanwhile.
        TransportError
            If it is still on its way after `timeout` seconds.
        """
        self.waiting += 1
        try:
            await self.link.wait_connected(timeout)
        except RemoteGPUError:
            if self.removed:
                raise NotFound(f"Pod {self.name} was removed.") from None
            if self.state in ON_ITS_WAY:
                raise
            raise not_connected(self.name, self.link.status) from None
        finally:
            self.waiting -= 1
        return self.link
