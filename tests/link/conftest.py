"""Fixtures of the link's tests: a laptop of their own, a real sshd, a proxy before it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.linked import register
from tests.support.login import empty_home
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd


@pytest.fixture(autouse=True)
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder without ssh's files, and no agent."""
    return empty_home(tmp_path / "home", monkeypatch)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with Sshd(tmp_path / "pod", sys.executable) as sshd:
        yield sshd


@pytest.fixture
def proxy(sshd: Sshd) -> Iterator[Proxy]:
    with Proxy(sshd.port) as proxy:
        yield proxy


@pytest.fixture
def folder(tmp_path: Path, sshd: Sshd, proxy: Proxy) -> Path:
    """A data folder in which the pod is registered, behind the proxy."""
    return register(tmp_path / "data", sshd, port=proxy.port)
