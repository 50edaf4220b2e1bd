"""The registry of pods, and the host keys that are pinned to them."""

from __future__ import annotations

import json
import logging
import stat
import subprocess
from pathlib import Path

import asyncssh
import pytest

from jupyter_remote_gpu.errors import BadInput, Conflict, NotFound
from jupyter_remote_gpu.pods import hostkeys
from jupyter_remote_gpu.pods.command import SSHTarget
from jupyter_remote_gpu.pods.registry import Registry, own_key_path

BAD_NAMES = [
    *("", " ", ".", "..", "../x", "a/b", "a\\b", "a b", "a\n", "\na", "-a", ".a", "_a", "a..b"),
    *("x" * 65, "x" * 300, "pöd", "po\u0301d", "pod\x00", "a:b", "a*", "a,b", "$(x)", "a\u200b"),
]


# Always the same: tests that run beside each other must have the same names.
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFDfd+Nl+tvwFqMBKDtZe+dkyn6rXIcmTyHO1u/t+oMl root@pod"
OTHER_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPGleruyM61u6XMwcFqC84tuxgq9KQm8kegZ0bKwO7Vb root@pod"
)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def key_line(kind: str = "ssh-ed25519", comment: str = "root@pod") -> str:
    key = asyncssh.generate_private_key(kind, comment=comment)
    return key.export_public_key("openssh").decode("ascii").strip()


# -- the registry


