"""What a pod says is bounded and obeyed by no terminal, whoever shows it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncssh
import pytest

from jupyter_remote_gpu.cli.asking import print_table
from jupyter_remote_gpu.errors import HostKeyUnknown, PodError, TransportError, error_to_json
from jupyter_remote_gpu.link import bootstrap, known
from jupyter_remote_gpu.link.failures import Attempt, explain
from jupyter_remote_gpu.link.known import KnownPod
from jupyter_remote_gpu.link.status import LinkLog, Standing
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.pods.command import parse_ssh
from jupyter_remote_gpu.pods.registry import Registry

EVIL = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202eTrust it? yes"


def obeyed(text: str) -> bool:
    return not text.replace("\n", "").isprintable()


class Canned:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        return data

    def write(self, data: bytes) -> None:
        raise AssertionError("nothing is to be sent")


async def drain() -> None:
    raise AssertionError("nothing is to be sent")


def answered(line: bytes, word: bytes = b"HAVE\n") -> Exception:
    with pytest.raises(Exception) as caught:
        stream = Canned(b"\x1ejrg1 n\n" + word + line + b"\n")
        asyncio.run(bootstrap.converse(stream, b"", "n", None, drain))
    return caught.value


def test_an_error_of_two_megabytes() -> None:
    error = {"kind": "pod", "code": "x" * 9999, "message": "A" * 2_000_000, "details": {}}
    for more in ({}, {"details": {"k": "B" * 2_000_000}}):
        got = answered(json.dumps({"ok": False, "error": {**error, **more}}).encode())
        assert isinstance(got, PodError)
        assert len(json.dumps(error_to_json(got))) < 10_000
    got = answered(b"", b"FAIL " + json.dumps(["x" * 999, "A" * 2_000_000]).encode() + b"\n")
    assert isinstance(got, PodError) and len(got.message) < 5000 and len(got.code) < 100


def test_a_pod_has_no_say_about_its_link() -> None:
    for error in (TransportError("x"), HostKeyUnknown("x", details={"fingerprint": "SHA256:x"})):
        got = answered(json.dumps({"ok": False, "error": error_to_json(error)}).encode())
        assert type(got) is PodError and not got.details


def test_an_answer_nested_without_end() -> None:
    assert isinstance(answered(b"[" * 200_000), PodError)


def test_warnings_are_few_and_short(tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    pod = KnownPod(tmp_path, pods.add("pod", "me@host"))
    pod.learn({"warnings": ["B" * 1_000_000, EVIL, 5, None] * 1000})
    pod.doubt("C" * 1_000_000)
    assert len(pod.warnings) <= known.MOST_WARNINGS + 2
    assert all(len(w) <= known.MAX_WARNING and not obeyed(w) for w in pod.warnings)
    pod.learn({"warnings": {"not": "a list"}})
    assert pod.warnings == ()


def test_no_terminal_obeys_it(capsys: pytest.CaptureFixture[str]) -> None:
    attempt = Attempt(parse_ssh("me@host"), "me@host:22", reached=True, greeting=b"SSH-2.0-x")
    error = explain(asyncssh.ProtocolError(f"{EVIL}\nx"), attempt)
    standing = Standing("pod", lambda: None)
    standing._set(PodState.FAILED, error.message)
    assert standing.status.reason is not None and not obeyed(standing.status.reason)
    standing._update(reason=f"{EVIL} again")
    assert not obeyed(standing.status.reason)
    lines = LinkLog("pod")
    lines.add(f"{EVIL}\n2026-01-01 connected")
    assert len(lines.lines) == 1 and lines.lines[0].isprintable()
    print_table(("A", "B"), [(EVIL, f"{EVIL}\nC  D")])
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 2 and not obeyed(out)
