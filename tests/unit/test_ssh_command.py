"""A pasted ssh command: what is taken, and what is refused by name."""

from __future__ import annotations

import json
import shlex

import pytest

from jupyter_remote_gpu.errors import BadInput
from jupyter_remote_gpu.pods.command import SSHTarget, parse_ssh

KEY = "~/.ssh/id_ed25519"
TAKEN = {
    f"ssh root@203.0.113.7 -p 40022 -i {KEY}": SSHTarget("203.0.113.7", "root", 40022, (KEY,)),
    f"ssh -p 40022 -i {KEY} root@203.0.113.7": SSHTarget("203.0.113.7", "root", 40022, (KEY,)),
    f"  ssh -p40022 -i{KEY} root@203.0.113.7 \n": SSHTarget("203.0.113.7", "root", 40022, (KEY,)),
    "/usr/bin/ssh me@host": SSHTarget("host", "me"),
    "me@host.example.org:2222": SSHTarget("host.example.org", "me", 2222),
    "ssh -p 22 me@host:22": SSHTarget("host", "me", 22),
    "my_gpu-box.2": SSHTarget("my_gpu-box.2"),
    "ssh -l me host": SSHTarget("host", "me"),
    "ssh -l me me@host": SSHTarget("host", "me"),
    "ssh -i /k/1 -i /k/2 host": SSHTarget("host", identity_files=("/k/1", "/k/2")),
    "ssh -i '/with space/key' host": SSHTarget("host", identity_files=("/with space/key",)),
    "ssh -i /home/josé/key host": SSHTarget("host", identity_files=("/home/josé/key",)),
    "ssh -J jump host": SSHTarget("host", jump="jump"),
    "ssh -J a@one:22,b@two host": SSHTarget("host", jump="a@one:22,b@two"),
    "root@[2001:db8::7]:40022": SSHTarget("2001:db8::7", "root", 40022),
    "ssh -p 40022 root@2001:db8::7": SSHTarget("2001:db8::7", "root", 40022),
    "::1": SSHTarget("::1"),
    "ssh ssh://me@host:22": SSHTarget("host", "me", 22),
}


@pytest.mark.parametrize("command", TAKEN)
def test_taken_as_one_string_and_as_words(command: str) -> None:
    assert parse_ssh(command) == TAKEN[command]
    assert parse_ssh(shlex.split(command)) == TAKEN[command]
    assert parse_ssh([command]) == TAKEN[command]


@pytest.mark.parametrize("command", TAKEN)
def test_the_same_after_a_file(command: str) -> None:
    target = parse_ssh(command)
    assert SSHTarget.from_json(json.loads(json.dumps(target.to_json()))) == target


@pytest.mark.parametrize(
    ("command", "address"),
    [
        (f"ssh root@203.0.113.7 -p 40022 -i {KEY}", "root@203.0.113.7:40022"),
        ("gpu", "gpu"),
        ("me@gpu", "me@gpu"),
        ("gpu:22", "gpu:22"),
        ("root@[::1]:22", "root@[::1]:22"),
        ("root@::1", "root@::1"),
    ],
)
def test_the_address_is_what_is_shown_and_can_be_pasted(command: str, address: str) -> None:
    assert parse_ssh(command).address == address
    assert parse_ssh(address).address == address


