"""Who this process is to the log, and the numbers of its requests."""

from __future__ import annotations

import itertools
import os
import threading
import uuid

_lock = threading.Lock()
_pid = 0
_client = ""
_numbers: dict[str, itertools.count[int]] = {}


def client_id() -> str:
    """One id a process: 32 hex digits, another one in a forked child."""
    global _pid, _client
    with _lock:
        if _pid != os.getpid():
            _pid, _client = os.getpid(), uuid.uuid4().hex
        return _client


def next_number(client: str) -> int:
    """The next request number of `client`; rises from 1, also over several channels."""
    with _lock:
        return next(_numbers.setdefault(client, itertools.count(1)))
