"""Bad bytes on the daemon's socket: a refusal and a line in the log, never its end."""

from __future__ import annotations

import asyncio
import struct
import uuid
import zlib
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from jupyter_remote_gpu.client import spawn
from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.errors import BadInput, NotFound, RemoteGPUError, VersionMismatch
from jupyter_remote_gpu.wire.frames import HEAD, encode_control, encode_frame
from jupyter_remote_gpu.wire.records import encode_record
from tests.support.daemon import OwnDaemon, RawFace, own_daemon, until


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDaemon]:
    with (
        pytest.MonkeyPatch.context() as patch,
        own_daemon(tmp_path_factory.mktemp("d"), patch) as own,
    ):
        spawn.start_daemon()
        yield own


def ask(op: str, **args: Any) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        control = await Control.open(kind="test", spawn=False)
        try:
            return await control.request(op, **args)
        finally:
            await control.close()

    return asyncio.run(work())


@pytest.fixture(autouse=True)
def lives_on(daemon: OwnDaemon) -> Iterator[None]:
    pid = daemon.pid
    yield
    assert ask("snapshot")["daemon"]["pid"] == pid


ALIEN = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "too long": HEAD.pack(1 << 24, ord("J"), 0),
    "unknown kind": encode_frame(ord("Z"), b"{}"),
    "not json": encode_frame(ord("J"), b"{nonsense"),
    "not an object": encode_frame(ord("J"), b"[1]"),
    "deep json": encode_frame(ord("J"), b"[" * 100_000),
    "a record first": encode_record(1, 1, {"channel": "shell"}, [b"{}"]),
    "zeros": bytes(64),
}


@pytest.mark.parametrize("name", ALIEN)
def test_alien_bytes_are_refused(daemon: OwnDaemon, name: str) -> None:
    with RawFace() as face:
        face.sock.sendall(ALIEN[name])
        answer = face.message()
        assert answer["type"] == "refused", answer
        assert answer["error"]["kind"] == "wire"
        assert face.message() == {}
    assert "refused" in daemon.log()


@pytest.mark.parametrize("size", [1, 8, 9, 20])
def test_a_truncated_hello_is_only_closed(daemon: OwnDaemon, size: int) -> None:
    with RawFace() as face:
        face.sock.sendall(encode_control({"service": "control", "protocol": 1})[:size])
        face.sock.shutdown(1)
        assert face.message() == {}


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"protocol": 2}, "version", "speaks protocol 1"),
        ({"protocol": None}, "version", "speaks protocol 1"),
        ({"version": "0.0.1"}, "version", "older than the daemon"),
        ({"version": None}, "version", "older than the daemon"),
        ({"client": "../../etc"}, "wire", "32 hex"),
        ({"client": 7}, "wire", "32 hex"),
        ({"service": "shell"}, "not-found", "no service"),
        ({"service": None}, "not-found", "no service"),
        ({"service": "kernel:../x"}, "wire", "32 hex"),
        ({"service": "kernel:" + "a" * 32}, "not-found", "has not opened"),
    ],
)
def test_a_wrong_hello_gets_a_sentence(fields: dict[str, Any], kind: str, words: str) -> None:
    with RawFace() as face:
        answer = face.hello(**fields)
        assert answer["type"] == "refused"
        assert answer["error"]["kind"] == kind
        assert words in answer["error"]["message"]
        assert face.message() == {}


@pytest.mark.parametrize(
    "message",
    [
        {"op": "snapshot"},
        {"id": 1},
        {"id": "x", "op": "snapshot"},
        {"id": 1, "op": "snapshot", "args": []},
        {"id": 1, "op": "subscribe", "args": {"revision": "x"}},
    ],
)
def test_what_is_no_request_ends_the_connection(message: dict[str, Any]) -> None:
    with RawFace() as face:
        assert face.hello()["type"] == "welcome"
        face.sock.sendall(encode_control(message))
        assert face.message()["type"] == "refused"
        assert face.message() == {}


