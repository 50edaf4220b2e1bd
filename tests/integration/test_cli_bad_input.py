"""What a command line can be given that is wrong: a sentence, an exit status, and no harm."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.link.test_ports import HTTP, Talker
from tests.support.command import CLI, cli, refused
from tests.support.daemon import OwnDaemon, own_daemon
from tests.support.login import empty_home, free_port, key
from tests.support.sshd import Sshd

GOOD = ["ssh", "me@203.0.113.7"]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("h")
    with pytest.MonkeyPatch.context() as m:
        yield empty_home(home / "laptop", m)


@pytest.fixture
def own(laptop: Path, short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(short_tmp, monkeypatch) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def shared(laptop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnDaemon]:
    """One daemon for what is refused anyway; it knows the pod "taken"."""
    with pytest.MonkeyPatch.context() as m, own_daemon(tmp_path_factory.mktemp("d"), m) as daemon:
        cli("add", "taken", *GOOD)
        yield daemon
        names = [p["name"] for p in cli("list", "--json").json()["pods"]]
        assert names == ["taken"], "what was refused was kept"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["conect", "x"],
        ["conn", "x"],
        ["connect"],
        ["connect", "x", "y"],
        ["connect", "x", "--accept-host-key"],
        ["list", "--jsn"],
        ["add"],
        ["add", "x"],
        ["add", "x", "--python"],
        ["attach"],
        ["key"],
        ["daemon", "restart"],
        ["demo", "--cut"],
    ],
    ids=" ".join,
)
def test_wrong_usage(words: list[str]) -> None:
    assert "usage: jupyter remote-gpu" in refused(*words, status=2)


@pytest.mark.parametrize(
    "words",
    [
        ["ssh", "root@203.0.113.7", "-p", "40022"],
        ["root@203.0.113.7", "-p", "40022"],
        ["ssh", "-p", "40022", "root@203.0.113.7", "--python", "/usr/bin/python3"],
    ],
)
def test_a_pod_without_a_name_is_told_so(shared: OwnDaemon, words: list[str]) -> None:
    said = refused("add", *words, status=2)
    assert said.startswith("the name is missing: jupyter remote-gpu add NAME ssh ")
    assert "root@203.0.113.7" in said and "-p 40022" in said


def test_help_and_version() -> None:
    said = cli("--help").out
    for name in ("add", "remove", "list", "connect", "disconnect", "status", "kernels", "attach"):
        assert f"\n    {name} " in said
    assert "SSH-COMMAND" in cli("add", "--help").out
    assert cli("--version").out.strip()


NAMES = ["", "x" * 300, "x" * 65, "../x", "a/b", "..", "-x", "pødd", "a b", "a\nb", "\udcff", "a;b"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_odd_names(shared: OwnDaemon, name: str) -> None:
    assert "cannot be called" in refused("add", name, *GOOD, status=2)
    if not name.startswith("-"):
        assert "There is no pod" in refused("connect", name, status=1)


def test_a_name_that_is_taken(shared: OwnDaemon) -> None:
    assert "taken" in refused("add", "taken", *GOOD, status=1)


@pytest.mark.parametrize("command", ["connect", "remove", "disconnect", "log", "kernels", "status"])
def test_a_pod_that_is_not_there(shared: OwnDaemon, command: str) -> None:
    assert "'other'" in refused(command, "other", status=1)


# The whole table is in tests/unit/test_ssh_command.py; here, that it is asked, in each form.
@pytest.mark.parametrize(
    ("words", "about"),
    [
        (["ssh"], "no host"),
        (["ssh", "-p", "99999", "host"], "port"),
        (["ssh", "-o", "ProxyCommand=evil", "host"], "-o"),
        (["ssh", "-oProxyCommand=evil", "host"], "-o"),
        (["ssh", "-F", "file", "host"], "-F"),
        (["ssh", "me@host\n-oProxyCommand=evil"], "line break"),
        (["ssh", "me\nroot@host"], "line break"),
        (["ssh", "--", "-oProxyCommand=evil"], "--"),
        (["ssh me@host -o ProxyCommand=evil"], "-o"),
        (["ssh 'me@host"], "quot"),
        (["ssh", "me@hóst"], "host"),
        (["ssh", "me@host", "-L", "1:a:2"], "-L"),
        (["ssh", "x-64a@ssh.runpod.io"], "TCP"),
        (["me@host:port"], "port"),
    ],
    ids=str,
)
def test_ssh_commands_that_are_refused(shared: OwnDaemon, words: list[str], about: str) -> None:
    assert about in refused("add", "new", *words, status=2)


GARBAGE = [b"", b"{", b"[]", b"null", b"\xff\xfe\x00", b'{"pods": 5}', b'{"pods": [5, null]}']
GARBAGE += [b'{"pods": [{"name": "../x", "ssh": [1]}]}', b"[" * 100_000]


@pytest.mark.parametrize("data", GARBAGE, ids=lambda d: ascii(d[:24]))
def test_garbage_in_pods_json(own: OwnDaemon, data: bytes) -> None:
    own.folder.mkdir(mode=0o700)
    (own.folder / "pods.json").write_bytes(data)
    assert cli("list", "--json").json() == {"pods": []}
    (aside,) = own.folder.glob("pods.json.damaged-*")
    assert aside.read_bytes() == data
    assert aside.name in cli("log").out
    assert aside.name in cli("doctor").out
    cli("add", "x", *GOOD)
    assert cli("list", "--json").json()["pods"][0]["name"] == "x"


def test_garbage_in_the_other_files(own: OwnDaemon) -> None:
    own.folder.mkdir(mode=0o700)
    names = ("pods.json", "bindings.json", "laptop.json", "settings.json", "daemon.json")
    for name in names:
        (own.folder / name).write_bytes(b'\x00{"')
    (own.folder / "mirrors").mkdir(mode=0o700)
    (own.folder / "mirrors" / ("0" * 32)).mkdir(mode=0o700)
    (own.folder / "mirrors" / ("0" * 32) / "mirror.json").write_bytes(b"\xff")
    cli("add", "x", *GOOD)
    assert cli("doctor").out and cli("status", "--json").json()["pods"][0]["name"] == "x"


def test_a_traceback_only_when_it_is_asked_for(own: OwnDaemon) -> None:
    assert "Traceback" not in cli("connect", "x", status=1).err
    for words in (["--debug", "connect", "x"], ["connect", "--debug", "x"]):
        said = cli(*words, status=1).err
        assert "Traceback" in said and said.splitlines()[-1].startswith("jupyter remote-gpu: ")


def test_a_reader_that_has_enough(own: OwnDaemon) -> None:
    cli("add", "x", *GOOD)
    line = " ".join([*CLI, "doctor"])
    done = subprocess.run(
        ["sh", "-c", f"{line} | head -n 1"], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("laptop:\n", "")


def connect_fails(name: str) -> str:
    said = cli("connect", name, status=1)
    assert said.out.splitlines() == [f"{name}: connecting", f"{name}: failed"], said
    (pod,) = cli("status", name, "--json").json()["pods"]
    assert pod["state"] == "failed" and pod["reason"] in said.err
    return said.err


@pytest.mark.parametrize("kind", ["nobody", "http", "closes"])
def test_ports_that_are_no_pod(own: OwnDaemon, kind: str) -> None:
    def add(port: int) -> None:
        cli("add", "x", "ssh", "me@127.0.0.1", "-p", str(port))

    if kind == "nobody":
        add(free_port())
        assert "refuse" in connect_fails("x")
        return
    with Talker(HTTP if kind == "http" else b"") as talker:
        add(talker.port)
        first = connect_fails("x")
        assert ("web server" if kind == "http" else "closes connections at once") in first
        assert connect_fails("x") == first  # the next try is a whole one


@pytest.fixture
def pod(short_tmp: Path, pod_python: str) -> Iterator[Sshd]:
    with Sshd(short_tmp / "pod", pod_python) as sshd:
        yield sshd


def locked(folder: Path) -> Path:
    return key(folder / "locked", "a passphrase")


def alien(folder: Path) -> Path:
    return key(folder / "alien")


def missing(folder: Path) -> Path:
    return folder / "missing"


@pytest.mark.parametrize(
    ("make", "about"), [(locked, "passphrase"), (alien, "refused"), (missing, "missing")]
)
def test_keys_that_do_not_open(
    own: OwnDaemon, pod: Sshd, tmp_path: Path, make: Callable[[Path], Path], about: str
) -> None:
    words = ["ssh", f"{pod.user}@127.0.0.1", "-p", str(pod.port), "-i"]
    cli("add", "x", *words, str(make(tmp_path)))
    assert "SHA256:" in cli("connect", "x", status=1).err
    accept = cli("status", "x", "--json").json()["pods"][0]["host_key"]["fingerprint"]
    said = cli("connect", "x", "--accept-host-key", accept, status=1)
    assert about in said.err and "Traceback" not in said.err
    cli("remove", "x")
    cli("add", "x", *words, str(pod.key))
    assert cli("connect", "x", "--accept-host-key", accept).out.endswith("ms)\n")
