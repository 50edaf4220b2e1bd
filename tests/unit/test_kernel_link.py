"""What a pod may say instead of a journal: a sentence, nothing in the mirror, and a new bridge."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jupyter_remote_gpu.daemon import kernel_link
from jupyter_remote_gpu.errors import (
    LinkError,
    PodError,
    RemoteGPUError,
    TransportError,
    WireError,
    error_to_json,
)
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.wire.frames import (
    CONTROL,
    END,
    HEAD,
    MAX_PAYLOAD,
    MIDDLE,
    encode_control,
    encode_frame,
)
from tests.support.bridges import ScriptedBridge, execute, linked, until, welcome, works_again
from tests.support.written import CLIENT, mirrored, note, output

CELL = "e" * 32
LARGE = output(2, "y" * (3 << 20))


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def message(**fields: object) -> bytes:
    return encode_control(fields)


BAD = {
    "no frames": (b"Welcome to Ubuntu 24.04 LTS\r\n" * 50, "not ours"),
    "an unknown kind": (encode_frame(ord("X"), b"{}"), "unknown frame kind"),
    "a frame that is too long": (HEAD.pack(MAX_PAYLOAD + 1, ord("R"), 0), "more than 1048576"),
    "a wrong checksum": (welcome(2) + flipped(output(2)), "checksum"),
    "a wrong checksum in a message": (flipped(welcome(2)), "checksum"),
    "records before the welcome": (output(2), "before its welcome"),
    "no welcome": (message(type="pong", tag="x"), "not a welcome"),
    "a welcome without a number": (welcome(1, next="2"), "not a welcome"),
    "another journal": (welcome(2, identity="2" * 32) + output(2), "not asked for"),
    "no journal": (welcome(2, identity=None), "not asked for"),
    "no JSON": (encode_frame(CONTROL, b"{"), "not JSON"),
    "no object": (welcome(1) + encode_frame(CONTROL, b"[1]"), "not a JSON object"),
    "an ack of the wrong types": (
        welcome(1) + message(type="ack", client=CLIENT, number=[1]),
        "names no request",
    ),
    "a rejection of nobody": (welcome(1) + message(type="rejected", number=1), "names no request"),
    "a record again": (welcome(2) + output(1), "does not follow"),
    "a record too many": (welcome(3) + output(3), "does not follow"),
    "a strange id": (welcome(2) + output(2, execution="../../etc"), "32 hex"),
    "a cell of the wrong types": (
        welcome(2) + note(2, "request", execution=CELL, client=CLIENT, type="execute_request",
                          meta=5),
        "meta",
    ),
    "a middle without a beginning": (welcome(2) + encode_frame(MIDDLE, b"x"), "out of order"),
    "an end without a beginning": (welcome(2) + encode_frame(END, b"x"), "out of order"),
    "a record inside another": (welcome(3) + LARGE[: MAX_PAYLOAD + 9] + output(3), "inside"),
    "a record shorter than its head": (welcome(2) + encode_frame(ord("R"), b"x"), "shorter"),
}  # fmt: skip


@pytest.mark.parametrize(("bad", "words"), BAD.values(), ids=BAD)
def test_nonsense_is_told_and_the_next_bridge_works(tmp_path: Path, bad: bytes, words: str) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1)) as it:
            request = execute(1, CELL)
            it.face.send(request)
            first = await it.pod.bridge(0)
            await until(lambda: request in first.written, "the request")
            it.pod.add(bad)
            first.end()
            told = await it.face.control("trouble", where="pod")
            assert words in told["message"]
            assert it.pod.bridges[1].closed.is_set()
            await works_again(it, 2, request)
            await it.face.control("trouble", message=None)
            # The keeper may have it: whoever is told "rejected" runs it again.
            assert not it.face.all("rejected")
            assert len(it.state.outbox) == 1

    asyncio.run(work())


@pytest.mark.parametrize("size", [3, 40, len(welcome(1)) + 5, len(welcome(1)) + MAX_PAYLOAD + 20])
def test_a_stream_that_is_cut_is_only_a_cut(tmp_path: Path, size: int) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1), (welcome(2) + LARGE)[:size]) as it:
            bridge = await it.pod.bridge(0)
            bridge.end()
            await bridge.closed.wait()
            await works_again(it, 1)
            assert not it.face.all("trouble")

    asyncio.run(work())


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PodError("There is no Python.", code="no-python"), "There is no Python."),
        (LinkError("No further session.", code="max-sessions"), "No further session."),
        (KeyError("nobody expected this"), "nobody expected this"),
        (TransportError("The network is gone."), None),
        (OSError("too many open files"), None),
    ],
)
def test_a_bridge_that_cannot_be_had_is_told(
    tmp_path: Path, error: Exception, said: str | None
) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1), error) as it:
            if said is not None:
                assert said in (await it.face.control("trouble", where="pod"))["message"]
            await works_again(it, 0)
            assert bool(it.face.all("trouble")) is (said is not None)
            if said is not None:
                await it.face.control("trouble", message=None)

    asyncio.run(work())


def test_who_asks_whether_a_kernel_lives_is_told_why_nobody_knows(tmp_path: Path) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1)) as it:
            it.pod.add(PodError("There is no Python.", code="no-python"))
            with pytest.raises(PodError, match="no Python"):
                await it.link.alive(20)
            with pytest.raises(TransportError):
                await it.link.alive(0.05)
            it.pod.add(welcome(1))
            assert await it.link.alive(20) is True
            bridge = await it.pod.bridge(0)
            bridge.end()
            await bridge.closed.wait()
            assert it.state.alive is None
            it.pod.add(welcome(1, alive=False))
            assert await it.link.alive(20) is False

    asyncio.run(work())


@pytest.mark.parametrize("code", ["version", "unknown-service", "cursor", "identity"])
def test_a_refusal_stays_and_only_a_lost_kernel_costs_what_was_sent(
    tmp_path: Path, code: str
) -> None:
    async def work() -> None:
        details = {"identity": "2" * 32} if code == "identity" else {}
        refusal = error_to_json(WireError("no", code=code, details=details))
        async with linked(tmp_path, output(1), welcome(1)) as it:
            request = execute(1, CELL)
            it.face.send(request)
            first = await it.pod.bridge(0)
            await until(lambda: request in first.written, "the request")
            it.pod.add(message(type="refused", error=refusal))
            first.end()
            if code == "version":
                assert (await it.face.control("link", state="failed"))["code"] == "version"
                assert not it.face.all("rejected")
                it.face.send(execute(2, "f" * 32))
                await it.face.control("rejected", number=2)
                assert list(it.state.outbox.requests) == [(CLIENT, 1)]
            else:
                rejected = await it.face.control("rejected", number=1)
                expected = "identity" if code == "identity" else "kernel-gone"
                assert rejected["error"]["code"] == expected

    asyncio.run(work())


def test_a_keeper_of_another_protocol_is_not_asked_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1, protocol=9), welcome(1)) as it:
            told = await it.face.control("link", state="failed")
            assert "speaks protocol 9" in told["reason"]
            with pytest.raises(RemoteGPUError) as caught:
                it.pod.said.insert(0, welcome(1, protocol=9))
                await it.link.alive(20)
            assert caught.value.code == "version"
            assert len(it.pod.bridges) == 2

    asyncio.run(work())


def test_what_came_before_a_refusal_is_taken(tmp_path: Path) -> None:
    refusal = error_to_json(PodError("It cannot be read beyond record 3.", code="journal"))

    async def work() -> None:
        said = welcome(3) + output(2) + output(3) + message(type="refused", error=refusal)
        async with linked(tmp_path, output(1), said) as it:
            await it.face.control("link", state="failed")
            assert mirrored(it.state.mirror) == output(1) + output(2) + output(3)

    asyncio.run(work())


def test_without_a_bridge_nobody_knows_whether_a_kernel_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_link, "LINGER_SECONDS", 0.1)

    async def work() -> None:
        async with linked(tmp_path, output(1), welcome(1)) as it:
            await until(lambda: it.state.alive, "the welcome")
            await it.face.close()
            await asyncio.wait_for(it.pod.bridges[0].closed.wait(), 20)
            await until(lambda: it.state.alive is None, "that nobody knows")
            it.state.pod_is(PodState.CONNECTED, None, 0.0)
            assert len(it.pod.bridges) == 1

    asyncio.run(work())


def test_a_bridge_that_is_not_used_is_closed(tmp_path: Path) -> None:
    async def work() -> None:
        async with linked(tmp_path, output(1)) as it:
            twice = [ScriptedBridge(welcome(1)) for _ in range(2)]
            for bridge in twice:
                it.link.adopt(bridge)
            await until(twice[0].closed.is_set, "the end of the first")
            await until(lambda: twice[1].written, "the second's hello")
            assert not twice[1].closed.is_set()
            late = ScriptedBridge(welcome(1))
            it.link.adopt(late)
        assert twice[1].closed.is_set()
        assert late.closed.is_set()

    asyncio.run(work())
