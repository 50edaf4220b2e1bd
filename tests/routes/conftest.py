"""Fixtures: a Jupyter Server in this process, its daemon, and a real pod."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.routes.cells import CONTENTS
from tests.routes.inside import InsideServer
from tests.support.daemon import OwnDaemon, own_daemon
from tests.support.face import KernelFace
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


@pytest.fixture
def connected(server: InsideServer, place: Place) -> InsideServer:
    place.connect()
    return server


@pytest.fixture
def notebook(connected: InsideServer) -> str:
    """What Jupyter Server gives the kernel of `CONTENTS` as JPY_SESSION_NAME."""
    (connected.notebooks / "sub folder").mkdir(exist_ok=True)
    env = connected.app.session_manager.get_kernel_env(CONTENTS, CONTENTS.rpartition("/")[2])
    return str(env["JPY_SESSION_NAME"])


@pytest.fixture
def cell(place: Place, notebook: str) -> Iterator[KernelFace]:
    face = KernelFace(place.face, "pod", notebook=notebook, local_kernel=uuid.uuid4().hex)
    yield face
    face.close()
