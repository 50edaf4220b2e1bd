"""The demo's control socket and what it may be sent, or be answered with: a sentence, in time."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.demo import remote
from jupyter_remote_gpu.errors import RemoteGPUError


@pytest.fixture(autouse=True)
def home(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (short_tmp / "run").mkdir(mode=0o700)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(short_tmp / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_tmp / "run"))
    monkeypatch.setattr(remote, "_SECONDS", 1.0)
    remote._record().parent.mkdir(mode=0o700)


class Relay:
    def cut(self, seconds: float) -> float:
        return 1000.0 + seconds


GOOD = b'{"do": "cut", "seconds": 5}'
SENT = {
    "no line": (b"", None),
    "a line that is cut": (GOOD[:9], "not a line of JSON"),
    "another protocol": (b"GET / HTTP/1.1\r\n\r\n", "not a line of JSON"),
    "no UTF-8": (b"\xff\xfe\n", "not a line of JSON"),
    "no object": (b"[1]\n", "not a JSON object"),
    "nested": (b"[" * 4000 + b"\n", "not a line of JSON"),
    "a line that is too long": (b" " * 70_000 + GOOD + b"\n", "not a line of JSON"),
    "nothing asked for": (b"{}\n", "does not know"),
    "something else": (b'{"do": ["cut"]}\n', "does not know"),
    "no seconds": (b'{"do": "cut"}\n', "seconds is not possible"),
    "seconds of another type": (b'{"do": "cut", "seconds": [1]}\n', "seconds is not possible"),
    "seconds after the cut": (b'{"seconds": 5}\n{"do": "cut"}\n', "does not know"),
}


@pytest.mark.parametrize(("sent", "said"), SENT.values(), ids=SENT)
def test_what_it_is_sent_is_answered_and_it_goes_on(
    tmp_path: Path, sent: bytes, said: str | None
) -> None:
    async def ask(data: bytes) -> bytes:
        reader, writer = await asyncio.open_unix_connection(str(remote.demo_socket()))
        writer.write(data)
        writer.write_eof()
        try:
            return await asyncio.wait_for(reader.readline(), 20)
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def work() -> None:
        control = remote.RemoteControl(Relay(), tmp_path)  # type: ignore[arg-type]
        await control.start()
        try:
            answer = await ask(sent)
            if said is not None:
                assert said in json.loads(answer)["error"]["message"]
            good = json.loads(await ask(GOOD + b"\n"))
            assert good == {"folder": str(tmp_path), "until": 1005.0}
        finally:
            await asyncio.sleep(0.05)  # the connections' own end
            await control.close()

    asyncio.run(work())


def test_who_sends_nothing_is_let_go(tmp_path: Path) -> None:
    async def work() -> None:
        control = remote.RemoteControl(Relay(), tmp_path)  # type: ignore[arg-type]
        await control.start()
        try:
            reader, writer = await asyncio.open_unix_connection(str(remote.demo_socket()))
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.close()
        finally:
            await asyncio.sleep(0.05)  # the connections' own end
            await control.close()

    asyncio.run(work())


@contextmanager
def answering(*answers: bytes | None) -> Iterator[None]:
    """Something in the demo's place; None: it says nothing and keeps the connection."""
    path = remote.demo_socket(make=True)
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(path))
    server.listen()
    held: list[socket.socket] = []

    def serve() -> None:
        for answer in answers:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            held.append(peer)
            peer.recv(4096)
            if answer is not None:
                try:
                    peer.sendall(answer)
                except OSError:
                    pass
                peer.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join(20)
        for peer in held:
            peer.close()
        os.unlink(path)


HELLO = b'{"folder": "/demo"}\n'
ANSWERED: dict[str, tuple[bytes | None, str]] = {
    "nothing": (b"", "did not answer"),
    "silence": (None, "did not answer"),
    "a part of a line": (b'{"until": 10', "did not answer"),
    "no end": (b"x" * (1 << 20), "did not answer"),
    "another protocol": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "cannot be read"),
    "no UTF-8": (b"\xff\xfe\n", "cannot be read"),
    "no object": (b"[1]\n", "cannot be read"),
    "nested": (b"[" * 40_000 + b"\n", "cannot be read"),
    "another answer": (HELLO, "cannot be read"),
    "a time that is none": (b'{"until": "soon"}\n', "cannot be read"),
    "an odd error": (b'{"error": 5}\n', "unreadable error"),
}


@pytest.mark.parametrize(("answer", "said"), ANSWERED.values(), ids=ANSWERED)
def test_what_it_answers_is_checked(answer: bytes | None, said: str) -> None:
    with answering(HELLO, answer), pytest.raises(RemoteGPUError, match=said):
        remote.cut(5.0)


def test_what_does_not_answer_as_a_demo_is_none() -> None:
    for answer in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", None):
        with answering(answer), pytest.raises(RemoteGPUError, match="No demo pod runs"):
            remote.cut(5.0)


def test_a_good_answer() -> None:
    told: dict[str, Any] = {"folder": "/demo", "until": 12.0}
    with answering(HELLO, json.dumps(told).encode() + b"\n"):
        assert remote.cut(5.0) == told
