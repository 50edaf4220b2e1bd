"""A time limit that lets a cancellation through, and what relies on it."""

from __future__ import annotations

import asyncio

import pytest

from jupyter_remote_gpu.client import control as module
from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.client.within import within
from jupyter_remote_gpu.errors import DaemonError


async def waits_for(answer: asyncio.Future[int]) -> int:
    return await answer


def test_a_cancellation_that_comes_with_the_answer_is_one() -> None:
    async def main() -> None:
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        inner: list[asyncio.Task[int]] = []
        begun = asyncio.Event()

        async def work() -> int:
            inner.append(asyncio.current_task())  # type: ignore[arg-type]
            begun.set()
            return await answer

        task = asyncio.create_task(within(work(), 60))
        await begun.wait()
        answer.set_result(1)
        inner[0].add_done_callback(lambda _: task.cancel())
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_it_gives_the_result_the_error_and_the_time_out() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        good, bad, never = loop.create_future(), loop.create_future(), loop.create_future()
        good.set_result(7)
        bad.set_exception(KeyError("x"))
        assert await within(waits_for(good), 60) == 7
        with pytest.raises(KeyError):
            await within(waits_for(bad), 60)
        with pytest.raises(asyncio.TimeoutError):
            await within(waits_for(never), 0.01)
        assert never.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


class FakeConnection:
    """One that is dialled when it is let."""

    def __init__(self) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True


def test_a_connection_that_comes_after_the_end_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        connection, gate = FakeConnection(), asyncio.Event()
        dialled = asyncio.Event()

        async def dial(hello: object, *, spawn: bool) -> FakeConnection:
            dialled.set()
            await gate.wait()
            return connection

        monkeypatch.setattr(module, "dial", dial)
        control = Control(kind="test", client="a" * 32, spawn=False)
        asking = asyncio.create_task(control.request("snapshot"))
        await dialled.wait()
        await control.close()
        gate.set()
        with pytest.raises(DaemonError, match="let go"):
            await asking
        assert connection.closed

    asyncio.run(main())
