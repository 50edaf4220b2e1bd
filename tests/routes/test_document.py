"""The running app's routes against the OpenAPI document, and who is let in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_remote_gpu import errors
from jupyter_remote_gpu.routes.answers import AUTH_RESOURCE, status_of
from jupyter_remote_gpu.routes.document import BASE, MAX_BODY, document
from tests.routes.inside import METHODS, InsideServer, Judge, methods_of, our_routes

ACTIONS = {"get": "read", "post": "write", "put": "write", "delete": "write"}
OPERATIONS = [
    (path, method)
    for path, found in document()["paths"].items()
    for method in found
    if method in METHODS
]
ID = "0" * 32


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", ID, path)


@pytest.fixture
def deny() -> Iterator[None]:
    Judge.no = True
    Judge.asked.clear()
    yield
    Judge.no = False


def test_the_running_apps_routes_are_those_of_the_document(bare: InsideServer) -> None:
    prefix = bare.base.rstrip("/") + BASE
    found = set()
    for pattern, handler in our_routes(bare.app):
        fitting = [p for p in document()["paths"] if pattern.fullmatch(prefix + filled(p))]
        assert len(fitting) == 1, (pattern, fitting)
        found |= {(fitting[0], method) for method in methods_of(handler)}
    assert found == set(OPERATIONS)


def test_every_route_has_an_authenticated_method_only(bare: InsideServer) -> None:
    """Not of a list: whatever method a route of the running app takes, it refuses strangers."""
    tried = 0
    for pattern, handler in our_routes(bare.app):
        path = pattern.pattern.replace("([^/]+)", ID).rstrip("$").replace("\\", "")
        path = path.removeprefix(bare.base.rstrip("/") + BASE)
        for method in methods_of(handler):
            for headers in ({}, {"Authorization": "token wrong"}):
                answer = bare.raw(method.upper(), path, headers=headers)
                assert answer.status == 403, (method, path, answer)
                assert set(answer.json) == {"message", "reason", "code", "details"}
                tried += 1
    assert tried >= 2 * len(OPERATIONS)


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_an_authorizer_that_says_no_is_heard(
    bare: InsideServer, deny: None, path: str, method: str
) -> None:
    told = bare.ask(method.upper(), filled(path), status=403)
    assert told["code"] == "forbidden"
    assert Judge.asked == [(ACTIONS[method], AUTH_RESOURCE)]


@pytest.mark.parametrize(("path", "method"), [o for o in OPERATIONS if o[1] != "get"])
def test_a_self_chosen_xsrf_cookie_opens_nothing(
    bare: InsideServer, path: str, method: str
) -> None:
    forged = {"Cookie": "_xsrf=2|abc", "X-XSRFToken": "2|abc"}
    assert bare.raw(method.upper(), filled(path), b"{}", forged).status == 403
    simple = {"Cookie": "_xsrf=abc", "X-XSRFToken": "abc"}
    assert bare.raw(method.upper(), filled(path), b"{}", simple).status == 403


def test_a_login_cookie_alone_changes_nothing(bare: InsideServer) -> None:
    """The browser's way: the cookie is sent by itself, the XSRF token is not."""
    login = bare.raw("GET", f"/about?token={bare.token}")
    assert login.status == 200
    cookie = login.headers["Set-Cookie"].split(";")[0]
    assert bare.raw("GET", "/about", headers={"Cookie": cookie}).status == 200
    body = json.dumps({"ssh": "me@203.0.113.9"}).encode()
    assert bare.raw("POST", "/pods", body, {"Cookie": cookie}).status == 403
    assert bare.ask("GET", "/pods") == {"pods": []}


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "longer" if MAX_BODY < 100_000 else "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b"", "lacks 'ssh'"),
        (b"{}", "lacks 'ssh'"),
        (b'{"ssh": 1}', "'ssh' must be a text"),
        (b'{"ssh": ["ssh", "a"]}', "'ssh' must be a text"),
        (b'{"ssh": ""}', "'ssh' is empty"),
        (b'{"ssh": "a", "name": null}', "'name' must be a text"),
        (b'{"ssh": "a", "color": "red"}', "'color'"),
        (json.dumps({"ssh": "a" * 5000}).encode(), "longer than 4096"),
        (json.dumps({"ssh": "a" * 70_000}).encode(), "longer than 64 KiB"),
    ],
)
def test_a_bad_body_is_a_sentence(bare: InsideServer, data: bytes, part: str) -> None:
    answer = bare.raw("POST", "/pods", data, {"Authorization": f"token {bare.token}"})
    assert (answer.status, answer.json["code"]) == (400, "bad-input")
    assert part in answer.json["message"]
    assert bare.ask("GET", "/pods") == {"pods": []}


