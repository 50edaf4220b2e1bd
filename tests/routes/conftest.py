"""Fixtures: a Jupyter Server in this process, its daemon, and a real pod."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.routes.inside import InsideServer
from tests.support.daemon import OwnDaemon, own_daemon
from tests.support.place import Place, whole_place


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def short() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="jrg-r") as short:  # sockets have short paths only
        yield Path(short)


@pytest.fixture(scope="module")
def own(short: Path, patch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    """A daemon of the module's own."""
    with own_daemon(short, patch) as daemon:
        yield daemon


@pytest.fixture(scope="module")
def place(short: Path, pod_python: str, patch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The same with a pod, which is not connected."""
    with whole_place(short, pod_python, patch) as place:
        yield place


@pytest.fixture(scope="module")
def bare(own: OwnDaemon, short: Path) -> Iterator[InsideServer]:
    """A server without a pod."""
    with InsideServer(short / "jupyter") as server:
        yield server


@pytest.fixture(scope="module")
def server(place: Place, short: Path) -> Iterator[InsideServer]:
    """A server, and the pod "pod"."""
    with InsideServer(short / "jupyter") as server:
        yield server
