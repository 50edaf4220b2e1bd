"""What may answer at the daemon's socket: a face gives up with a sentence, or dials again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu._version import __version__
from jupyter_remote_gpu.client.aio import Channel, Control
from jupyter_remote_gpu.client.paths import socket_path
from jupyter_remote_gpu.errors import RemoteGPUError, WireError, error_to_json
from jupyter_remote_gpu.wire.frames import (
    BEGIN,
    CONTROL,
    END,
    HEAD,
    MAX_PAYLOAD,
    MIDDLE,
    WHOLE,
    FrameDecoder,
    decode_control,
    encode_control,
    encode_frame,
)
from jupyter_remote_gpu.wire.records import Record
from tests.support.written import CLIENT, IDENTITY, KERNEL, output

PATIENCE = 20.0


@pytest.fixture(autouse=True)
def home(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short_tmp / "run").mkdir(mode=0o700)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(short_tmp / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_tmp / "run"))


def message(**fields: Any) -> bytes:
    return encode_control(fields)


def welcome(**more: Any) -> bytes:
    full = {"type": "welcome", "protocol": 1, "version": __version__, "identity": IDENTITY}
    return encode_control({**full, "next": 1, "alive": True, **more})


@asynccontextmanager
async def saying(*said: bytes) -> AsyncIterator[list[int]]:
    """A daemon that answers its first faces so, each when it was greeted, and then hangs up."""
    dialled: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at = len(dialled)
        dialled.append(at)
        with contextlib.suppress(OSError):
            await reader.read(65536)
            writer.write(said[at] if at < len(said) else b"")
            await writer.drain()
            if at == len(said) - 1:  # the last one is followed to the test's end
                await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(serve, str(socket_path(make=True)))
    try:
        yield dialled
    finally:
        server.close()
        await asyncio.sleep(0.05)  # the connections' own end
        socket_path().unlink()


LARGE = output(1, "y" * (3 << 20))
ALIEN: dict[str, tuple[bytes, str]] = {
    "no frames": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "is not our daemon"),
    "an unknown kind": (encode_frame(ord("X"), b"{}"), "unknown frame kind"),
    "a frame that is too long": (HEAD.pack(MAX_PAYLOAD + 1, WHOLE, 0), "more than 1048576"),
    "no JSON": (encode_frame(CONTROL, b"{"), "not JSON"),
    "no object": (encode_frame(CONTROL, b"[1]"), "not a JSON object"),
    "nested": (encode_frame(CONTROL, b"[" * 100_000), "not JSON"),
    "no welcome": (message(type="pong"), "not a welcome"),
    "a record before the welcome": (output(1) + welcome(), "not a welcome"),
    "an odd refusal": (message(type="refused", error=5), "unreadable error"),
}
BAD: dict[str, tuple[bytes, str]] = {
    **ALIEN,
    "another journal": (welcome(identity="2" * 32) + output(1), "another journal"),
    "no journal": (welcome(identity=None) + output(1), "another journal"),
    "frames that are no more": (welcome() + b"Traceback (most recent call last)", "unknown frame"),
    "a longer frame later": (welcome() + HEAD.pack(1 << 31, WHOLE, 0), "more than 1048576"),
    "a record too early": (welcome() + output(2) + output(1), "Records 1 to 1 are missing"),
    "a record left out": (welcome() + output(1) + output(3), "Records 2 to 2 are missing"),
    "a middle without a beginning": (welcome() + encode_frame(MIDDLE, b"x"), "out of order"),
    "an end without a beginning": (welcome() + encode_frame(END, b"x"), "out of order"),
    "a record inside another": (welcome() + LARGE[: MAX_PAYLOAD + 9] + output(1), "out of order"),
    "a record shorter than its head": (welcome() + encode_frame(WHOLE, b"x"), "shorter"),
    "a record without parts": (welcome() + encode_frame(WHOLE, bytes(20)), "damaged"),
    "a long record of nonsense": (
        welcome() + encode_frame(BEGIN, bytes(20)) + encode_frame(END, b"x"), "damaged",
    ),
    "no JSON later": (welcome() + encode_frame(CONTROL, b"{"), "not JSON"),
    "a refusal later": (
        welcome() + message(type="refused", error=error_to_json(WireError("No.", code="cursor"))),
        "No.",
    ),
}  # fmt: skip


async def channel(on_batch: Callable[[list[Record]], None]) -> Channel:
    async def batch(records: list[Record]) -> None:
        on_batch(records)

    async def control(_: dict[str, Any]) -> None:
        return None

    return Channel(
        pod="p",
        kernel=KERNEL,
        identity=IDENTITY,
        client=CLIENT,
        cursor=0,
        on_batch=batch,
        on_control=control,
    )


@pytest.mark.parametrize(("bad", "said"), BAD.values(), ids=BAD)
def test_a_channel_ends_with_a_sentence_and_shows_nothing_wrong(bad: bytes, said: str) -> None:
    shown: list[int] = []

    async def work() -> None:
        async with saying(bad):
            following = await channel(lambda records: shown.extend(r.last for r in records))
            with pytest.raises(RemoteGPUError) as caught:
                await asyncio.wait_for(following.run(), PATIENCE)
            assert said in str(caught.value)

    asyncio.run(work())
    assert shown in ([], [1])  # what was good before


@pytest.mark.parametrize("size", [0, 3, 40, len(welcome()) + 5, len(welcome()) + MAX_PAYLOAD + 20])
def test_an_answer_that_is_cut_is_asked_for_again(size: int) -> None:
    shown: list[tuple[int, int]] = []

    async def work() -> None:
        whole = welcome() + LARGE + output(2)
        async with saying(whole[:size], whole) as dialled:
            following = await channel(lambda rs: shown.extend((r.first, r.last) for r in rs))
            running = asyncio.create_task(following.run())
            async with asyncio.timeout(PATIENCE):
                while len(shown) < 2:  # noqa: ASYNC110 - it is told by a list
                    await asyncio.sleep(0.01)
            await following.close()
            await running
            assert len(dialled) == 2

    asyncio.run(work())
    assert shown == [(1, 1), (2, 2)]


ODD = {
    "an ack of the wrong types": message(type="ack", client=CLIENT, number=[1], record={}),
    "an ack of nobody": message(type="ack", client=None, number=10**40),
    "an answer of the wrong types": message(type="interrupted", tag={}, done="yes"),
    "an unknown message": message(type=["x"]),
    "a record that was there": output(1),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_is_only_odd_is_passed_over(odd: bytes) -> None:
    shown: list[int] = []

    async def work() -> None:
        async with saying(welcome() + output(1) + odd + output(2)):
            following = await channel(lambda records: shown.extend(r.last for r in records))
            running = asyncio.create_task(following.run())
            async with asyncio.timeout(PATIENCE):
                while 2 not in shown and not running.done():  # noqa: ASYNC110 - told by a list
                    await asyncio.sleep(0.01)
            await following.close()
            await running

    asyncio.run(work())
    assert shown == [1, 2]


@pytest.mark.parametrize(("bad", "said"), ALIEN.values(), ids=ALIEN)
def test_control_says_what_answers(bad: bytes, said: str) -> None:
    async def work() -> None:
        async with saying(bad):
            with pytest.raises(RemoteGPUError) as caught:
                await asyncio.wait_for(Control.open(kind="test", client=CLIENT), PATIENCE)
            assert said in str(caught.value)

    asyncio.run(work())


BROKEN = {
    "frames that are no more": b"Traceback (most recent call last)",
    "a longer frame": HEAD.pack(1 << 31, CONTROL, 0),
    "no JSON": encode_frame(CONTROL, b"{"),
    "no object": encode_frame(CONTROL, b"[1]"),
    "a record": output(1),
    "a refusal": message(type="refused", error=error_to_json(WireError("No."))),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_request_hears_of_it_and_the_next_one_dials_again(broken: bytes) -> None:
    odd = [{"id": [1], "ok": True}, {"id": None}, {"event": "snapshot", "snapshot": {"pods": 5}}]

    async def work() -> None:
        first = [True]

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked = FrameDecoder()
            await reader.read(65536)
            writer.write(welcome())
            while data := await reader.read(65536):
                for _, payload in asked.feed(data):
                    if first:
                        writer.write(broken)
                    elif "op" in (request := decode_control(payload)):
                        for message in [
                            *odd,
                            {"id": request["id"], "ok": True, "result": {"a": 1}},
                        ]:
                            writer.write(encode_control(message))
                first.clear()
            writer.close()

        server = await asyncio.start_unix_server(serve, str(socket_path(make=True)))
        control = await Control.open(kind="test", client=CLIENT)
        with pytest.raises(WireError):
            await asyncio.wait_for(control.request("snapshot", timeout=10.0), PATIENCE)
        answer = await asyncio.wait_for(control.request("snapshot", timeout=10.0), PATIENCE)
        assert answer == {"a": 1}
        await control.close()
        server.close()
        await asyncio.sleep(0.05)  # the connections' own end

    asyncio.run(work())
