"""Pods over REST: each operation once, with a real sshd."""

from __future__ import annotations

import itertools
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.routes.inside import InsideServer
from tests.support.daemon import until
from tests.support.place import Place


def test_a_pod_from_its_address_to_its_end(server: InsideServer, place: Place) -> None:
    ssh = shlex.join(place.sshd.words(place.proxy.port))
    pod = server.ask("POST", "/pods", {"ssh": ssh}, 201)
    assert (pod["name"], pod["state"]) == ("127.0.0.1", "disconnected")
    again = server.ask("POST", "/pods", {"ssh": ssh}, 201)
    assert again["name"] == "127.0.0.1-2"
    assert server.ask("GET", "/pods/127.0.0.1-2") == again
    assert [p["name"] for p in server.ask("GET", "/pods")["pods"]] == [
        "127.0.0.1",
        "127.0.0.1-2",
        "pod",
    ]
    # Its host key is new: it waits for the user's word.
    path = "/pods/127.0.0.1/connection"
    assert server.ask("PUT", path, {}, 202)["state"] == "connecting"
    server.until_event(**{"127.0.0.1": "host-key"})
    waiting = server.ask("GET", "/pods/127.0.0.1")
    fingerprint = waiting["host_key"]["fingerprint"]
    assert fingerprint.startswith("SHA256:")
    server.ask("PUT", path, {"accept_host_key": fingerprint}, 202)
    server.until_event(**{"127.0.0.1": "connected"})
    assert any("confirmed" in line for line in server.ask("GET", "/pods/127.0.0.1/log")["lines"])
    assert server.ask("DELETE", path)["state"] == "disconnected"
    assert server.ask("GET", "/pods/127.0.0.1")["state"] == "disconnected"
    for name in ("127.0.0.1", "127.0.0.1-2"):
        assert server.ask("DELETE", f"/pods/{name}") == {"key_left": None}
    assert [p["name"] for p in server.ask("GET", "/pods")["pods"]] == ["pod"]


def test_what_was_created_is_where_the_answer_says(server: InsideServer) -> None:
    body = b'{"ssh": "me@203.0.113.7", "name": "a.b"}'
    answer = server.raw("POST", "/pods", body, {"Authorization": f"token {server.token}"})
    assert (answer.status, answer.headers["Location"]) == (201, f"{server.base}remote-gpu/pods/a.b")
    server.ask("DELETE", "/pods/a.b")


def test_a_change_is_seen_at_once(server: InsideServer) -> None:
    """The snapshot that was followed may be older than what this client has just done."""
    for i in range(20):
        server.ask("POST", "/pods", {"ssh": "me@203.0.113.7", "name": f"p{i}"}, 201)
        assert f"p{i}" in {p["name"] for p in server.ask("GET", "/snapshot")["pods"]}
        server.ask("DELETE", f"/pods/p{i}")
        assert f"p{i}" not in {p["name"] for p in server.ask("GET", "/snapshot")["pods"]}


def test_a_snapshot_that_is_known_is_not_sent_again(server: InsideServer) -> None:
    token = {"Authorization": f"token {server.token}"}

    def unchanged() -> bool:
        first = server.raw("GET", "/snapshot", headers=token)
        assert first.headers["Etag"] == f'"{first.json["revision"]}"'
        again = server.raw(
            "GET", "/snapshot", headers=token | {"If-None-Match": first.headers["Etag"]}
        )
        return (again.status, again.data) == (304, b"")

    until(unchanged, "a revision that stays")
    other = server.raw("GET", "/snapshot", headers=token | {"If-None-Match": '"1"'})
    assert other.status == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code", "part"),
    [
        ("POST", "/pods", {"ssh": "ssh -o ProxyCommand=x a"}, 400, "bad-input", "ProxyCommand"),
        ("POST", "/pods", {"ssh": "a", "name": "../x"}, 400, "bad-input", "cannot be called"),
        ("POST", "/pods", {"ssh": "a", "name": "POD"}, 409, "conflict", "already"),
        ("GET", "/pods/none", None, 404, "not-found", "no pod"),
        ("GET", "/pods/%2E%2E", None, 404, "not-found", "no pod"),
        ("GET", "/pods/none/log", None, 404, "not-found", "no pod"),
        ("GET", "/pods/none/refused-keys", None, 404, "not-found", "no pod"),
        ("DELETE", "/pods/none", None, 404, "not-found", "no pod"),
        ("PUT", "/pods/none/connection", {}, 404, "not-found", "no pod"),
        ("DELETE", "/pods/none/connection", None, 404, "not-found", "no pod"),
        ("GET", "/kernels?pod=none", None, 404, "not-found", "no pod"),
        ("DELETE", f"/pods/pod/kernels/{'0' * 32}", None, 409, "not-connected", "Connect it"),
        ("DELETE", "/pods/pod/kernels/x", None, 400, "bad-input", "not a kernel's id"),
        (
            "POST",
            f"/pods/pod/kernels/{'0' * 32}/restart",
            None,
            404,
            "unknown-kernel",
            "not opened",
        ),
        ("GET", f"/executions/{'0' * 32}", None, 404, "not-found", "No execution"),
        ("GET", "/executions/0000", None, 404, "not-found", "not the id"),
        ("POST", f"/executions/{'0' * 32}/interrupt", None, 404, "not-found", "No execution"),
    ],
)
def test_what_cannot_be_is_said(
    server: InsideServer, method: str, path: str, body: object, status: int, code: str, part: str
) -> None:
    assert part in server.refused(method, path, body, status=status, code=code)


def test_a_pod_that_is_not_there_fails_with_a_reason(server: InsideServer, place: Place) -> None:
    place.proxy.cut()
    try:
        server.ask("PUT", "/pods/pod/connection", status=202)
        server.until_event(pod="failed")
        pod = server.ask("GET", "/pods/pod")
        assert pod["reason"] and pod["code"]
    finally:
        place.proxy.heal()
    # "Try again" is the same request.
    server.ask("PUT", "/pods/pod/connection", status=202)
    server.until_event(pod="connected")
    server.ask("DELETE", "/pods/pod/connection")


def test_the_public_halves_of_refused_keys_are_told(
    server: InsideServer, place: Place, tmp_path: Path
) -> None:
    assert server.ask("GET", "/pods/pod/refused-keys") == {"keys": []}
    wrong = tmp_path / "wrong"
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "a b", "-f", str(wrong)]
    subprocess.run(made, check=True, timeout=20)
    words = [w if w != str(place.sshd.key) else str(wrong) for w in place.sshd.words()]
    server.ask("POST", "/pods", {"ssh": shlex.join(words), "name": "shut"}, 201)
    place.face.request("pod.pin", name="shut", key=place.sshd.host_key_line)
    server.ask("PUT", "/pods/shut/connection", status=202)
    server.until_event(shut="failed")
    public = wrong.with_name("wrong.pub").read_text().strip()
    told = server.ask("GET", "/pods/shut/refused-keys")
    assert {"name": str(wrong), "public": public} in told["keys"]
    server.ask("DELETE", "/pods/shut")


def test_events_rise(server: InsideServer) -> None:
    server.ask("POST", "/pods", {"ssh": "me@203.0.113.7", "name": "up"}, 201)
    server.until_event(up="disconnected")
    server.ask("DELETE", "/pods/up")
    revisions = [e["revision"] for e in server.events]
    assert len(revisions) >= 2
    assert all(a < b for a, b in itertools.pairwise(revisions))
    assert set(server.events[-1]["pods"][0]) == {"pod", "state"}
