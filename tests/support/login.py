"""Logs in to a pod by the product's own ssh, in one call, for tests without a loop."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.errors import RemoteGPUError
from jupyter_remote_gpu.link import ssh
from jupyter_remote_gpu.pods.command import SSHTarget, parse_ssh
from tests.support.sshd import Sshd


def empty_home(path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make `path` the user's home: without keys, agent or known hosts."""
    (path / ".ssh").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return path


def key(path: Path, passphrase: str = "") -> Path:
    """A new private key at `path`."""
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", path.name, "-f"]
    subprocess.run([*words, str(path)], check=True, timeout=20, stdin=subprocess.DEVNULL)
    return path


def fingerprint(pod: Sshd) -> str:
    """The pod's host key as ssh-keygen shows it."""
    words = ["ssh-keygen", "-l", "-f", str(pod.folder / "host_key.pub")]
    return subprocess.check_output(words, text=True, timeout=20).split()[1]


def login(
    pod: Sshd | None,
    target: SSHTarget | None = None,
    *,
    pinned: str | None = None,
    accept: str | None = None,
    own_key: Path = Path("/nonexistent"),
    timeout: float = 10.0,
    then: str = "echo hello",
) -> tuple[str, list[str]]:
    """Log in, run a command, log out; its output, and the host keys that were pinned."""
    lines: list[str] = []
    before = psutil.Process().children()
    if pinned is None and accept is None and pod is not None:
        pinned = pod.host_key_line
    if target is None:
        assert pod is not None
        target = parse_ssh(pod.words())
    trust = ssh.Trust("mypod", pinned, accept, lines.append)

    async def main() -> str:
        async with asyncio.timeout(timeout + 20):
            conn = await ssh.connect(target, trust, own_key, timeout=timeout)
            async with conn:
                done = await conn.run(then, check=True)
            while psutil.Process().children() != before:  # noqa: ASYNC110 - a ProxyCommand ends
                await asyncio.sleep(0.01)
        return str(done.stdout)

    return asyncio.run(main()), lines


def refused(kind: type[RemoteGPUError], action: Callable[[], object]) -> RemoteGPUError:
    """The error of `action`: of exactly this class, and one line."""
    with pytest.raises(RemoteGPUError) as caught:
        action()
    assert type(caught.value) is kind, repr(caught.value)
    assert "\n" not in caught.value.message
    return caught.value


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
