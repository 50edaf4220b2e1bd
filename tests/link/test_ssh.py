"""One ssh connection against a real sshd: host keys, user keys, and each way it can fail."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from jupyter_remote_gpu.errors import (
    HostKeyChanged,
    HostKeyUnknown,
    LinkError,
)
from jupyter_remote_gpu.link import identities
from jupyter_remote_gpu.pods.command import SSHTarget, parse_ssh
from tests.support.daemon import until
from tests.support.login import fingerprint, key, login, refused
from tests.support.sshd import Sshd


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    # Refusals are provoked here, and newer servers would shut us out for them.
    with Sshd(tmp_path_factory.mktemp("pod"), config=["MaxAuthTries 3"]) as sshd:
        yield sshd


# -- host keys


def test_a_pinned_host_key_is_enough(pod: Sshd) -> None:
    assert login(pod) == ("hello\n", [])


def test_an_unknown_host_key_is_shown_and_not_taken(pod: Sshd, laptop: Path) -> None:
    # Not even when the user's own known_hosts has it: a pod's key is pinned to the pod.
    (laptop / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{pod.port} {pod.host_key_line}\n")
    error = refused(HostKeyUnknown, lambda: login(None, parse_ssh(pod.words())))
    assert error.details == {"fingerprint": fingerprint(pod), "type": "ssh-ed25519"}
    assert fingerprint(pod) in error.message


def test_a_confirmed_host_key_is_pinned(pod: Sshd) -> None:
    output, pinned = login(pod, accept=fingerprint(pod))
    assert output == "hello\n"
    assert [p.split()[:2] for p in pinned] == [pod.host_key_line.split()[:2]]


def test_confirming_another_key_than_the_shown_one_is_no_confirmation(pod: Sshd) -> None:
    error = refused(HostKeyUnknown, lambda: login(pod, accept="SHA256:" + "A" * 43))
    assert "which is not this key" in error.message


@pytest.mark.parametrize("kind", ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256"])
def test_another_host_key_than_the_pinned_one_is_refused_and_explained(
    pod: Sshd, kind: str
) -> None:
    other = asyncssh.generate_private_key(kind).export_public_key().decode("ascii").strip()
    error = refused(HostKeyChanged, lambda: login(pod, pinned=other))
    assert fingerprint(pod) in error.message
    assert "remove" in error.message


# -- user keys


def answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(path)) == 0


@contextlib.contextmanager
def an_agent(folder: Path, *keys: Path) -> Iterator[None]:
    """An ssh agent that holds `keys`; ``SSH_AUTH_SOCK`` leads to it."""
    path = folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    try:
        # Bound is not yet listening.
        until(lambda: answers(path), "the agent")
        os.environ["SSH_AUTH_SOCK"] = str(path)
        for one in keys:
            subprocess.run(["ssh-add", "-q", str(one)], check=True, timeout=20, capture_output=True)
        yield
    finally:
        agent.kill()
        agent.wait(10)


@pytest.fixture
def crowd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """An agent with more keys than the server tries, none of them right."""
    monkeypatch.setenv("SSH_AUTH_SOCK", "")
    keys = [key(tmp_path / f"agent-key-{n}") for n in range(5)]
    with an_agent(tmp_path, *keys):
        yield keys


def test_a_key_that_the_pod_does_not_know(pod: Sshd, tmp_path: Path) -> None:
    wrong = key(tmp_path / "wrong")
    target = SSHTarget("127.0.0.1", pod.user, pod.port, (str(wrong),))
    error = refused(LinkError, lambda: login(pod, target))
    assert error.code == "key-refused"
    assert str(wrong) in error.message and "authorized_keys" in error.message
    public = wrong.with_name("wrong.pub").read_text().split()
    (told,) = error.details["keys"]
    assert (told["name"], told["public"].split()[:2]) == (str(wrong), public[:2])


def test_no_key_at_all(pod: Sshd) -> None:
    error = refused(LinkError, lambda: login(pod, SSHTarget("127.0.0.1", pod.user, pod.port)))
    assert error.code == "no-key"
    assert "ssh-keygen" in error.message


def test_a_key_with_a_passphrase_and_no_agent(pod: Sshd, tmp_path: Path) -> None:
    locked = key(tmp_path / "locked", "secret")
    target = SSHTarget("127.0.0.1", pod.user, pod.port, (str(locked),))
    error = refused(LinkError, lambda: login(pod, target))
    assert error.code == "passphrase"
    assert f"ssh-add {locked}" in error.message


def test_the_named_key_comes_before_a_crowded_agent(pod: Sshd, crowd: list[Path]) -> None:
    assert login(pod)[0] == "hello\n"


def test_too_many_keys(pod: Sshd, crowd: list[Path]) -> None:
    error = refused(LinkError, lambda: login(pod, SSHTarget("127.0.0.1", pod.user, pod.port)))
    assert error.code == "too-many-keys"
    assert "-i" in error.message


def test_the_agent_holds_the_key_that_has_a_passphrase(
    pod: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "")
    copy = tmp_path / "copy"
    copy.write_bytes(pod.key.read_bytes())
    copy.chmod(0o600)
    with an_agent(tmp_path, copy):
        words = ["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(copy)]
        subprocess.run(words, check=True, timeout=20, stdin=subprocess.DEVNULL, capture_output=True)
        target = SSHTarget("127.0.0.1", pod.user, pod.port, (str(copy),))
        assert login(pod, target)[0] == "hello\n"


def test_a_named_key_that_is_missing_does_not_hide_the_others(pod: Sshd, laptop: Path) -> None:
    # Providers show -i ~/.ssh/id_ed25519 to everybody.
    (laptop / ".ssh" / "id_rsa").write_bytes(pod.key.read_bytes())
    target = SSHTarget("127.0.0.1", pod.user, pod.port, ("~/.ssh/id_ed25519",))
    assert login(pod, target)[0] == "hello\n"
    (laptop / ".ssh" / "id_rsa").unlink()
    error = refused(LinkError, lambda: login(pod, target))
    assert error.code == "no-key" and "there is no ~/.ssh/id_ed25519" in error.message


def test_a_key_of_a_user_that_does_not_exist(pod: Sshd) -> None:
    target = SSHTarget("127.0.0.1", pod.user, pod.port, ("~no-such-user/key",))
    error = refused(LinkError, lambda: login(pod, target))
    assert error.code == "no-key" and "there is no ~no-such-user/key" in error.message


def test_an_agent_that_hangs_is_passed_over_and_named(
    pod: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "AGENT_SECONDS", 0.3)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "hung"))
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(str(tmp_path / "hung"))
        hung.listen(50)
        assert login(pod)[0] == "hello\n"
        target = SSHTarget("127.0.0.1", pod.user, pod.port)
        before = len(list(Path("/dev/fd").iterdir()))
        for _ in range(3):
            error = refused(LinkError, lambda: login(pod, target))
            assert error.code == "no-key"
            assert f"agent at {tmp_path / 'hung'} does not answer" in error.message
        assert len(list(Path("/dev/fd").iterdir())) == before


def test_an_agent_that_is_gone_is_named(
    pod: Sshd, laptop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of a login that has ended; the daemon still has its environment.
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    assert login(pod)[0] == "hello\n"
    target = SSHTarget("127.0.0.1", pod.user, pod.port)
    for code in ("no-key", "key-refused"):
        error = refused(LinkError, lambda: login(pod, target))
        assert error.code == code
        assert f"agent at {tmp_path / 'gone'} does not answer" in error.message
        assert "daemon stop" in error.message and "ssh-keygen" not in error.message
        if code == "no-key":
            key(laptop / ".ssh" / "id_ed25519")


def test_our_own_key_is_enough(pod: Sshd) -> None:
    target = SSHTarget("127.0.0.1", pod.user, pod.port)
    assert login(pod, target, own_key=pod.key)[0] == "hello\n"


def test_the_rented_machine_gets_neither_the_agent_nor_the_screen(
    laptop: Path, tmp_path: Path, crowd: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    (laptop / ".ssh" / "config").write_text(
        "Host *\n  ForwardAgent yes\n  ForwardX11 yes\n  ForwardX11Trusted yes\n"
    )
    with Sshd(tmp_path / "watching", config=["LogLevel DEBUG2", "X11Forwarding yes"]) as pod:
        output, _ = login(pod, then='echo "agent: $SSH_AUTH_SOCK, screen: $DISPLAY"')
        log = pod.log.read_text()
    assert output == "agent: , screen: \n"
    assert " request exec " in log and " request auth-agent" not in log
    assert " request x11" not in log
