"""Addresses that lead to no pod: each gets its own sentence, in time, and the next try works."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import LinkError, RemoteGPUError, TransportError
from jupyter_remote_gpu.pods.command import SSHTarget, parse_ssh
from tests.support.login import free_port, login, refused
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd


class Talker:
    """Accepts connections, sends `words` and closes (or stays)."""

    def __init__(self, words: bytes, stay: bool = False, after: int = 0) -> None:
        self._words, self._stay, self._after = words, stay, after
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._held: list[socket.socket] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Talker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)
        for s in self._held:
            s.close()

    def _serve(self) -> None:
        while True:
            try:
                conn, _ = self._socket.accept()
            except OSError:
                return
            if self._after:
                conn.recv(self._after)
            conn.sendall(self._words)
            if self._stay:
                self._held.append(conn)
            else:
                conn.close()


HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("words", "stay", "kind", "code", "said"),
    [
        (HTTP, False, TransportError, "not-ssh", "HTTP"),
        (HTTP, True, TransportError, "not-ssh", "HTTP"),
        (b"220 mail.example ESMTP\r\n", False, TransportError, "not-ssh", "ESMTP"),
        (b"\r\n", False, TransportError, "transport", "during the login"),
        (b"SS", False, TransportError, "transport", "during the login"),
        (b"SS", True, TransportError, "timeout", "in the middle"),
        (b"", False, TransportError, "closed", "closes connections at once"),
        (b"", True, TransportError, "timeout", "says nothing"),
        (b"Not allowed at this time\r\n", False, TransportError, "penalised", "Wait"),
        (b"SSH-1.5-old\r\n", False, LinkError, "not-ssh", "another version"),
        (b"SSH-2.0-x\r\n", True, TransportError, "timeout", "in the middle"),
        (b"SSH-2.0-x\r\n" + b"\xff" * 64, True, TransportError, "transport", "during the login"),
    ],
)
def test_ports_that_are_no_pod(
    words: bytes, stay: bool, kind: type[RemoteGPUError], code: str, said: str
) -> None:
    with Talker(words, stay, after=8 if words == HTTP else 0) as talker:
        target = SSHTarget("127.0.0.1", "root", talker.port)
        error = refused(kind, lambda: login(None, target, timeout=1.5))
    assert error.code == code
    assert said in error.message


def test_a_refused_connection_and_an_unknown_name() -> None:
    target = SSHTarget("127.0.0.1", "root", free_port())
    error = refused(TransportError, lambda: login(None, target))
    assert error.code == "refused" and "refuses connections" in error.message
    error = refused(TransportError, lambda: login(None, SSHTarget("no-such-host.invalid", "root")))
    assert error.code == "unknown-host" and "no-such-host.invalid" in error.message


@pytest.mark.parametrize(("mode", "said"), [(None, "No such file"), (0o644, "Permission denied")])
def test_a_proxy_command_that_cannot_be_run(
    laptop: Path, tmp_path: Path, mode: int | None, said: str
) -> None:
    program = tmp_path / "no-tunnel"
    if mode is not None:
        program.touch(mode)
    (laptop / ".ssh" / "config").write_text(f"Host rented\n  ProxyCommand {program} %h\n")
    error = refused(TransportError, lambda: login(None, SSHTarget("rented", "root")))
    assert error.code == "ssh-config" and said in error.message
    assert str(program) in error.message and "~/.ssh/config" in error.message


def test_a_half_open_path_is_left_in_time(tmp_path: Path) -> None:
    with Sshd(tmp_path / "pod") as pod, Proxy(pod.port) as proxy:
        target = parse_ssh(pod.words(proxy.port))
        proxy.half_open()
        error = refused(TransportError, lambda: login(pod, target, timeout=1.0))
        assert error.code == "timeout"
        proxy.heal()
        assert login(pod, target)[0] == "hello\n"
