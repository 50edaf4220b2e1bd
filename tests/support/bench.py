"""A notebook kernel here, a pod behind a proxy, and the daemon between them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.daemon import OwnDaemon
from tests.support.notebook import Cell, LocalKernel
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd, laptops


@dataclass
class Bench:
    """A pod called demo behind a proxy, a daemon of its own, and one notebook.

    Attributes
    ----------
    home : Path
        Home folder on the pod.
    """

    kernel: LocalKernel
    proxy: Proxy
    daemon: OwnDaemon
    home: Path

    def gpu(self, code: str, **more: Any) -> Cell:
        return self.kernel.run(f"%%gpu\n{code}", **more)


def open_bench(home: Path, folder: Path, pod_python: str) -> Iterator[Bench]:
    """All of it, connected.

    Parameters
    ----------
    home : Path
        With a short path: sockets lie in it.
    folder : Path
        Working folder of the notebook's kernel.
    """
    daemon = OwnDaemon(home)
    pod = Sshd(home / "pod", pod_python, hide=laptops(daemon))
    with pod as sshd, Proxy(sshd.port) as proxy:
        kernel = LocalKernel({**os.environ, **daemon.env}, folder)
        try:
            face = "get_ipython()._jupyter_remote_gpu[0].face"
            add = f"{face}.request('pod.add', name='demo', ssh={sshd.words(proxy.port)!r})"
            pin = f"{face}.request('pod.pin', name='demo', key={sshd.host_key_line!r})"
            done = kernel.run(f"{add}; {pin}")
            assert done.reply["status"] == "ok", done
            connected = kernel.run("%gpu connect demo")
            assert connected.reply["status"] == "ok", connected
            yield Bench(kernel, proxy, daemon, sshd.home)
        finally:
            kernel.close()
            daemon.close()
