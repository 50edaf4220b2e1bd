"""Where the link to a pod stands, and what happened to it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from ..errors import (
    NotConnected,
    RemoteGPUError,
    TransportError,
    error_from_json,
    error_to_json,
    plain,
)
from ..models import PodState

__all__ = ["UNDER_WAY", "LinkLog", "LinkStatus", "Standing", "steady"]

UNDER_WAY = (
    PodState.CONNECTING,
    PodState.PREPARING,
    PodState.CONNECTED,
    PodState.RECONNECTING,
)
"""States that lead to `CONNECTED` without the user."""

LINES = 500
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LinkStatus:
    """Where the link stands; fields as in `PodInfo`."""

    state: PodState = PodState.DISCONNECTED
    reason: str | None = None
    code: str | None = None
    since: float = 0.0
    latency: float | None = None
    next_try: float | None = None
    host_key: dict[str, Any] | None = None
    warnings: tuple[str, ...] = ()


def steady(shown: float | None, latest: float | None) -> float | None:
    """The latency to show, in seconds: the one shown before unless the latest differs much."""
    if shown is None or latest is None:
        return latest
    return latest if abs(latest - shown) > max(0.002, shown / 4) else shown


class LinkLog:
    """What happened to a link, newest last; no secrets, and nothing a hundred times over."""

    def __init__(self, pod: str) -> None:
        self.lines: deque[str] = deque(maxlen=LINES)
        self._pod = pod
        self._last = ""
        self._times = 1

    def add(self, text: str) -> None:
        """Note `text`; what is said again only counts up."""
        text = plain(text, line=True)
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        if text == self._last:
            self._times += 1
            self.lines[-1] = f"{stamp} {text} ({self._times} times)"
            return
        self._last, self._times = text, 1
        self.lines.append(f"{stamp} {text}")
        log.info("%s: %s", self._pod, text)


class Standing:
    """The status of a link, and those who wait for it.

    Parameters
    ----------
    name : str
        The pod's.
    on_change : callable
        Called after each change of `status`.

    Attributes
    ----------
    status : LinkStatus
    """

    def __init__(self, name: str, on_change: Callable[[], None]) -> None:
        self.status = LinkStatus(since=time.time())
        self._log = LinkLog(name)
        self._name = name
        self._on_change = on_change
        self._changed = asyncio.Event()
        self._error: RemoteGPUError | None = None

    @property
    def log_lines(self) -> deque[str]:
        """What happened, newest last; no secrets."""
        return self._log.lines

    @property
    def refused_keys(self) -> list[dict[str, str]]:
        """``name`` and ``public`` of the keys that the pod has just refused."""
        failed = self.status.state is PodState.FAILED and self.status.code == "key-refused"
        return self._error.details["keys"] if failed and self._error is not None else []

    async def wait_connected(self, timeout: float) -> None:
        """Wait while the pod is on its way.

        Raises
        ------
        RemoteGPUError
            What the user must see to (`HostKeyUnknown`, `LinkError`, `NotConnected`…);
            `TransportError` if it took more than `timeout` seconds.
        """
        try:
            async with asyncio.timeout(timeout):
                while self.status.state is not PodState.CONNECTED:
                    if self.status.state not in UNDER_WAY:
                        self._raise()
                    await self._changed.wait()
        except TimeoutError as e:
            why = f" {self.status.reason}" if self.status.reason else ""
            raise TransportError(
                f"Pod {self._name} is not connected after {timeout:g} s.{why}"
            ) from e

    def _raise(self) -> NoReturn:
        """Tell why the pod cannot be asked; a `TransportError` if it comes back by itself."""
        state = self.status.state
        if self._error is not None and state is not PodState.DISCONNECTED:
            raise error_from_json(error_to_json(self._error))
        why = self.status.reason or f"Pod {self._name} is {state}: connect it first."
        if state in UNDER_WAY:
            raise TransportError(why)
        raise NotConnected(why, details={"state": str(state)})

    def _update(self, **changes: Any) -> None:
        """Change the status within its state."""
        if changes.get("reason"):
            changes["reason"] = plain(changes["reason"])
        old, self.status = self.status, replace(self.status, **changes)
        if self.status != old:
            self._on_change()

    def _set(
        self,
        state: PodState,
        reason: str | None = None,
        *,
        code: str | None = None,
        host_key: dict[str, Any] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        since = self.status.since if state is self.status.state else time.time()
        if reason is not None:
            reason = plain(reason)
        self._log.add(f"{state}" + (f": {reason}" if reason else ""))
        self.status = LinkStatus(
            state=state, reason=reason, code=code, since=since, host_key=host_key, warnings=warnings
        )
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        self._on_change()
