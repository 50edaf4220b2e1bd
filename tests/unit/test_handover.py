"""A request is answered by what the journal has; an interrupt hits the cell that it meant."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from jupyter_remote_gpu.daemon import channels, outbox
from jupyter_remote_gpu.daemon.kernel_state import KernelState
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.errors import NotFound
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.wire.frames import encode_control
from tests.support.bridges import SocketFace, execute, linked, until, welcome
from tests.support.written import CLIENT, IDENTITY, KERNEL, cell, frames, note, output

CELL, OTHER = "e" * 32, "f" * 32
DIED = note(5, "died", code=None, signal="SIGKILL", asked=False)

Work = Callable[[KernelState, SocketFace], Coroutine[None, None, None]]


def alone(folder: Path, records: bytes, work: Work) -> None:
    """Run `work` with a kernel whose pod is on its way, and a face that follows it."""

    async def run() -> None:
        mirror = Mirror(folder / KERNEL)
        mirror.note(pod="p", identity=IDENTITY)
        mirror.append(frames(records))
        state = KernelState(mirror, lambda later: None)
        state.pod_is(PodState.RECONNECTING, None, 0.0)
        face = await SocketFace(state).open()
        try:
            await work(state, face)
        finally:
            await face.close()
            await state.close()

    asyncio.run(run())


def interrupt(tag: str, execution: str | None = None) -> bytes:
    return encode_control({"type": "interrupt", "execution": execution, "tag": tag})


def test_a_cell_that_ran_is_acknowledged_though_the_kernel_has_died(tmp_path: Path) -> None:
    async def work(state: KernelState, face: SocketFace) -> None:
        face.send(execute(1, CELL))  # its ack was lost with the daemon before
        ack = await face.control("ack", number=1)
        assert (ack["record"], ack["execution"], ack["duplicate"]) == (1, CELL, True)
        face.send(execute(2, OTHER))
        rejected = await face.control("rejected", number=2)
        assert rejected["error"]["code"] == "kernel-ended"
        assert not face.all("rejected", number=1)
        state.pod_is(PodState.FAILED, "no such host", 0.0)
        face.send(execute(1, CELL))
        await until(lambda: len(face.all("ack", number=1)) == 2, "the second ack")

    alone(tmp_path, b"".join(cell(1, CELL)) + DIED, work)


def test_a_cell_of_somebody_else_is_not_taken_for_ours(tmp_path: Path) -> None:
    async def work(state: KernelState, face: SocketFace) -> None:
        other = await SocketFace(state, "d" * 32).open()
        other.send(execute(1, CELL, client="d" * 32))
        await other.control("rejected", number=1)
        await other.close()

    alone(tmp_path, b"".join(cell(1, CELL)) + DIED, work)


def test_a_request_in_the_journal_needs_no_ack_of_the_keeper(tmp_path: Path) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1)) as it:
            it.face.send(execute(1, CELL))
            bridge = await it.pod.bridge(0)
            await until(lambda: len(it.state.outbox) == 1, "the request")
            asked = {"client": CLIENT, "number": 1, "type": "execute_request", "code": "1"}
            bridge.say(note(2, "request", execution=CELL, time=1.0, **asked))
            ack = await it.face.control("ack", number=1)
            assert (ack["record"], ack["execution"]) == (2, CELL)
            assert it.state.outbox.empty

    asyncio.run(work())


def test_who_asked_a_kernel_that_is_gone_hears_whether_it_may_have_run(tmp_path: Path) -> None:
    async def work(state: KernelState, face: SocketFace) -> None:
        for number, execution in ((1, CELL), (2, OTHER)):
            face.send(execute(number, execution))
        await until(lambda: len(state.outbox) == 2, "the requests")
        state.outbox.sent(CLIENT, 1)
        state.refused(NotFound("no such kernel", code="unknown-service"))
        errors = [(await face.control("rejected", number=n))["error"] for n in (1, 2)]
        assert [e["code"] for e in errors] == ["kernel-gone"] * 2
        assert [e["details"] for e in errors] == [{"sent": True}, {}]

    alone(tmp_path, output(1), work)


def test_whatever_runs_is_what_runs_now(tmp_path: Path) -> None:
    async def nothing_runs(state: KernelState, face: SocketFace) -> None:
        face.send(interrupt("t1"))
        assert not (await face.control("interrupted", tag="t1"))["done"]
        assert state.outbox.empty
        face.send(interrupt("t2", CELL))  # it may run there already
        await until(lambda: state.outbox.interrupts == {"t2": (CLIENT, CELL)}, "what waits")

    async def one_runs(state: KernelState, face: SocketFace) -> None:
        face.send(interrupt("t1"))
        await until(lambda: state.outbox.interrupts == {"t1": (CLIENT, CELL)}, "what waits")

    alone(tmp_path / "1", b"".join(cell(1, CELL)), nothing_runs)
    alone(tmp_path / "2", b"".join(cell(1, CELL)[:3]), one_runs)


def test_an_interrupt_that_named_no_cell_is_void_when_its_bridge_ends(tmp_path: Path) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1), welcome(1)) as it:
            bridge = await it.pod.bridge(0)
            await until(lambda: it.state.alive, "the welcome")
            it.face.send(interrupt("t1"))  # a cell may run that is not in the mirror yet
            await until(lambda: b'"interrupt","execution":null' in bridge.written, "the interrupt")
            bridge.end()
            assert not (await it.face.control("interrupted", tag="t1"))["done"]
            second = await it.pod.bridge(1)
            await until(lambda: len(second.controls) > 1, "what is sent after the welcome")
            assert not [m for m in second.controls if m.get("type") == "interrupt"]

    asyncio.run(work())


def test_too_many_bytes_of_requests_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_BYTES", 100_000)

    async def work(state: KernelState, face: SocketFace) -> None:
        face.send(execute(1, CELL, code="x" * 90_000) + execute(2, OTHER, code="x" * 90_000))
        rejected = await face.control("rejected", number=2)
        assert rejected["error"]["code"] == "outbox-full"
        assert list(state.outbox.requests) == [(CLIENT, 1)]

    alone(tmp_path, output(1), work)


def test_a_face_that_reads_no_control_messages_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels, "MAX_CONTROLS", 100)

    async def work(state: KernelState, face: SocketFace) -> None:
        deaf = await SocketFace(state, "d" * 32).open(read=False)
        told = {"type": "trouble", "where": "pod", "message": "x" * 10_000}
        for _ in range(1000):  # the socket and the daemon's buffer hold some
            deaf.channel.tell(told)
        await until(lambda: not deaf.served, "the end of its channel")
        assert list(state.audience.channels) == [CLIENT]
        assert face.served
        await deaf.close()

    alone(tmp_path, output(1), work)