def test_what_is_added_is_there_after_a_restart(tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    assert pods.pods() == []
    b = pods.add("b", "ssh root@203.0.113.7 -p 40022", "/opt/py/bin/python")
    a = pods.add("a", ["ssh", "gpu"])
    assert b.target == SSHTarget("203.0.113.7", "root", 40022)
    assert (b.address, b.python) == ("root@203.0.113.7:40022", "/opt/py/bin/python")
    again = Registry(tmp_path)
    assert again.pods() == pods.pods() == [a, b]
    assert again.get("b") == b
    assert mode(tmp_path / "pods.json") == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["pods.json"]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_cannot_be(name: str, tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    with pytest.raises(BadInput, match="cannot be called") as refused:
        pods.add(name, "host")
    assert len(refused.value.message) < 300 and "\n" not in refused.value.message
    for use in (
        lambda: hostkeys.pin(tmp_path, name, key_line()),
        lambda: hostkeys.pinned(tmp_path, name),
        lambda: hostkeys.forget(tmp_path, name),
        lambda: own_key_path(tmp_path, name),
    ):
        with pytest.raises(BadInput):
            use()
    assert list(tmp_path.iterdir()) == []
    assert pods.add("good", "host").name == "good"


@pytest.mark.parametrize("name", ["pod", "POD", "Pod"])
def test_a_name_is_given_once(name: str, tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    first = pods.add("pod", "one@host")
    with pytest.raises(Conflict, match="one@host"):
        pods.add(name, "two@host")
    assert Registry(tmp_path).pods() == [first]
    pods.remove("pod")
    assert pods.add(name, "two@host").name == name


def test_a_bad_ssh_command_adds_nothing(tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    with pytest.raises(BadInput, match="-o ProxyCommand"):
        pods.add("pod", "ssh -oProxyCommand=x host")
    assert pods.pods() == [] and not (tmp_path / "pods.json").exists()
    assert pods.add("pod", "host")


@pytest.mark.parametrize("python", ["", " ", "-c", "a\nb", "a\x00b", "/" * 2000])
def test_a_bad_python(python: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="does not name a Python"):
        Registry(tmp_path).add("pod", "host", python)


def test_an_unknown_pod_is_answered_with_those_there_are(tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    with pytest.raises(NotFound, match="none yet"):
        pods.get("x")
    pods.add("b", "host")
    pods.add("a", "host")
    for use in (pods.get, pods.remove, lambda name: pods.pin(name, key_line())):
        with pytest.raises(NotFound, match=r"known: a, b") as refused:
            use("../x")
        assert refused.value.details == {"pods": ["a", "b"]}


def test_remove_takes_keys_with_it(tmp_path: Path) -> None:
    pods = Registry(tmp_path)
    for name in ("pod", "other"):
        pods.add(name, "host")
        pods.pin(name, key_line())
        path = own_key_path(tmp_path, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text("secret")
    pods.remove("pod")
    assert [p.name for p in pods.pods()] == ["other"]
    left = sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file())
    assert left == ["keys/other", "known_hosts/other", "pods.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"pods": 1}', "\x00" * 50, "[" * 99999])
def test_a_damaged_file_is_set_aside(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "pods.json").write_text(text)
    with caplog.at_level(logging.WARNING):
        pods = Registry(tmp_path)
    assert pods.pods() == []
    (aside,) = tmp_path.glob("pods.json.damaged-*")
    assert aside.read_text() == text and aside.name in caplog.text
    pods.add("pod", "host")
    assert [p.name for p in Registry(tmp_path).pods()] == ["pod"]


def test_of_a_file_that_somebody_edited_the_good_pods_stay(tmp_path: Path) -> None:
    Registry(tmp_path).add("good", "host")
    path = tmp_path / "pods.json"
    value = json.loads(path.read_text())
    good = value["pods"][0]
    value["pods"] += [
        {**good, "name": "../evil"},
        {**good, "name": "evil", "ssh": {"host": "-oProxyCommand=x"}},
        {**good, "name": "GOOD"},
        {**good, "name": "python", "python": 5},
        7,
    ]
    path.write_text(json.dumps(value))
    assert [p.name for p in Registry(tmp_path).pods()] == ["good"]
    assert len(list(tmp_path.glob("pods.json.damaged-*"))) == 1
    assert [p.name for p in Registry(tmp_path).pods()] == ["good"]
    assert len(list(tmp_path.glob("pods.json.damaged-*"))) == 1


def test_when_nothing_can_be_written_nothing_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pods = Registry(tmp_path)
    (tmp_path / "pods.json").mkdir()  # in the way, also for root
    with pytest.raises(OSError):
        pods.add("pod", "host")
    assert pods.pods() == []
    assert [p.name for p in tmp_path.iterdir()] == ["pods.json"]


# -- host keys


def test_a_pinned_key_is_one_line_that_openssh_finds_by_the_pods_name(tmp_path: Path) -> None:
    old, new, other = key_line(), key_line(), key_line()
    assert hostkeys.pinned(tmp_path, "pod") is None
    hostkeys.pin(tmp_path, "pod", old)
    hostkeys.pin(tmp_path, "pod", new)
    hostkeys.pin(tmp_path, "other", other)
    bare = " ".join(new.split()[:2])
    assert hostkeys.pinned(tmp_path, "pod") == bare
    path = tmp_path / "known_hosts" / "pod"
    assert path.read_text() == f"pod {bare}\n"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    command = ["ssh-keygen", "-F", "pod", "-f", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert bare in found.stdout
    hostkeys.forget(tmp_path, "pod")
    hostkeys.forget(tmp_path, "pod")
    assert hostkeys.pinned(tmp_path, "pod") is None
    assert hostkeys.pinned(tmp_path, "other") is not None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "not a key",
        "pod " + KEY,
        "* " + KEY,
        "@cert-authority * " + KEY,
        'command="x" ' + KEY,
        KEY + "\n" + OTHER_KEY,
        KEY.replace("AAAA", "AAAB", 1),
        KEY[:50],
    ],
)
def test_what_is_no_public_key_is_not_pinned(line: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a public key"):
        hostkeys.pin(tmp_path, "pod", line)
    assert hostkeys.pinned(tmp_path, "pod") is None


@pytest.mark.parametrize(
    "text",
    ["", "pod\n", f"other {KEY}\n", f"@revoked pod {KEY}", "pod ssh-ed25519 AAAA\n"],
)
def test_a_damaged_pin_is_set_aside_and_trusts_nobody(
    text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "known_hosts"
    folder.mkdir()
    (folder / "pod").write_text(text)
    with caplog.at_level(logging.WARNING):
        assert hostkeys.pinned(tmp_path, "pod") is None
    (aside,) = folder.glob("pod.damaged-*")
    assert aside.name in caplog.text
    line = key_line()
    hostkeys.pin(tmp_path, "pod", line)
    assert hostkeys.pinned(tmp_path, "pod") == " ".join(line.split()[:2])