# What is refused, and a word that its sentence must hold.
REFUSED = {
    "": "no host",
    "   ": "no host",
    "ssh": "no host",
    "ssh -p 22": "no host",
    "ssh root@": "host of the ssh command is empty",
    "ssh @host": "not a user's name",
    "ssh -o ProxyCommand=evil host": "-o ProxyCommand",
    "ssh -oProxyCommand=evil host": "-o ProxyCommand",
    "ssh host -o 'ProxyCommand evil'": "-o ProxyCommand",
    "ssh -o StrictHostKeyChecking=no host": "-o StrictHostKeyChecking",
    "ssh -F /tmp/config host": "-F",
    "ssh -A host": "-A",
    "ssh -L 8080:localhost:8080 host": "-L",
    "ssh host -R 1:localhost:2": "-R",
    "ssh -D 1080 host": "-D",
    "ssh -W x:1 host": "-W",
    "ssh -X host": "-X",
    "ssh -Y host": "-Y",
    "ssh -t host": "-t",
    "ssh -NL 1:localhost:2 host": "-N",
    "ssh -vp 22 host": "-v",
    "ssh -- host": "--",
    "ssh - host": "'-'",
    "ssh -é host": "-é",
    "ssh -p": "-p in the ssh command has no value",
    "ssh host -p -i /k": "-p in the ssh command has no value",
    "ssh -i -oProxyCommand=evil host": "-i in the ssh command has no value",
    "ssh -i '' host": "empty word",
    "ssh -l -oProxyCommand=evil host": "-l in the ssh command has no value",
    "ssh -J -oProxyCommand=evil host": "-J in the ssh command has no value",
    "ssh -p 0 host": "not a port",
    "ssh -p 65536 host": "not a port",
    "ssh -p -1 host": "-p in the ssh command has no value",
    "ssh -p 22x host": "not a port",
    "ssh -p ２２ host": "not a port",
    "ssh -p 22 -p 23 host": "-p is given 2 times",
    "ssh -p 22 host:23": "Two ports",
    "host:": "not a port",
    "host:0": "not a port",
    "host:99999": "not a port",
    "ssh -l me you@host": "Two users",
    "ssh -l me -l me host": "-l is given 2 times",
    "ssh -J a -J b host": "-J is given 2 times",
    "ssh -J a,,b host": "host of the ssh command is empty",
    "ssh -J a,-oProxyCommand=evil host": "begins with a dash",
    "ssh -J none host": "leave -J out",
    "ssh -J a:x host": "not a port",
    "ssh -J '[::1]:22' host": "IPv6",
    "ssh -J '$(evil)' host": "not a host",
    "ssh -i key.pem host": "full path",
    "ssh -i ../key host": "full path",
    "ssh host nvidia-smi": "nvidia-smi",
    "ssh host -p 22 sh -c evil": "'sh -c evil'",
    "ssh host && evil": "'&& evil'",
    "ssh host; evil": "not a host",
    "ssh root@-oProxyCommand=evil": "begins with a dash",
    "ssh -oProxyCommand@host": "-o",
    "ssh '-evil'@host": "-e",
    "ssh me@-evil": "begins with a dash",
    "ssh ProxyCommand=evil": "not a host",
    "ssh '$(evil)'": "not a host",
    "ssh `evil`": "not a host",
    "ssh host|evil": "not a host",
    "ssh %h": "not a host",
    "ssh me%r@host": "not a user's name",
    "ssh 'me;evil@host'": "not a user's name",
    "ssh me@you@host": "not a user's name",
    "ssh ../host": "not a host",
    "ssh http://me@host": "':' in it",
    "ssh ssh://me@host/path": "not a host",
    "ssh a:b:c": "neither host:port nor an IPv6",
    "ssh [::1": "not a host",
    "ssh [::1]x": "not an address",
    "ssh höst": "U+00F6",
    "ssh mé@host": "U+00E9",
    "ssh –p 22 host": "typographic dash",
    "ssh host –p 22": "typographic dash",
    "ssh “host”": "U+201C",
    "ssh hо st": "U+043E",
    "ssh host\u200b": "U+200B",
    "ssh ho\x00st": "U+0000",
    "ssh ho\x1b[31mst": "U+001B",
    "ssh host\tx": "U+0009",
    "ssh host\n-oProxyCommand=evil": "line break",
    "ssh host \\\n -p 22": "line break",
    "ssh ho\rst": "line break",
    "ssh 'host": "no partner",
    "h" * 300: "not a host",
    "u" * 300 + "@host": "not a user's name",
    "ssh " + "x" * 5000: "longer than 4096",
    "ssh -i /" + "k" * 2000 + " host": "too long",
}


@pytest.mark.parametrize("command", REFUSED)
def test_refused_with_a_sentence_of_its_own(command: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_ssh(command)
    message = refused.value.message
    assert REFUSED[command] in message
    assert len(message) < 600 and "\n" not in message and message.isprintable()


@pytest.mark.parametrize(
    "words",
    [
        ["ssh", "ho\nst"],
        ["ssh", "host\n"],
        ["ssh", "host", ""],
        ["ssh", "-i", "/k\n", "host"],
        ["ssh", "-l", "me\n", "host"],
        ["ssh", "-p", "22\n", "host"],
        ["ssh", "ho st", "-p", "22"],
        ["ssh", "-J", "a b", "host"],
        ["ssh", "-l", "", "host"],
        [],
    ],
)
def test_words_of_a_shell_are_no_safer(words: list[str]) -> None:
    with pytest.raises(BadInput):
        parse_ssh(words)


def test_words_must_be_text() -> None:
    with pytest.raises(BadInput, match="neither"):
        parse_ssh(["ssh", 22])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "command",
    [
        "ssh p4c1-64411a9e@ssh.runpod.io -i ~/.ssh/id_ed25519",
        "p4c1-64411a9e@SSH.RunPod.io",
        "ssh -tt p4c1-64411a9e@ssh.runpod.io",
        "ssh -l p4c1 ssh.runpod.io",
        "ssh.runpod.io.",
        "ssh -J x@ssh.runpod.io host",
    ],
)
def test_runpods_proxy_is_explained(command: str) -> None:
    with pytest.raises(BadInput, match="SSH over exposed TCP") as refused:
        parse_ssh(command)
    assert refused.value.code == "runpod-proxy"


def test_a_password_is_neither_taken_nor_repeated() -> None:
    with pytest.raises(BadInput, match="only keys are") as refused:
        parse_ssh("root:hunter2@host")
    assert "hunter2" not in refused.value.message


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"host": 1},
        {"host": ""},
        {"host": "-oProxyCommand=evil"},
        {"host": "h", "user": "-oProxyCommand=evil"},
        {"host": "h", "user": 5},
        {"host": "h", "port": "22"},
        {"host": "h", "port": 0},
        {"host": "h", "port": True},
        {"host": "h", "port": -22},
        {"host": "h", "jump": "-oProxyCommand=evil"},
        {"host": "h", "jump": ""},
        {"host": "h", "identity_files": "/k"},
        {"host": "h", "identity_files": ["-oProxyCommand=evil"]},
        {"host": "h", "identity_files": [1]},
        {"host": "ssh.runpod.io"},
    ],
)
def test_a_file_is_checked_as_a_pasted_command_is(data: object) -> None:
    with pytest.raises(BadInput):
        SSHTarget.from_json(data)
