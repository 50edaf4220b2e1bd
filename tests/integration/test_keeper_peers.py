"""A keeper and those who are not its peers: refused with a reason, and nobody is harmed."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.wire.frames import FrameDecoder, decode_control, encode_control
from jupyter_remote_gpu.wire.records import encode_record
from tests.support.keeper import PATIENCE, Bridge


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"protocol": 99}, "version"),
        ({"identity": "f" * 32}, "identity"),
        ({"cursor": 1}, "identity"),
        ({"client": "../../etc"}, "wire"),
        ({"service": "kernel:../../../etc"}, "bad-input"),
        ({"service": f"kernel:{'0' * 32}"}, "unknown-service"),
        ({"service": "disk"}, "unknown-service"),
    ],
)
def test_a_wrong_hello_is_answered_as_such(
    kernel: Bridge, hello: dict[str, object], code: str
) -> None:
    other = kernel.pod.bridge(kernel.kernel, **hello)
    assert other.welcome["type"] == "refused"
    assert other.welcome["error"]["code"] == code
    other.close()
    assert kernel.run("1")["outcome"] == "ok"


def test_a_cursor_beyond_the_end_is_answered_as_such(kernel: Bridge) -> None:
    identity = kernel.answer["identity"]
    other = kernel.pod.bridge(kernel.kernel, identity=identity, cursor=10**6)
    assert other.welcome["error"]["code"] == "cursor"
    other.close()


@pytest.mark.parametrize("junk", [b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\xff" * 4096])
def test_junk_on_a_connection_harms_nobody(kernel: Bridge, junk: bytes) -> None:
    other = kernel.pod.bridge(kernel.kernel)
    other.write(junk)
    other.control(lambda m: m["type"] == "refused")
    other.close()
    assert kernel.run("1")["outcome"] == "ok"


def test_requests_of_the_wrong_form_are_refused(kernel: Bridge) -> None:
    for wrong in (
        {"kind": "shutdown_request", "execution": None},
        {"kind": "execute_request", "execution": "../x"},
        {"kind": "execute_request", "execution": None},
        {"kind": "execute_request", "execution": "e" * 32, "meta": "abc"},
        {"kind": "execute_request", "execution": "e" * 32, "code": 1},
    ):
        other = kernel.pod.bridge(kernel.kernel)
        kind, code = str(wrong.pop("kind")), wrong.pop("code", "1")
        other.request(kind, {"code": code}, **wrong)
        other.control(lambda m: m["type"] == "refused")
        other.close()
    assert kernel.run("1")["outcome"] == "ok"


def test_hello_must_come_first(kernel: Bridge) -> None:
    process = kernel.pod.popen("bridge", {})
    out, _ = process.communicate(encode_control({"type": "stop"}), timeout=PATIENCE)
    assert b"unknown-service" in out
    assert kernel.run("1")["outcome"] == "ok"


@pytest.mark.parametrize("execution", ["abc", "", 7, [], "../x", "E" * 32])
def test_an_interrupt_of_what_is_no_id_is_refused_and_not_written(
    kernel: Bridge, execution: object
) -> None:
    other = kernel.pod.bridge(kernel.kernel)
    other.tell(type="interrupt", execution=execution, tag="t")
    other.control(lambda m: m["type"] == "refused")
    other.close()
    assert kernel.run("1")["outcome"] == "ok"
    assert not kernel.all("interrupt")


def segments(kernel: Bridge) -> list[Path]:
    folder = kernel.pod.state / "kernels" / kernel.kernel / "journal"
    return sorted(folder.glob("*.seg"))


def cut_short(path: Path) -> None:
    os.truncate(path, 30)


@pytest.mark.parametrize("damage", [Path.unlink, cut_short])
def test_a_damaged_journal_costs_a_reader_and_not_the_kernel(
    kernel: Bridge, damage: Callable[[Path], None]
) -> None:
    kernel.run("n = 41")
    for path in segments(kernel):
        damage(path)
    late = kernel.pod.bridge(kernel.kernel)
    error = late.control(lambda m: m["type"] == "refused")["error"]
    assert error["code"] == "journal"
    assert "cannot be read beyond record 0" in error["message"]
    late.until_end()
    mark = kernel.pod.home / "mark"
    kernel.execute(f"open({str(mark)!r}, 'w').write(str(n + 1))")
    end = time.monotonic() + PATIENCE
    while not mark.exists() or mark.read_text() != "42":
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("count", [float("inf"), float("nan"), -1, "2", [], None])
def test_a_count_of_faces_that_is_none_is_refused(kernel: Bridge, count: object) -> None:
    other = kernel.pod.bridge(kernel.kernel)
    other.tell(type="faces", count=count)
    other.control(lambda m: m["type"] == "refused")
    other.close()
    assert kernel.run("1")["outcome"] == "ok"


def test_no_file_descriptors_left_for_a_new_peer(kernel: Bridge) -> None:
    kernel.run("1")
    keeper = kernel.pod.kernel_info(kernel.kernel)["keeper_pid"]
    usual = resource.prlimit(keeper, resource.RLIMIT_NOFILE)
    used = {int(name) for name in os.listdir(f"/proc/{keeper}/fd")}
    free = min(set(range(len(used) + 1)) - used)
    log = kernel.pod.state / "kernels" / kernel.kernel / "keeper.log"
    resource.prlimit(keeper, resource.RLIMIT_NOFILE, (free, usual[1]))
    process = kernel.pod.popen("bridge", {})
    assert process.stdin is not None
    hello = {"service": f"kernel:{kernel.kernel}", "protocol": 1, "client": "d" * 32}
    process.stdin.write(encode_control({**hello, "identity": None, "cursor": 0}))
    process.stdin.flush()
    end = time.monotonic() + PATIENCE
    while "nobody can be let in" not in log.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    assert kernel.run("1")["outcome"] == "ok"
    resource.prlimit(keeper, resource.RLIMIT_NOFILE, usual)
    out = b""
    assert process.stdout is not None
    while b'"welcome"' not in out:
        piece = os.read(process.stdout.fileno(), 65536)
        assert piece, out
        out += piece
    assert log.read_text().count("nobody") < 100


def connected(kernel: Bridge) -> socket.socket:
    """Somebody at the keeper's own socket who has not said hello yet."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(PATIENCE)
    sock.connect(kernel.pod.kernel_info(kernel.kernel)["socket"])
    return sock


