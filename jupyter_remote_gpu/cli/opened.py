"""Whether a Jupyter Server of this machine has a notebook open in a page."""

from __future__ import annotations

import http.client
import json
import os
import re
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.serverapp import list_running_servers

__all__ = ["opened_at"]

ASK_SECONDS = 3.0
ANSWER_BYTES = 16 << 20
_DRIVE = re.compile(r"[^/:]+:")


def opened_at(path: str) -> tuple[list[str], list[str]]:
    """Addresses of the servers that have `path` open, and of those that could not be asked.

    A session whose kernel has no connection is one whose page was closed.
    """
    opened, unknown = [], []
    file = os.path.realpath(path)
    for info in list_running_servers():
        root = os.path.realpath(str(info.get("root_dir")))
        if os.path.commonpath([root, file]) != root:
            continue  # it cannot open it
        url = str(info.get("url"))
        try:
            sessions = _sessions(info)
        except (OSError, http.client.HTTPException, ValueError):
            unknown.append(url)
            continue
        if any(_shows(s, root, file) for s in sessions if isinstance(s, dict)):
            opened.append(url)
    return opened, unknown


def _sessions(info: dict[str, Any]) -> list[Any]:
    """What it answers to its token; an error of the three kinds above if that is no list."""
    url = urlsplit(str(info.get("url")))
    if url.scheme != "http" or info.get("sock"):
        raise ValueError("only plain HTTP is spoken here")  # no certificate is trusted blindly
    connection = http.client.HTTPConnection(
        url.hostname or "localhost", url.port or 80, timeout=ASK_SECONDS
    )
    try:
        headers = {"Authorization": f"token {info.get('token')}"} if info.get("token") else {}
        connection.request("GET", url.path.rstrip("/") + "/api/sessions", headers=headers)
        answer = connection.getresponse()
        value = json.loads(answer.read(ANSWER_BYTES))
    finally:
        connection.close()
    if answer.status != 200 or not isinstance(value, list):
        raise ValueError(f"status {answer.status}")
    return value


def _shows(session: dict[str, Any], root: str, file: str) -> bool:
    # jupyter-collaboration puts its drive in front of a path.
    path = _DRIVE.sub("", str(session.get("path")), count=1)
    if os.path.realpath(os.path.join(root, path.lstrip("/"))) != file:
        return False
    kernel = session.get("kernel")
    return not isinstance(kernel, dict) or kernel.get("connections") != 0
