"""The server's hold on the daemon: killed, newer, idle, and shared by two servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu.client import connection
from jupyter_remote_gpu.routes import face as routes_face
from tests.routes.inside import InsideServer
from tests.support.command import cli
from tests.support.daemon import OwnDaemon, own_daemon, until


@pytest.fixture
def own(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(short_tmp, monkeypatch) as daemon:
        yield daemon


@pytest.fixture
def server(own: OwnDaemon, short_tmp: Path) -> Iterator[InsideServer]:
    with InsideServer(short_tmp / "jupyter") as server:
        yield server


def test_nothing_is_started_before_the_first_request(own: OwnDaemon, server: InsideServer) -> None:
    told = server.ask("GET", "/about")
    assert (told["daemon"], told["error"]) == (None, None)
    assert own.processes() == []
    server.ask("GET", "/pods")
    assert len(own.processes()) == 1
    told = server.ask("GET", "/about")
    assert told["daemon"]["version"] == told["version"]
    assert told["daemon"]["pid"] == own.pid and not told["error"]


def test_a_daemon_that_is_killed_is_followed_by_another(
    own: OwnDaemon, server: InsideServer
) -> None:
    server.ask("POST", "/pods", {"ssh": "me@203.0.113.7", "name": "a"}, 201)
    server.until_event(a="disconnected")
    before = server.ask("GET", "/snapshot")
    for _ in range(3):
        pid = own.pid
        own.kill()
        after = server.ask("GET", "/snapshot")
        assert after["daemon"]["pid"] != pid
        assert [p["name"] for p in after["pods"]] == ["a"]
        assert after["revision"] > before["revision"]
        before = after
    # It is followed as the first one was.
    server.ask("POST", "/pods", {"ssh": "me@203.0.113.7", "name": "b"}, 201)
    server.until_event(b="disconnected")
    revisions = [e["revision"] for e in server.events]
    assert revisions == sorted(set(revisions))


def test_a_daemon_that_the_user_stopped_stays_stopped(own: OwnDaemon, server: InsideServer) -> None:
    server.ask("GET", "/snapshot")
    cli("daemon", "stop")
    assert server.ask("GET", "/about")["daemon"] is None
    until(lambda: not own.processes(), "its end")
    # Following goes on looking for one, and starts none.
    count = len(server.events)
    LOOKS.clear()
    until(lambda: len(LOOKS) >= 3, "a third look")
    assert own.processes() == []
    cli("add", "later", "ssh", "me@203.0.113.7")
    until(lambda: len(server.events) > count, "the event of another's daemon")
    server.until_event(later="disconnected")


LOOKS: list[str] = []
"""One for each time that it was looked for a daemon, and there was none."""


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    LOOKS.clear()
    dial = connection._connect

    async def looked() -> connection.Connection:
        try:
            return await dial()
        except OSError:
            LOOKS.append("look")
            raise

    monkeypatch.setattr(connection, "_connect", looked)


def test_a_newer_daemon_says_which_side_to_upgrade(
    own: OwnDaemon, server: InsideServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("daemon", "start")
    monkeypatch.setattr(connection, "__version__", "0.0.1")
    monkeypatch.setattr(routes_face, "__version__", "0.0.1")
    pid = own.pid
    sentence = server.refused("GET", "/snapshot", status=503, code="version")
    assert "0.0.1" in sentence and "upgrade the server's" in sentence
    assert server.refused("POST", "/pods", {"ssh": "a"}, status=503, code="version") == sentence
    about = server.ask("GET", "/about")
    assert about["error"] == {"code": "version", "message": sentence}
    assert about["daemon"]["pid"] == own.pid == pid


def test_a_daemon_that_cannot_be_had_is_said(
    own: OwnDaemon, server: InsideServer, short_tmp: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.folder.mkdir(mode=0o700, exist_ok=True)
    own.folder.chmod(0o755)
    sentence = server.refused("GET", "/snapshot", status=503, code="daemon")
    assert "chmod 700" in sentence
    assert server.ask("GET", "/about")["error"]["code"] == "daemon"
    own.folder.chmod(0o700)
    server.ask("GET", "/snapshot")


def test_it_lets_go_of_a_daemon_that_nobody_asks(own: OwnDaemon, short_tmp: Path) -> None:
    own.settings(idle_seconds=0.5)
    with InsideServer(short_tmp / "jupyter", idle_seconds=1.0) as server:
        server.ask("GET", "/snapshot")
        assert len(own.processes()) == 1
        until(lambda: not own.processes(), "the idle daemon's end", 30)
        # And takes it up again, events too.
        server.ask("POST", "/pods", {"ssh": "me@203.0.113.7", "name": "a"}, 201)
        server.until_event(a="disconnected")


def test_two_servers_share_a_daemon(own: OwnDaemon, server: InsideServer, short_tmp: Path) -> None:
    with InsideServer(short_tmp / "second") as other:
        other.ask("GET", "/snapshot")
        server.ask("POST", "/pods", {"ssh": "me@203.0.113.7", "name": "a"}, 201)
        other.until_event(a="disconnected")
        assert [p["name"] for p in other.ask("GET", "/pods")["pods"]] == ["a"]
        other.ask("DELETE", "/pods/a")
        until(lambda: server.events and not server.events[-1]["pods"], "the event of its removal")
        assert len(own.processes()) == 1
    assert server.ask("GET", "/pods") == {"pods": []}
