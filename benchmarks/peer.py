"""sshpyk under the same cuts: the peer that also runs a kernel over ssh.

It is given what its documentation asks for (a multiplexed connection, keepalive), and is
polled every 3 s, as Jupyter's restarter does; that is when it opens its tunnels again.
"""

from __future__ import annotations

import asyncio
import importlib.util
import random
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

if TYPE_CHECKING:
    from .stage import Stage

POLL_SECONDS = 3.0
PATIENCE = 45.0
"""Seconds without a message after which nothing more is expected."""

_CONFIG = """\
Host bench-peer
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile {key}
  IdentitiesOnly yes
  BatchMode yes
  UserKnownHostsFile {known}
  HostKeyAlias pod
  ControlMaster auto
  ControlPath {folder}/c-%C
  ControlPersist 10m
  ServerAliveInterval 3
  ServerAliveCountMax 3
  ConnectTimeout 5
"""


def available() -> bool:
    """Whether sshpyk is in this environment."""
    return importlib.util.find_spec("sshpyk") is not None


class Peer(threading.Thread):
    """Runs sshpyk's provisioner in a loop of its own, as a Jupyter Server does."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(daemon=True)
        folder = stage.folder / "peer"
        folder.mkdir(mode=0o700)
        self._config = folder / "ssh_config"
        self._config.write_text(self._text(stage, folder))
        self._python = stage.python
        self._ready, self._over = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self.info: KernelConnectionInfo = {}
        self.start()
        if not self._ready.wait(120) or self.error is not None:
            raise RuntimeError("sshpyk did not start its kernel") from self.error

    def _text(self, stage: Stage, folder: Path) -> str:
        stage.openssh(stage.network.port, "true")  # writes the known host key
        return _CONFIG.format(
            port=stage.network.port,
            user=stage.machine.user,
            key=stage.machine.key,
            known=stage.folder / "known_hosts",
            folder=folder,
        )

    def run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as e:  # noqa: BLE001 - told to whoever waits
            self.error = e
        self._ready.set()

    async def _serve(self) -> None:
        manager = AsyncKernelManager()
        settings = {
            "ssh_host_alias": "bench-peer",
            "ssh_config": str(self._config),
            "remote_python": self._python,
            "remote_kernel_name": "python3",
        }
        provisioner = {"provisioner_name": "sshpyk-provisioner", "config": settings}
        manager._kernel_spec = KernelSpec(
            argv=[],
            display_name="peer",
            language="python",
            metadata={"kernel_provisioner": provisioner},
        )
        await manager.start_kernel()
        try:
            self.info = manager.get_connection_info()
            self._ready.set()
            while not self._over.is_set():
                await asyncio.sleep(POLL_SECONDS)
                await manager.is_alive()
        finally:
            await manager.shutdown_kernel(now=True)
            manager.context.destroy(linger=0)

    def close(self) -> None:
        """End the kernel."""
        self._over.set()
        self.join(90)


def under_cuts(
    stage: Stage, code: str, lines: int, cuts: int, seed: int, seconds: float
) -> dict[str, Any]:
    """Run `code` by sshpyk while the network is cut; what is missing and what came twice.

    Parameters
    ----------
    seconds : float
        How long the cell takes, about.

    Raises
    ------
    RuntimeError
        If sshpyk is not installed or does not run.
    """
    from .cuts import LONGEST, Cutter, count

    if not available():
        raise RuntimeError("sshpyk, the peer of this row, is missing: run `make bench`")
    peer = Peer(stage)
    client = BlockingKernelClient()
    client.load_connection_info(peer.info)
    client.start_channels()
    texts: list[str] = []
    try:
        client.wait_for_ready(timeout=60)
        msg_id = client.execute(code, allow_stdin=False)
        cutter = Cutter(stage.network, cuts, random.Random(seed), LONGEST)
        cutter.start()
        newest, idle = time.monotonic(), False
        end = newest + seconds
        while not idle and time.monotonic() < max(newest + PATIENCE, end + PATIENCE):
            if time.monotonic() > end:
                cutter.end()  # the cell is over: cutting now would only hide what it said
            if not client.iopub_channel.msg_ready():
                time.sleep(0.005)
                continue
            msg = client.get_iopub_msg(timeout=1)
            if msg["parent_header"].get("msg_id") != msg_id:
                continue
            newest = time.monotonic()
            cutter.arrived.set()
            content = msg["content"]
            idle = content.get("execution_state") == "idle"
            if msg["msg_type"] == "stream":
                texts.append(content["text"])
        cutter.end()
    finally:
        client.stop_channels()
        peer.close()
    lost, doubled = count("".join(texts), lines)
    words = f"{lost} and {doubled} ({len(cutter.plan)} cuts{'' if idle else '; no end seen'})"
    return {"found": (lost, doubled), "words": words, "cuts": cutter.plan, "idle": idle}
