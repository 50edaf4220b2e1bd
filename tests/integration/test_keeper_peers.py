"""A keeper and those who are not its peers: refused with a reason, and nobody is harmed."""

from __future__ import annotations

import pytest

from jupyter_remote_gpu.wire.frames import encode_control
from tests.support.keeper import PATIENCE, Bridge


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        ({"protocol": 99}, "version"),
        ({"identity": "f" * 32}, "identity"),
        ({"cursor": 10**6}, "cursor"),
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
    ):
        other = kernel.pod.bridge(kernel.kernel)
        other.request(str(wrong["kind"]), {"code": "1"}, execution=wrong["execution"])
        other.control(lambda m: m["type"] == "refused")
        other.close()
    assert kernel.run("1")["outcome"] == "ok"


def test_hello_must_come_first(kernel: Bridge) -> None:
    process = kernel.pod.popen("bridge", {})
    out, _ = process.communicate(encode_control({"type": "stop"}), timeout=PATIENCE)
    assert b"unknown-service" in out
    assert kernel.run("1")["outcome"] == "ok"