def hello(kernel: Bridge, client: str) -> bytes:
    words = {"service": f"kernel:{kernel.kernel}", "protocol": 1, "client": client}
    return encode_control({**words, "identity": None, "cursor": 0})


def test_the_welcome_comes_before_anything_else(kernel: Bridge) -> None:
    kernel.run("1")
    with connected(kernel) as sock:
        keeper = kernel.pod.kernel_info(kernel.kernel)["keeper_pid"]
        resource.prlimit(keeper, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        kernel.run("print('nowhere to write')")
        kernel.control(lambda m: m["type"] == "trouble")
        sock.sendall(hello(kernel, "d" * 32))
        (first, *_) = FrameDecoder().feed(sock.recv(65536))
    assert decode_control(first[1])["type"] == "welcome"


def test_what_a_superseded_peer_has_sent_is_not_acted_on(kernel: Bridge) -> None:
    """In one and the same turn of the keeper its successor came."""
    kernel.run("1")
    keeper = kernel.pod.kernel_info(kernel.kernel)["keeper_pid"]
    execution, client = "e" * 32, "d" * 32
    head = {"channel": "shell", "type": "execute_request", "client": client}
    parts = [json.dumps(p).encode() for p in ({"msg_id": "m"}, {}, {}, {"code": "1"})]
    with connected(kernel) as successor, connected(kernel) as old:
        old.sendall(hello(kernel, client))
        assert b"welcome" in old.recv(65536)
        os.kill(keeper, signal.SIGSTOP)
        end = time.monotonic() + PATIENCE
        while psutil.Process(keeper).status() != psutil.STATUS_STOPPED:
            assert time.monotonic() < end
            time.sleep(0.01)
        successor.sendall(hello(kernel, client))
        old.sendall(encode_record(1, 1, {**head, "execution": execution}, parts))
        os.kill(keeper, signal.SIGCONT)
        with contextlib.suppress(ConnectionResetError):
            while old.recv(65536):
                pass
        assert kernel.run("2")["outcome"] == "ok"
    assert execution not in {r.execution for r in kernel.records}
