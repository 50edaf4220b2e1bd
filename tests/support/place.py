"""A daemon, a real sshd as its pod, a network between them that can fail, and a face."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_remote_gpu.client.threaded import Face
from tests.support.daemon import OwnDaemon, own_daemon, until
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd, laptops


@dataclass
class Place:
    """Everything between a face and a kernel."""

    daemon: OwnDaemon
    sshd: Sshd
    proxy: Proxy
    face: Face

    def state(self, name: str = "pod") -> str:
        pods = self.face.request("snapshot")["pods"]
        return str(next(p["state"] for p in pods if p["name"] == name))

    def until_state(self, state: str, name: str = "pod") -> None:
        until(lambda: self.state(name) == state, f"the state {state}", 30)

    def connect(self) -> None:
        self.face.request("pod.connect", name="pod")
        self.until_state("connected")

    def pod_kernel(self, kernel: str) -> Path:
        return next(self.sshd.folder.rglob(f"kernels/{kernel}"))

    def keeper_info(self, kernel: str) -> dict[str, Any]:
        info: dict[str, Any] = json.loads((self.pod_kernel(kernel) / "kernel.json").read_text())
        return info


@contextlib.contextmanager
def whole_place(folder: Path, python: str, monkeypatch: Any) -> Iterator[Place]:
    """All of it, with the pod added as "pod" and its host key pinned, not connected.

    Where a mount namespace can be had (as root) the pod cannot see the laptop's files.
    """
    with (
        own_daemon(folder, monkeypatch) as daemon,
        Sshd(folder / "pod", python, hide=laptops(daemon)) as sshd,
        Proxy(sshd.port) as proxy,
    ):
        face = Face(kind="test")
        try:
            face.request("pod.add", name="pod", ssh=sshd.words(proxy.port), python=python)
            face.request("pod.pin", name="pod", key=sshd.host_key_line)
            yield Place(daemon, sshd, proxy, face)
        finally:
            face.close()
