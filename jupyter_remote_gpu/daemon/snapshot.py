"""The one picture of everything that faces show: revisioned, and only the newest is sent."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple

from ..models import ExecutionInfo, KernelInfo, PodInfo
from ..wire.frames import CONTROL, MAX_PAYLOAD, encode_frame
from .bounded import plain

NOW, SOON, LATER = 0.05, 0.3, 2.0
"""Seconds in which others may join a change, so that a burst is one snapshot: where a state
changed, where an execution did, where only record numbers moved."""
KERNELS, CELLS = 50, 50
"""At most so many kernels a pod and executions a kernel."""
_STEPS = ((KERNELS, CELLS), (50, 10), (20, 3), (10, 1), (5, 0), (0, 0))
"""Kernels a pod and executions a kernel, tried in turn until it fits into a frame."""
log = logging.getLogger(__name__)


class _Parts(NamedTuple):
    """A pod or a kernel as JSON: its own fields, and what goes into the list at their end."""

    head: bytes
    items: list[Any]


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
        self._text = self._event = b""
        self._shown: dict[str, _Parts] = {}
        self._failed: set[str] = set()

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
        value: dict[str, Any] = json.loads(self._text)
        return value

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
        before, self._shown = self._shown, {}
        pods = [self._pod(pod, before) for pod in self._pods()]
        own = _json({"revision": self.revision, "daemon": self._daemon})
        for kernels, cells in _STEPS:
            self._text = _with(own, b"pods", (_pod_text(pod, kernels, cells) for pod in pods))
            if len(self._text) < MAX_PAYLOAD - 4096:
                break
        self._event = encode_frame(CONTROL, b'{"event":"snapshot","snapshot":%b}' % self._text)
        self._dirty = False

    def _pod(self, pod: PodInfo, before: dict[str, _Parts]) -> _Parts:
        kernels = []
        for info in newest(pod.kernels, KERNELS):
            try:
                kernels.append(self._kernel(info, before))
            except (TypeError, ValueError, AttributeError, RecursionError) as e:
                if info.id not in self._failed:  # as often as it is built, it is said once
                    log.error("kernel %s of pod %s cannot be shown: %r", info.id, pod.name, e)
                    self._failed.add(info.id)
        return _Parts(_json(replace(pod, kernels=[]).to_json(), "kernels"), kernels)

    def _kernel(self, info: KernelInfo, before: dict[str, _Parts]) -> _Parts:
        head = _json(replace(info, executions=[]).to_json(), "executions")
        parts = before.get(info.id)
        # Executions change with the log, whose newest number is in the head.
        if parts is None or parts.head != head:
            parts = _Parts(head, [_json(_cell(e)) for e in info.executions[-CELLS:]])
        self._shown[info.id] = parts
        return parts


def newest(kernels: Iterable[KernelInfo], count: int) -> list[KernelInfo]:
    """The `count` kernels that the user looks for: live ones, then the newest; they come last."""
    order = sorted(kernels, key=lambda k: (k.ended is None, k.started or 0.0))
    return order[max(0, len(order) - count) :]


def _cell(info: ExecutionInfo) -> dict[str, Any]:
    return {**plain(vars(info), 2), "state": info.state}


def _json(value: dict[str, Any], without: str | None = None) -> bytes:
    if without is not None:
        del value[without]
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return data.encode("utf-8", "surrogatepass")


def _with(head: bytes, name: bytes, items: Iterable[bytes]) -> bytes:
    """The JSON object `head` with a list at its end."""
    return b'%b,"%b":[%b]}' % (head[:-1], name, b",".join(items))


def _pod_text(pod: _Parts, kernels: int, cells: int) -> bytes:
    return _with(
        pod.head,
        b"kernels",
        (
            _with(k.head, b"executions", k.items[-cells:] if cells else [])
            for k in (pod.items[-kernels:] if kernels else [])
        ),
    )
