"""Which changes of the snapshot pages are told of."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_remote_gpu.routes.app import RemoteGPUApp

CELL = {"id": "e" * 32, "state": "running", "last": 7}
KERNEL = {"id": "a" * 32, "alive": True, "last": 7, "executions": [CELL]}
POD = {"name": "pod", "state": "connected", "latency": 0.01, "kernels": [KERNEL]}


class Events:
    def __init__(self) -> None:
        self.revisions: list[int] = []

    def emit(self, *, schema_id: str, data: dict[str, Any]) -> None:
        self.revisions.append(data["revision"])


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> tuple[Callable[[dict[str, Any]], None], Events]:
    events = Events()
    monkeypatch.setattr(RemoteGPUApp, "_events", events)
    return RemoteGPUApp()._told, events


def snapshot(revision: int) -> dict[str, Any]:
    return {"revision": revision, "daemon": {"pid": 1}, "pods": [copy.deepcopy(POD)]}


def test_how_far_a_log_goes_is_no_news(
    told: tuple[Callable[[dict[str, Any]], None], Events],
) -> None:
    tell, events = told
    tell(snapshot(1))
    further = snapshot(2)
    kernel = further["pods"][0]["kernels"][0]
    kernel["last"] = kernel["executions"][0]["last"] = 99
    tell(further)
    assert events.revisions == [1]


@pytest.mark.parametrize("where", ["daemon", "pod", "kernel", "execution"])
def test_all_else_is(told: tuple[Callable[[dict[str, Any]], None], Events], where: str) -> None:
    tell, events = told
    tell(snapshot(1))
    after = snapshot(2)
    pod = after["pods"][0]
    kernel = pod["kernels"][0]
    changed = {"daemon": after["daemon"], "pod": pod, "kernel": kernel}
    changed["execution"] = kernel["executions"][0]
    changed[where]["state"] = "ended"
    tell(after)
    assert events.revisions == [1, 2]
