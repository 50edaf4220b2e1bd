"""Fixtures of the tests through a Jupyter Server: laptop and pod share only the network."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jupyter_remote_gpu.client.threaded import Face
from tests.conftest import ROOT
from tests.server.frontend import Notebook
from tests.server.server import JupyterServer
from tests.support.daemon import own_daemon
from tests.support.place import Place
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd, can_hide


@dataclass
class Laptop:
    """A Jupyter Server, and the way from it to a pod.

    Its kernelspecs: "laptop" has the extension; "plain" is the pod's Python, run here.
    """

    place: Place
    server: JupyterServer

    def notebook(self, path: str, kernel: str = "laptop") -> Notebook:
        return Notebook(self.server, path, kernel)

    def kernels(self) -> list[dict[str, object]]:
        """The remote kernels, asked of the pod."""
        found: list[dict[str, object]] = self.place.face.request("kernel.list")["kernels"]
        return found


def open_laptop(python: str) -> Iterator[Laptop]:
    """All of it, with the pod "demo" behind a proxy; not connected."""
    with (
        tempfile.TemporaryDirectory(prefix="jrg-l") as short,  # sockets have short paths only
        pytest.MonkeyPatch.context() as patch,
        own_daemon(Path(short), patch) as daemon,
    ):
        folder = Path(short)
        server = JupyterServer(folder / "jupyter", daemon.env)
        server.kernelspec("laptop", sys.executable)
        server.kernelspec("plain", python)
        hide = [daemon.data, daemon.run, server.folder, ROOT / "jupyter_remote_gpu"]
        with (
            Sshd(folder / "pod", python, hide=hide if can_hide() else ()) as sshd,
            Proxy(sshd.port) as proxy,
            server,
        ):
            face = Face(kind="test")
            try:
                face.request("pod.add", name="demo", ssh=sshd.words(proxy.port), python=python)
                face.request("pod.pin", name="demo", key=sshd.host_key_line)
                yield Laptop(Place(daemon, sshd, proxy, face), server)
            finally:
                face.close()


@pytest.fixture(scope="package")
def laptop(pod_python: str) -> Iterator[Laptop]:
    yield from open_laptop(pod_python)


@pytest.fixture(scope="package")
def old_laptop(old_python: str) -> Iterator[Laptop]:
    """Its pod is Python 3.10 with ipykernel 6.29."""
    yield from open_laptop(old_python)
