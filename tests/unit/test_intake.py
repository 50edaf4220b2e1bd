"""Rule 2: a request is recorded before it is handed over."""

from __future__ import annotations

import json
import socket
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zmq

from jupyter_remote_gpu.pod.conversation import Conversation
from jupyter_remote_gpu.pod.intake import Intake
from jupyter_remote_gpu.pod.journal import Journal
from jupyter_remote_gpu.pod.kernel import KernelProcess
from jupyter_remote_gpu.pod.peers import Peer
from jupyter_remote_gpu.wire.records import Record
from jupyter_remote_gpu.wire.retention import Retention

SECONDS = 60.0


class Killed(BaseException):
    """Stands for SIGKILL."""


class Mortal(Journal):
    """A journal whose keeper is killed when it is about to write."""

    dying = False

    def flush(self) -> None:
        if self.dying:
            raise Killed
        super().flush()


class Nobody:
    """Whom a peer serves that only listens."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def greeting(self) -> dict[str, Any]:
        return {}

    def opened(self, peer: Peer) -> None: ...

    def on_request(self, peer: Peer, record: Record) -> None: ...

    def on_control(self, peer: Peer, message: dict[str, Any]) -> None: ...


@pytest.fixture
def talk(short_tmp: Path) -> Iterator[Conversation]:
    """A real kernel that is ready, and the keeper's side of its sockets."""
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = KernelProcess(short_tmp, short_tmp, {"argv": argv, "cwd": str(short_tmp)})
    kernel.start()
    journal = Mortal(short_tmp)
    talk = Conversation(kernel, journal, Retention(journal.log, 1 << 30))
    until(talk, lambda: talk.ready)
    yield talk
    talk.close()
    kernel.close()
    journal.log.close()


def until(talk: Conversation, done: Any) -> None:
    poller = zmq.Poller()
    for channel in talk.sockets.values():
        poller.register(channel, zmq.POLLIN)
    end = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < end, "it did not come"
        poller.poll(50)
        for name in talk.sockets:
            talk.receive(name)


def request(kind: str, content: dict[str, Any]) -> Record:
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": "s", "username": "u"}
    header |= {"date": "2026-01-01T00:00:00Z", "version": "5.3"}
    execution = "e" * 32 if kind == "execute_request" else None
    head = {"channel": "shell", "type": kind, "client": "c" * 32, "execution": execution}
    return Record(1, 1, head, [json.dumps(p).encode() for p in (header, {}, {}, content)])


def writes(path: Path) -> str:
    return f"open({str(path)!r}, 'w').close()"


@pytest.mark.parametrize("kind", ["execute_request", "comm_open"])
def test_what_could_not_be_recorded_is_not_handed_over(
    talk: Conversation, short_tmp: Path, kind: str
) -> None:
    """Killed before the record is written: the kernel must not have what the journal has not."""
    wrong, after = short_tmp / "wrong", short_tmp / "after"
    register = f"def opened(comm, message): {writes(wrong)}\n"
    register += "get_ipython().kernel.comm_manager.register_target('t', opened)"
    talk.send("shell", request("execute_request", {"code": register}).parts)
    assert isinstance(talk.journal, Mortal)
    talk.journal.dying = True
    ours, theirs = socket.socketpair()
    with ours, theirs:
        peer = Peer(Nobody(talk.journal), ours.fileno(), ours.fileno())
        content = {"code": writes(wrong), "comm_id": "1", "target_name": "t", "data": {}}
        with pytest.raises(Killed):
            Intake(talk).on_request(peer, request(kind, content))
    # The kernel takes one message after the other: had it got the first, it had run it by now.
    talk.send("shell", request("execute_request", {"code": writes(after)}).parts)
    until(talk, after.exists)
    assert not wrong.exists()