def test_a_record_on_control_ends_the_connection() -> None:
    with RawFace() as face:
        assert face.hello()["type"] == "welcome"
        face.sock.sendall(encode_record(1, 1, {"channel": "shell"}, [b"{}"]))
        assert face.message()["type"] == "refused"


def test_wrong_arguments_are_answered_and_the_connection_stays(daemon: OwnDaemon) -> None:
    wrong: list[tuple[str, dict[str, Any], type[RemoteGPUError]]] = [
        ("nonsense", {}, BadInput),
        ("pod.connect", {"name": "none"}, NotFound),
        ("pod.connect", {}, BadInput),
        ("pod.add", {"name": "x"}, BadInput),
        ("kernel.stop", {"pod": "none", "kernel": "x"}, NotFound),
        ("kernel.open", {"pod": "none", "folder": "relative"}, BadInput),
        ("execution.find", {"id": "12"}, BadInput),
        ("execution.find", {"id": "../../x"}, BadInput),
        ("execution.find", {"id": "abcd"}, NotFound),
    ]

    async def work() -> None:
        control = await Control.open(kind="test", spawn=False)
        try:
            for op, args, error in wrong:
                with pytest.raises(error):
                    await control.request(op, **args)
        finally:
            await control.close()

    asyncio.run(work())


def test_many_requests_at_once_are_answered_each(daemon: OwnDaemon) -> None:
    async def work() -> None:
        control = await Control.open(kind="test", spawn=False)
        try:
            answers = await asyncio.gather(*(control.request("snapshot") for _ in range(50)))
            assert len({a["daemon"]["pid"] for a in answers}) == 1
        finally:
            await control.close()

    asyncio.run(work())


def test_a_face_that_does_not_read_costs_no_memory(daemon: OwnDaemon) -> None:
    process = psutil.Process(daemon.pid)
    ask("snapshot")
    with RawFace() as face:
        assert face.hello()["type"] == "welcome"
        face.sock.settimeout(0.5)
        before = process.memory_info().rss
        # Its answers fill the socket; then the daemon stops reading its requests.
        sent = 0
        message = b"".join(
            encode_control({"id": n, "op": "x" * 20_000, "args": {}}) for n in range(40)
        )
        try:
            for _ in range(200):
                face.sock.sendall(message)
                sent += len(message)
        except TimeoutError:
            assert sent < 150 << 20
        except (BrokenPipeError, ConnectionResetError):
            assert sent > 0
        assert process.memory_info().rss - before < 50 << 20


def test_an_older_protocol_raises_in_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.client.connection.PROTOCOL", 9)
    with pytest.raises(VersionMismatch, match="speaks protocol 1"):
        ask("snapshot")
    monkeypatch.undo()


def test_checksums_are_not_needed_on_a_live_socket() -> None:
    # ssh and the kernel check already; what counts is that a wrong one does no harm.
    payload = encode_control({"service": "control"})[HEAD.size :]
    raw = struct.pack(">IBI", len(payload), ord("J"), zlib.crc32(payload) ^ 1) + payload
    with RawFace() as face:
        face.sock.sendall(raw)
        assert face.message()["type"] == "refused"  # it names no protocol


def test_connections_that_say_nothing_are_counted_as_no_face(daemon: OwnDaemon) -> None:
    faces = [RawFace() for _ in range(20)]
    try:
        assert ask("snapshot")["daemon"]["pid"] == daemon.pid
    finally:
        for face in faces:
            face.sock.close()
    until(lambda: len(psutil.Process(daemon.pid).net_connections("unix")) < 10, "closed sockets")


def test_a_client_id_is_one_a_process() -> None:
    from jupyter_remote_gpu.client.identity import client_id, next_number

    assert client_id() == client_id()
    name = uuid.uuid4().hex
    assert [next_number(name), next_number(name)] == [1, 2]
