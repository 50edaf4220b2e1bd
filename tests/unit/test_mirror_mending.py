"""A damaged mirror comes again from the pod; where that is gone, a gap says what is lost."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from jupyter_remote_gpu.daemon.kernel_link import KernelLink
from jupyter_remote_gpu.daemon.kernel_state import KernelState
from jupyter_remote_gpu.daemon.mirror import Mirror
from jupyter_remote_gpu.daemon.pods import Pods
from jupyter_remote_gpu.daemon.settings import Settings
from jupyter_remote_gpu.errors import NotFound, error_to_json
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from jupyter_remote_gpu.wire.records import Record, RecordAssembler
from tests.support.bridges import LAPTOP, ScriptedPod, SocketFace, until, welcome
from tests.support.written import IDENTITY, KERNEL, cell, frames, mirrored, note, output

CELL, LATE = "e" * 32, "f" * 32
COUNT = 400
BOUND = 1 << 20  # segments of 64 KiB
RECORDS = [
    *cell(1, CELL),
    *(output(n, "y" * 1000) for n in range(5, COUNT - 4)),
    *cell(COUNT - 4, LATE),
    output(COUNT),
]
JOURNAL = b"".join(RECORDS)


class Reader(SocketFace):
    """Also keeps the records."""

    records: list[Record]

    async def _read(self, reader: asyncio.StreamReader) -> None:
        self.records = []
        decoder, assembler = FrameDecoder(verify=True), RecordAssembler()
        while data := await reader.read(1 << 16):
            for kind, payload in decoder.feed(data):
                if kind == CONTROL:
                    self.controls.append(decode_control(payload))
                elif (record := assembler.feed(kind, payload)) is not None:
                    self.records.append(record)

    @property
    def last(self) -> int:
        return self.records[-1].last if self.records else 0

    def check(self) -> None:
        at = 0
        for record in self.records:
            assert record.first == at + 1
            at = record.last
        assert at == COUNT
        assert not self.all("refused")


def end_early(segments: list[Path]) -> int:
    """As a power cut leaves it: the newest is empty, the one before lacks its last records."""
    size = 0
    for number in range(int(segments[-2].stem), int(segments[-2].stem) + 5):
        size += len(RECORDS[number - 1])
    os.truncate(segments[-1], 0)
    os.truncate(segments[-2], size)
    return int(segments[-2].stem)


def rot(segments: list[Path]) -> int:
    data = segments[2].read_bytes()
    segments[2].write_bytes(data[:5000] + bytes(20000) + data[25000:])
    return int(segments[2].stem)


def lose(segments: list[Path]) -> int:
    segments[0].unlink()
    return 1


class Setup:
    """A kernel whose mirror was damaged while no daemon had it."""

    state: KernelState
    link: KernelLink
    pod: ScriptedPod
    first: int

    def __init__(self) -> None:
        self.faces: list[Reader] = []

    async def face(self) -> Reader:
        face = Reader(self.state, cursor=0)
        self.faces.append(face)
        await face.open()
        return face


@asynccontextmanager
async def damaged(
    folder: Path, spoil: Callable[[list[Path]], int], saved: bool
) -> AsyncIterator[Setup]:
    mirror = Mirror(folder / KERNEL, BOUND)
    mirror.note(pod="p", identity=IDENTITY)
    for record in RECORDS:
        mirror.append(frames(record))
    if saved:
        mirror.save()
    mirror.log.close()
    it = Setup()
    it.first = spoil([s.path for s in mirror.log.segments])
    it.state = KernelState(Mirror(folder / KERNEL, BOUND), lambda later: None)
    it.link = KernelLink(it.state, LAPTOP)
    it.pod = ScriptedPod()
    try:
        yield it
    finally:
        for face in it.faces:
            await face.close()
        await it.link.close()


SPOILT = pytest.mark.parametrize("spoil", [end_early, rot, lose])
SAVED = pytest.mark.parametrize("saved", [False, True])


@SPOILT
@SAVED
def test_it_comes_again_from_the_pod(
    tmp_path: Path, spoil: Callable[[list[Path]], int], saved: bool
) -> None:
    async def work() -> None:
        async with damaged(tmp_path, spoil, saved) as it:
            it.state.pod_is(PodState.CONNECTING, None, 0.0)
            face = await it.face()
            await until(lambda: it.state.damage.found, "the damage")
            it.pod.add(welcome(COUNT) + b"".join(RECORDS[it.first - 1 :]))
            it.state.pod_is(PodState.CONNECTED, None, 0.0)
            it.link.connected(it.pod)
            await until(lambda: face.last == COUNT, "all records")
            face.check()
            bridge = await it.pod.bridge(0)
            assert bridge.controls[0]["cursor"] == it.first - 1
            mirror = it.state.mirror
            assert mirrored(mirror) == JOURNAL
            assert [mirror.executions.all[e].outcome for e in (CELL, LATE)] == ["ok", "ok"]
            assert it.state.synced
        again = Mirror(tmp_path / KERNEL, BOUND)
        assert (again.last, again.log.damage) == (COUNT, None)
        again.close()

    asyncio.run(work())


def test_damage_that_is_found_while_the_kernel_is_followed(tmp_path: Path) -> None:
    async def work() -> None:
        async with damaged(tmp_path, rot, saved=True) as it:
            it.pod.add(welcome(COUNT))
            it.state.pod_is(PodState.CONNECTED, None, 0.0)
            it.link.connected(it.pod)
            await it.pod.bridge(0)
            await until(lambda: it.state.synced, "the first bridge")
            it.pod.add(welcome(COUNT) + b"".join(RECORDS[it.first - 1 :]))
            face = await it.face()
            await until(lambda: face.last == COUNT, "all records")
            face.check()
            assert mirrored(it.state.mirror) == JOURNAL

    asyncio.run(work())


@SPOILT
@SAVED
def test_a_gap_says_what_is_lost_where_the_pod_has_it_no_more(
    tmp_path: Path, spoil: Callable[[list[Path]], int], saved: bool
) -> None:
    async def work() -> None:
        async with damaged(tmp_path, spoil, saved) as it:
            it.state.pod_is(PodState.CONNECTING, None, 0.0)
            face = await it.face()
            await until(lambda: it.state.damage.found, "the damage")
            error = error_to_json(NotFound("no such kernel", code="unknown-service"))
            it.pod.add(encode_control({"type": "refused", "error": error}))
            it.state.pod_is(PodState.CONNECTED, None, 0.0)
            it.link.connected(it.pod)
            await until(lambda: face.last == it.state.mirror.last, "the rest")
            if it.state.mirror.last == COUNT:
                face.check()
            gaps = [r for r in face.records if r.type == "gap"]
            (gap,) = gaps
            assert gap.first >= it.first
            assert "does not have it any more" in str(gap.content["reason"])
            if spoil is not end_early:  # what became of the last cell is behind the damage
                await until(lambda: LATE in it.state.mirror.executions.all, "the fold")

    asyncio.run(work())


def test_a_pod_that_is_off_loses_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with damaged(tmp_path, rot, saved=True) as it:
            before = sum(p.stat().st_size for p in (tmp_path / KERNEL / "log").iterdir())
            it.state.pod_is(PodState.CONNECTING, None, 0.0)
            face = await it.face()
            it.state.pod_is(PodState.DISCONNECTED, None, 0.0)
            told = await face.control("refused")
            assert told["error"]["code"] == "mirror-damaged"
            assert "%gpu connect p" in told["error"]["message"]
            assert face.last >= it.first - 1
            it.state.pod_is(PodState.CONNECTED, None, 0.0)
            assert it.state.wanted
            assert sum(p.stat().st_size for p in (tmp_path / KERNEL / "log").iterdir()) == before

    asyncio.run(work())


def test_a_removed_pod_is_not_waited_for(tmp_path: Path) -> None:
    async def work() -> None:
        async with damaged(tmp_path, rot, saved=True) as it:
            it.state.mirror.note(removed=1.0)
            face = await it.face()
            await until(lambda: face.last == COUNT, "all records")
            face.check()
            assert [r.type for r in face.records].count("gap") == 1

    asyncio.run(work())


def test_a_pod_that_is_added_again_is_waited_for(tmp_path: Path) -> None:
    """As one is whose address has changed with a new start."""
    mirror = Mirror(tmp_path / "mirrors" / KERNEL, BOUND)
    mirror.note(pod="p", identity=IDENTITY)
    for record in RECORDS:
        mirror.append(frames(record))
    mirror.close()

    async def work() -> None:
        pods = Pods(tmp_path, Settings(mirror_bytes=BOUND), lambda within: None)
        await pods.load()
        try:
            pods.add("p", "me@127.0.0.1:1", None)
            await pods.remove("p")
            pods.add("p", "me@127.0.0.1:2", None)
            rot([s.path for s in mirror.log.segments])
            state = pods.kernel(KERNEL).state
            state.pod_is(PodState.CONNECTING, None, 0.0)
            face = await Reader(state, cursor=0).open()
            state.pod_is(PodState.DISCONNECTED, None, 0.0)
            told = await face.control("refused")
            assert "%gpu connect p" in told["error"]["message"]
            await face.close()
        finally:
            await pods.close()

    asyncio.run(work())


def test_what_was_cut_is_compacted_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with damaged(tmp_path, rot, saved=True) as it:
            mirror = it.state.mirror
            firsts = [s.first for s in mirror.log.segments[:-1]]
            mirror.executions.compacted = set(firsts)
            mirror.log.found_damage(it.first)
            mirror.drop_damaged()
            mirror.append(frames(b"".join(RECORDS[it.first - 1 :]) + note(COUNT + 1, "x")))
            assert mirror.executions.compacted == set(firsts[:2])
            task = mirror.retention.next()
            assert task is not None
            assert task.segment.first == it.first

    asyncio.run(work())
