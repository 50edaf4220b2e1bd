"""Which Jupyter Server has a notebook open, by what its sessions say."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.cli import opened
from jupyter_remote_gpu.cli.opened import opened_at

TOKEN = "secret"


class Fake:
    """Answers as a Jupyter Server; `sessions` is what it says."""

    def __init__(self, folder: Path) -> None:
        self.sessions: Any = []
        self.held = threading.Event()
        self.waits = False
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if fake.waits:
                    fake.held.wait(20)
                known = self.headers["Authorization"] == f"token {TOKEN}"
                right = known and self.path == "/a@b/api/sessions"
                self.send_response(200 if right else 403)
                self.end_headers()
                self.wfile.write(json.dumps(fake.sessions).encode())

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.root = folder / "root"
        self.root.mkdir()
        self.url = f"http://127.0.0.1:{self.server.server_port}/a@b/"
        self.info = {
            "pid": os.getpid(),
            "url": self.url,
            "token": TOKEN,
            "root_dir": str(self.root),
            "sock": "",
        }
        self.file = folder / "jpserver-1.json"

    def says(self, *sessions: Any, **info: Any) -> None:
        self.sessions = list(sessions)
        self.file.write_text(json.dumps({**self.info, **info}))

    def close(self) -> None:
        self.held.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(opened, "ASK_SECONDS", 1.0)
    fake = Fake(tmp_path)
    fake.thread.start()
    yield fake
    fake.close()


def session(path: str, connections: object = 1) -> dict[str, Any]:
    return {"path": path, "kernel": {"id": "k", "connections": connections}}


def test_a_session_with_a_page_has_it_open(fake: Fake) -> None:
    path = str(fake.root / "sub" / "ä.ipynb")
    for sessions, expected in [
        ([session("sub/ä.ipynb")], [fake.url]),
        ([session("other.ipynb"), session("sub/ä.ipynb", None)], [fake.url]),
        ([session("RTC:sub/ä.ipynb")], [fake.url]),
        ([{"path": "sub/ä.ipynb", "kernel": None}], [fake.url]),
        ([session("sub/ä.ipynb", 0)], []),  # the page is closed
        ([session("ä.ipynb"), "odd", {}], []),
        ([], []),
    ]:
        fake.says(*sessions)
        assert opened_at(path) == (expected, []), sessions


def test_links_lead_to_the_same_file(fake: Fake, tmp_path: Path) -> None:
    (fake.root / "a.ipynb").touch()
    (tmp_path / "link").symlink_to(fake.root)
    (tmp_path / "link.ipynb").symlink_to(fake.root / "a.ipynb")
    fake.says(session("a.ipynb"), root_dir=str(tmp_path / "link"))
    for name in ("root/a.ipynb", "link/a.ipynb", "link.ipynb"):
        assert opened_at(str(tmp_path / name)) == ([fake.url], [])


def test_a_server_that_cannot_be_asked_is_named(fake: Fake, tmp_path: Path) -> None:
    path = str(fake.root / "a.ipynb")
    fake.says(session("a.ipynb"), token="other")
    assert opened_at(path) == ([], [fake.url])
    fake.says(session("a.ipynb"), url="https://127.0.0.1:1/")
    assert opened_at(path) == ([], ["https://127.0.0.1:1/"])
    fake.says(session("a.ipynb"), sock="/run/jupyter.sock")
    assert opened_at(path) == ([], [fake.url])
    fake.says(url="http://127.0.0.1:1/")
    assert opened_at(path) == ([], ["http://127.0.0.1:1/"])
    fake.says()
    fake.sessions = {"odd": 1}
    assert opened_at(path) == ([], [fake.url])
    fake.sessions, fake.waits = [session("a.ipynb")], True
    assert opened_at(path) == ([], [fake.url])
    # Not asked at all: it serves another folder.
    assert opened_at(str(tmp_path / "elsewhere" / "a.ipynb")) == ([], [])
    fake.file.unlink()
    assert opened_at(path) == ([], [])
