"""Ways to a real sshd that the user has set: ``~/.ssh/config``, a ProxyCommand, a jump host."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import LinkError, RemoteGPUError, TransportError
from jupyter_remote_gpu.pods.command import SSHTarget
from tests.support.login import free_port, login, refused
from tests.support.sshd import Sshd


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("pod")) as sshd:
        yield sshd


def test_an_alias_of_the_users_configuration(pod: Sshd, laptop: Path) -> None:
    (laptop / ".ssh" / "config").write_text(
        f"Host rented\n  HostName 127.0.0.1\n  Port {pod.port}\n  User {pod.user}\n"
        f"  IdentityFile {pod.key}\n  RemoteCommand echo no\n  RequestTTY force\n"
    )
    assert login(pod, SSHTarget("rented"))[0] == "hello\n"


PIPE = """\
import os, socket, sys, threading

pod = socket.create_connection(sys.argv[1:])

def up():
    while data := os.read(0, 9999):
        pod.sendall(data)

threading.Thread(target=up, daemon=True).start()
while data := pod.recv(9999):
    os.write(1, data)
"""


def test_a_proxy_command_of_the_users_configuration(pod: Sshd, laptop: Path) -> None:
    (laptop / "pipe.py").write_text(PIPE)
    (laptop / ".ssh" / "config").write_text(
        f"Host rented\n  HostName 127.0.0.1\n  Port {pod.port}\n  User {pod.user}\n"
        f"  IdentityFile {pod.key}\n  ProxyCommand python3 {laptop / 'pipe.py'} %h %p\n"
    )
    assert login(pod, SSHTarget("rented"))[0] == "hello\n"


def test_an_unreadable_configuration(pod: Sshd, laptop: Path) -> None:
    (laptop / ".ssh" / "config").write_text("Port abc\n")
    error = refused(LinkError, lambda: login(pod))
    assert error.code == "ssh-config" and "~/.ssh/config" in error.message


def test_an_alias_that_leads_to_runpods_proxy(laptop: Path) -> None:
    (laptop / ".ssh" / "config").write_text("Host rented\n  HostName ssh.runpod.io\n")
    with pytest.raises(RemoteGPUError) as caught:
        login(None, SSHTarget("rented"))
    assert caught.value.code == "runpod-proxy"


# -- by way of another machine


def test_by_a_jump_host(pod: Sshd, laptop: Path, tmp_path: Path) -> None:
    with Sshd(tmp_path / "bastion") as bastion:
        jump = f"{bastion.user}@127.0.0.1:{bastion.port}"
        target = SSHTarget("127.0.0.1", pod.user, pod.port, (str(pod.key),), jump)
        (laptop / ".ssh" / "id_ed25519").write_bytes(bastion.key.read_bytes())
        error = refused(LinkError, lambda: login(pod, target))
        assert error.code == "jump-host-key" and f"ssh {jump}" in error.message
        (laptop / ".ssh" / "known_hosts").write_text(
            f"[127.0.0.1]:{bastion.port} {bastion.host_key_line}\n"
        )
        assert login(pod, target)[0] == "hello\n"
        alias = SSHTarget("rented", pod.user, pod.port, (str(pod.key),))
        (laptop / ".ssh" / "config").write_text(
            f"Host rented\n  HostName 127.0.0.1\n  ProxyJump ssh://{jump}\n"
        )
        assert login(pod, alias)[0] == "hello\n"
        dead = SSHTarget("127.0.0.1", pod.user, free_port(), (str(pod.key),), jump)
        error = refused(TransportError, lambda: login(pod, dead))
        assert "jump host" in error.message
        (laptop / ".ssh" / "id_ed25519").unlink()
        assert refused(LinkError, lambda: login(pod, target)).code == "jump-refused"
        (laptop / ".ssh" / "id_ed25519").write_bytes(bastion.key.read_bytes())
        (laptop / ".ssh" / "config").write_text(
            f"Host rented\n  HostName 127.0.0.1\n  ProxyJump {jump},next:port\n"
        )
        error = refused(LinkError, lambda: login(pod, alias))
        assert "'next:port'" in error.message and "~/.ssh/config" in error.message
        deadline = 200
        while bastion.sessions() and deadline:
            threading.Event().wait(0.05)
            deadline -= 1
        assert not bastion.sessions(), "connections to the jump host are left behind"
