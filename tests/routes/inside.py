"""A Jupyter Server in a thread of this process, and a client that knows the OpenAPI document."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import threading
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator
from jupyter_server.auth.authorizer import Authorizer
from jupyter_server.serverapp import ServerApp
from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from traitlets.config import Config

from jupyter_remote_gpu.routes.app import EVENT, RemoteGPUApp
from jupyter_remote_gpu.routes.document import BASE, document
from tests.support.daemon import until

PATIENCE = 150.0
METHODS = ("get", "post", "put", "delete", "patch", "head")
T = TypeVar("T")


class Judge(Authorizer):
    """Says yes until it is told to say no; remembers what it was asked."""

    no: bool = False
    asked: list[tuple[str, str]] = []  # noqa: RUF012 - one server at a time

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((action, resource))
        return not Judge.no


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


class InsideServer:
    """Use it with ``with``.

    Parameters
    ----------
    folder : Path
        Taken as it is; its notebooks lie in it.
    config
        Traits of `RemoteGPUApp`.

    Attributes
    ----------
    app : ServerApp
    extension : RemoteGPUApp
    events : list of dict
        What it has emitted.
    base : str
        Its base URL: not the usual one, so that who forgets it fails.
    """

    base = "/a@b/"

    def __init__(self, folder: Path, **config: Any) -> None:
        self.token, self.port = uuid.uuid4().hex, 0
        self.events: list[dict[str, Any]] = []
        self.seen: set[tuple[str, str]] = set()
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        self._config, self._ready = config, threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> InsideServer:
        self._thread.start()
        assert self._ready.wait(PATIENCE)
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self._over.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the server does not end"
        if self._failure is not None:
            raise self._failure

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` in the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as e:  # noqa: BLE001 - raised in the test's thread
            self._failure = e
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self.loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        config = Config(
            ServerApp={
                "jpserver_extensions": {"jupyter_remote_gpu": True},
                "root_dir": str(self.notebooks),
                "base_url": self.base,
                "authorizer_class": Judge,
                "open_browser": False,
            },
            IdentityProvider={"token": self.token},
            RemoteGPUApp=self._config,
        )
        app = self.app = ServerApp(config=config)
        app.init_signal = lambda: None
        app.initialize(argv=[], find_extensions=False, new_httpserver=False)
        (extension,) = app.extension_manager.extension_apps["jupyter_remote_gpu"]
        assert isinstance(extension, RemoteGPUApp)
        self.extension = extension
        app.event_logger.add_listener(schema_id=EVENT, listener=self._hear)
        http_server = app._http_server = HTTPServer(app.web_app)
        sockets = bind_sockets(0, "127.0.0.1")
        http_server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        self._ready.set()
        try:
            await self._over.wait()
        finally:
            await app._cleanup()
            await http_server.close_all_connections()

    async def _hear(self, logger: Any, schema_id: str, data: dict[str, Any]) -> None:
        self.events.append(data)

    # -- as a client

    def raw(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """A request without any login of ours; `path` is below ``/remote-gpu``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(
                method, self.base.rstrip("/") + BASE + path, body or None, headers or {}
            )
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.headers), answer.read())
        finally:
            connection.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """A request with the token, held against the document, as is its answer; its JSON."""
        template, operation = operation_of(method, path)
        if body is not None and status < 400:
            check(operation["requestBody"]["content"]["application/json"]["schema"], body)
        sent = b"" if body is None else json.dumps(body).encode()
        answer = self.raw(
            method, path, sent, {"Authorization": f"token {self.token}"} | (headers or {})
        )
        assert answer.status == status, (method, path, answer)
        conforms(operation, answer)
        if status < 400:
            self.seen.add((template, method.lower()))
        return answer.json if answer.data else None

    def refused(self, method: str, path: str, body: Any = None, *, status: int, code: str) -> str:
        """A request that must fail with that code; the sentence."""
        told = self.ask(method, path, body, status)
        assert told["code"] == code, told
        assert len(told["message"]) > 15, told
        return str(told["message"])

    def until_event(self, **states: str) -> None:
        """Wait until an event told these states of pods."""

        def told() -> bool:
            last = {p["pod"]: p["state"] for p in self.events[-1]["pods"]} if self.events else {}
            return all(last.get(pod) == state for pod, state in states.items())

        until(told, f"an event with {states}", 40)


def operation_of(method: str, path: str) -> tuple[str, dict[str, Any]]:
    """The path and the operation of the document that a request belongs to."""
    bare = urlsplit(path).path
    for template, operations in document()["paths"].items():
        if (
            re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), bare)
            and method.lower() in operations
        ):
            return template, operations[method.lower()]
    raise AssertionError(f"{method} {path} is not in the document")


def conforms(operation: dict[str, Any], answer: Answer) -> None:
    """Assert that an answer is one that the document promises."""
    promised = operation["responses"].get(str(answer.status))
    assert promised is not None, f"{answer.status} is not promised: {answer.data!r:.300}"
    if "$ref" in promised:
        promised = document()["components"]["responses"][promised["$ref"].rpartition("/")[2]]
    for name in promised.get("headers", {}):
        assert name in answer.headers, (name, answer.headers)
    if "content" in promised:
        assert answer.headers["Content-Type"].startswith("application/json")
        check(promised["content"]["application/json"]["schema"], answer.json)
    else:
        assert answer.data == b""


def check(schema: dict[str, Any], value: Any) -> None:
    """Assert that `value` is what a schema of the document says."""
    found = {**schema, "components": document()["components"]}
    errors = sorted(Draft202012Validator(found).iter_errors(value), key=str)
    assert not errors, "\n".join(f"{list(e.absolute_path)}: {e.message:.300}" for e in errors)


def our_routes(app: ServerApp) -> list[tuple[re.Pattern[str], type[web.RequestHandler]]]:
    """Each route of the running app whose handler is ours."""
    found: list[tuple[re.Pattern[str], type[web.RequestHandler]]] = []

    def walk(router: Any) -> None:
        for rule in router.rules:
            if hasattr(rule.target, "rules"):
                walk(rule.target)
            elif getattr(rule.target, "__module__", "").startswith("jupyter_remote_gpu"):
                found.append((rule.matcher.regex, rule.target))

    walk(app.web_app.default_router)
    return found


def methods_of(handler: type[web.RequestHandler]) -> set[str]:
    """The methods that it implements (OPTIONS is Jupyter Server's own)."""
    return {m for m in METHODS if getattr(handler, m) is not getattr(web.RequestHandler, m)}
