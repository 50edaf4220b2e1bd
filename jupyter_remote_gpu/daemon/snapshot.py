"""The one picture of everything that faces show: revisioned, and only the newest is sent."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from ..models import PodInfo
from ..wire.frames import MAX_PAYLOAD, encode_control

NOW, SOON, LATER = 0.05, 0.3, 2.0
"""Seconds in which others may join a change, so that a burst is one snapshot: where a state
changed, where an execution did, where only record numbers moved."""
CODE_CHARS = 300
_STEPS = ((50, 50), (50, 10), (20, 3), (10, 1), (5, 0))
"""Kernels a pod and executions a kernel, tried in turn until it fits into a frame."""


class Snapshots:
    """Builds the snapshot when something changed, and wakes those who wait for it.

    Parameters
    ----------
    pods : callable
        Gives the present `PodInfo` of each pod.
    daemon : dict
        ``pid``, ``version``, ``started``.
    """

    def __init__(self, pods: Callable[[], list[PodInfo]], daemon: dict[str, Any]) -> None:
        self._pods = pods
        self._daemon = daemon
        # From the clock, so that a face which knows an earlier daemon's revision is behind.
        self.revision = int(time.time() * 1000)
        self._dirty = True
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._changed = asyncio.Event()
        self._event = b""
        self._value: dict[str, Any] = {}

    def changed(self, within: float = NOW) -> None:
        """Something differs; those who follow are told within so many seconds."""
        loop = asyncio.get_running_loop()
        due = loop.time() + within
        if self._timer is not None:
            if self._due <= due:
                return
            self._timer.cancel()
        self._due = due
        self._timer = loop.call_at(due, self._publish)

    def _publish(self) -> None:
        self._timer = None
        self._dirty = True
        self.revision += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def value(self) -> dict[str, Any]:
        """The present snapshot: whoever has just changed something sees it."""
        if self._timer is not None:
            self._timer.cancel()
            self._publish()
        self._build()
        return self._value

    async def after(self, revision: int) -> tuple[int, bytes]:
        """Wait for a snapshot newer than `revision`; its revision and its event's frame."""
        while self.revision <= revision:
            await self._changed.wait()
        self._build()
        return self.revision, self._event

    def close(self) -> None:
        """Forget what was to be published."""
        if self._timer is not None:
            self._timer.cancel()

    def _build(self) -> None:
        if not self._dirty:
            return
        pods = [p.to_json() for p in self._pods()]
        for kernels, executions in _STEPS:
            for pod in pods:
                _trim(pod, kernels, executions)
            self._value = {"revision": self.revision, "daemon": self._daemon, "pods": pods}
            message = {"event": "snapshot", "snapshot": self._value}
            # Escaped text may be six times as long: only the encoded size counts.
            if len(str(message)) < MAX_PAYLOAD // 8 or _fits(message):
                break
        self._event = encode_control({"event": "snapshot", "snapshot": self._value})
        self._dirty = False


def _fits(message: dict[str, Any]) -> bool:
    import json

    return len(json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")) < (
        MAX_PAYLOAD - 4096
    )


def _trim(pod: dict[str, Any], kernels: int, executions: int) -> None:
    # Live kernels first, then the newest: what the user looks for.
    order = sorted(pod["kernels"], key=lambda k: (k["ended"] is None, k["started"] or 0.0))
    pod["kernels"] = order[-kernels:]
    for kernel in pod["kernels"]:
        kernel["executions"] = kernel["executions"][-executions:] if executions else []
        for execution in kernel["executions"]:
            execution["code"] = execution["code"][:CODE_CHARS]
            execution["meta"] = {
                k: v if not isinstance(v, str) else v[:CODE_CHARS]
                for k, v in list(execution["meta"].items())[:20]
                if isinstance(v, (str, int, float, bool, type(None)))
            }