@pytest.mark.parametrize(
    "body", [{"accept_host_key": "MD5:00"}, {"accept_host_key": 1}, {"x": 1}, []]
)
def test_a_connections_body(bare: InsideServer, body: Any) -> None:
    bare.refused("PUT", "/pods/none/connection", body, status=400, code="bad-input")


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/pods/none"), ("POST", f"/executions/{ID}/interrupt"), ("POST", "/demo")],
)
def test_where_no_body_belongs_an_empty_object_is_taken(
    bare: InsideServer, method: str, path: str
) -> None:
    bare.refused(method, path, {"x": 1}, status=400, code="bad-input")


def test_each_error_has_its_status(bare: InsideServer, monkeypatch: pytest.MonkeyPatch) -> None:
    e = errors
    expected: dict[type[e.RemoteGPUError], int] = {
        **dict.fromkeys((e.BadInput,), 400),
        **dict.fromkeys((e.NotFound,), 404),
        **dict.fromkeys((e.Conflict, e.NotConnected, e.HostKeyUnknown, e.HostKeyChanged), 409),
        **dict.fromkeys((e.LinkError, e.TransportError, e.PodError, e.WireError), 502),
        **dict.fromkeys((e.VersionMismatch, e.DaemonError), 503),
        e.RemoteGPUError: 502,
    }
    assert {kind.code for kind in expected} == {*errors._CLASSES, "error"}
    manager = bare.extension._manager
    assert manager is not None
    for kind, status in expected.items():
        error = kind("A sentence that says 100 % why.", details={"a": 1})

        async def fail(path: str, error: errors.RemoteGPUError = error) -> Any:
            raise error

        monkeypatch.setattr(manager, "log", fail)
        told = bare.raw("GET", "/pods/a/log", headers={"Authorization": f"token {bare.token}"})
        assert told.status == status, kind
        assert told.json["message"] == error.message
        assert (told.json["code"], told.json["details"]) == (kind.code, {"a": 1})
    assert status_of(errors.DaemonError("x", code="timeout")) == 504


def test_a_fault_of_ours_tells_nothing_of_itself(
    bare: InsideServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(path: str) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(bare.extension._manager, "log", fail)
    told = bare.ask("GET", "/pods/a/log", status=500)
    assert told["code"] == "internal"
    assert "secret" not in json.dumps(told)


def test_a_method_that_is_none(bare: InsideServer) -> None:
    answer = bare.raw("POST", "/about", b"{}", {"Authorization": f"token {bare.token}"})
    assert (answer.status, answer.json["code"]) == (405, "method-not-allowed")


def test_nan_in_an_answer_is_still_json(
    bare: InsideServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def odd() -> list[str]:
        return [float("nan"), {"a": [float("inf"), "b"]}]  # type: ignore[list-item]

    monkeypatch.setattr(bare.extension._manager, "hosts", odd)
    answer = bare.raw("GET", "/hosts", headers={"Authorization": f"token {bare.token}"})
    assert answer.json == {"hosts": [None, {"a": [None, "b"]}]}
    assert b"NaN" not in answer.data
