"""A keeper that says nothing more, or to which much is under way: when its bridge is given up."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from jupyter_remote_gpu.daemon import kernel_link
from tests.support import bridges
from tests.support.bridges import ScriptedBridge, execute, linked, until, welcome, works_again
from tests.support.written import output

CELL = "e" * 32


def test_a_bridge_without_a_welcome_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_link, "HELLO_SECONDS", 0.1)

    async def work() -> None:
        async with linked(tmp_path, output(1), b"") as it:
            bridge = await it.pod.bridge(0)
            await asyncio.wait_for(bridge.closed.wait(), 20)
            await works_again(it, 1)

    asyncio.run(work())


def test_a_keeper_that_falls_silent_is_asked_and_then_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_link, "PING_SECONDS", 0.2)
    monkeypatch.setattr(kernel_link, "SILENT_SECONDS", 0.6)

    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1)) as it:
            bridge = await it.pod.bridge(0)
            await until(lambda: {"type": "ping", "tag": "alive"} in bridge.controls, "the ping")
            await asyncio.wait_for(bridge.closed.wait(), 20)
            await works_again(it, 1)

    asyncio.run(work())


def test_a_keeper_to_which_a_large_request_is_under_way_is_not_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_link, "PING_SECONDS", 0.2)
    monkeypatch.setattr(kernel_link, "SILENT_SECONDS", 0.6)
    monkeypatch.setattr(kernel_link, "LARGE_SECONDS", 2.5)

    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1)) as it:
            bridge = await it.pod.bridge(0)
            it.face.send(execute(1, CELL, code="x" * kernel_link.LARGE_BYTES))
            await until(lambda: len(bridge.written) > kernel_link.LARGE_BYTES, "the request")
            began = time.monotonic()
            bridge.unsent = 1 << 20
            while bridge.unsent:
                await asyncio.sleep(0.5)  # the line's pace
                assert not bridge.closed.is_set()
                bridge.unsent -= 1 << 17
            # Of it nothing more is taken, and nothing comes.
            await asyncio.wait_for(bridge.closed.wait(), 20)
            assert time.monotonic() - began > 5
            await works_again(it, 1)

    asyncio.run(work())


def test_a_bridge_whose_end_does_not_come_is_let_go_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf(ScriptedBridge):
        """As ssh's, where a stuck keeper has left no room for what was sent: no end comes back."""

        async def read(self, n: int = 0) -> bytes:
            return await self._said.get()

        async def close(self) -> None:
            self.closed.set()

    monkeypatch.setattr(bridges, "ScriptedBridge", Deaf)
    monkeypatch.setattr(kernel_link, "PING_SECONDS", 0.2)
    monkeypatch.setattr(kernel_link, "SILENT_SECONDS", 0.6)

    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1)) as it:
            bridge = await it.pod.bridge(0)
            await asyncio.wait_for(bridge.closed.wait(), 20)
            await works_again(it, 1)

    asyncio.run(work())
