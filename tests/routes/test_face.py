"""The hold on the daemon, in moments that no request can be timed to meet."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_remote_gpu.errors import DaemonError
from jupyter_remote_gpu.routes import face as module
from jupyter_remote_gpu.routes.face import DaemonFace


class FakeControl:
    """A control that opens when it is let, and knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = 0
        self.asked: list[str] = []
        self.gate = asyncio.Event()

    async def open(self, *, kind: str, spawn: bool = True) -> FakeControl:
        if not spawn:
            raise DaemonError("none", code="daemon-absent")
        await self.gate.wait()
        return self

    async def request(self, op: str, /, *, timeout: float, **args: Any) -> dict[str, Any]:
        self.asked.append(op)
        return {}

    async def close(self) -> None:
        self.closed += 1


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeControl:
    control = FakeControl()
    monkeypatch.setattr(module, "Control", control)
    return control


def test_a_server_that_ends_while_the_daemon_starts_holds_nothing(fake: FakeControl) -> None:
    async def work() -> None:
        face = DaemonFace(lambda snapshot: None, 60.0)
        request = asyncio.create_task(face.request("snapshot"))
        await asyncio.sleep(0)
        await face.close()
        fake.gate.set()
        with pytest.raises(DaemonError, match="shut down"):
            await request
        assert (fake.closed, fake.asked, face.held) == (1, [], False)
        with pytest.raises(DaemonError, match="shut down"):
            await face.request("snapshot")
        assert fake.closed == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())


def test_requests_at_once_share_one_hold_that_ends_with_the_server(fake: FakeControl) -> None:
    async def work() -> None:
        fake.gate.set()
        face = DaemonFace(lambda snapshot: None, 60.0)
        await asyncio.gather(*(face.request("pod.log", name="a") for _ in range(5)))
        assert face.held
        assert fake.closed == 0
        await face.close()
        assert (fake.closed, fake.asked, face.held) == (1, ["pod.log"] * 5, False)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(work())
