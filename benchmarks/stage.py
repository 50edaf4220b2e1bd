"""What the rows are measured on: a pod with a real sshd, a slow network, a daemon of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil  # type: ignore[import-untyped]

from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.demo.machine import Machine
from jupyter_remote_gpu.wire.records import Record

from .network import Network

ROOT = Path(__file__).resolve().parent.parent
NEAR, FAR = "near", "far"
"""The same pod straight at its sshd, and through the network of the benchmarks."""

CPU_OF = ("harness", "local kernel", "daemon", "sshd", "bridge", "keeper", "remote kernel")


class Stage:
    """Use it with ``with``: inside, both pods are known (not connected).

    Parameters
    ----------
    python : str
        The pod's Python.
    """

    def __init__(self, python: str) -> None:
        self.python = python
        # Short: a Unix socket's path has at most 104 bytes on macOS.
        self.folder = Path(tempfile.mkdtemp(prefix="jrg-bench-", dir="/tmp"))
        for name, part in (
            ("JUPYTER_DATA_DIR", "data"),
            ("JUPYTER_RUNTIME_DIR", "runtime"),
            ("XDG_RUNTIME_DIR", "run"),
            ("IPYTHONDIR", "ipython"),
        ):
            (self.folder / part).mkdir(mode=0o700)
            os.environ[name] = str(self.folder / part)
        os.environ["PYTHONPATH"] = str(ROOT)
        pod = self.folder / "pod"
        pod.mkdir(mode=0o700)
        self.machine = Machine(pod, python)

    def __enter__(self) -> Stage:
        self.machine.start()
        self.network = Network(self.machine.port)
        try:
            self.face = Face(kind="bench")
            self._add_pods()
        except BaseException:
            self.network.close()
            self.machine.stop()
            raise
        return self

    def _add_pods(self) -> None:
        for name, port in ((NEAR, self.machine.port), (FAR, self.network.port)):
            self.face.request("pod.add", name=name, ssh=self.ssh(port), python=self.python)
            self.face.request("pod.pin", name=name, key=self.machine.host_key)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        daemon = self.daemon()
        self.face.request("daemon.stop")
        self.face.close()
        self.network.close()
        keepers = [p for k in self.kernels() for p in (_process(k["keeper_pid"]),) if p]
        self.machine.stop()
        for process in (daemon, *keepers):
            _end(process)
        if error is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print(f"what was there lies in {self.folder}", file=sys.stderr)

    # -- ways to the pod

    def ssh(self, port: int) -> list[str]:
        key = str(self.machine.key)
        return ["ssh", "-p", str(port), "-i", key, f"{self.machine.user}@127.0.0.1"]

    def openssh(self, port: int, *words: str) -> list[str]:
        """The words of OpenSSH's own client, with the host key pinned."""
        known = self.folder / "known_hosts"
        known.write_text(f"pod {self.machine.host_key}\n")
        options = {
            "UserKnownHostsFile": str(known),
            "HostKeyAlias": "pod",
            "IdentitiesOnly": "yes",
            "BatchMode": "yes",
            "LogLevel": "ERROR",
        }
        flags = [w for k, v in options.items() for w in ("-o", f"{k}={v}")]
        first, *rest = self.ssh(port)
        return [first, "-F", "none", *flags, *words[:-1], *rest, *words[-1:]]

    def on_pod(self, command: str, timeout: float = 600) -> str:
        """What `command` prints on the pod, by OpenSSH."""
        done = subprocess.run(
            self.openssh(self.machine.port, command),
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise RuntimeError(f"{command[:100]!r} failed on the pod:\n{done.stderr[-2000:]}")
        return done.stdout

    # -- what is there

    def pod(self, name: str) -> dict[str, Any]:
        pods = self.face.request("snapshot")["pods"]
        found: dict[str, Any] = next(p for p in pods if p["name"] == name)
        return found

    def wait_for(self, name: str, state: str, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while (now := self.pod(name))["state"] != state:
            if time.monotonic() > deadline or now["state"] == "failed":
                raise RuntimeError(f"{name} is {now['state']} and not {state}: {now['reason']}")
            time.sleep(0.02)

    def kernels(self) -> list[dict[str, Any]]:
        """``kernel.json`` of each kernel on the pod, newest last."""
        found = []
        for path in self.folder.joinpath("pod").rglob("kernel.json"):
            found.append(json.loads(path.read_text()))
        return sorted(found, key=lambda k: float(k["started"]))

    def records(self, pod: str) -> list[Record]:
        """The whole log of the newest kernel, as the daemon has it."""
        kernel = self.kernels()[-1]
        newest = next(k for k in self.pod(pod)["kernels"] if k["id"] == kernel["kernel"])
        records: list[Record] = []

        async def take(batch: list[Record]) -> None:
            records.extend(batch)

        async def ignore(_: dict[str, Any]) -> None:
            return

        channel = self.face.open_channel(
            pod=pod,
            kernel=kernel["kernel"],
            identity=kernel["identity"],
            cursor=0,
            on_batch=take,
            on_control=ignore,
        )
        deadline = time.monotonic() + 60
        while not records or records[-1].last < newest["last"]:
            if time.monotonic() > deadline:
                raise RuntimeError("the log did not come within 60 s")
            time.sleep(0.02)
        channel.close()
        return records

    # -- processes

    def daemon(self) -> psutil.Process:
        return psutil.Process(self.face.request("snapshot")["daemon"]["pid"])

    def processes(self, local: int | None) -> dict[str, list[psutil.Process]]:
        """The processes of each hop, as they are now."""
        kernel = next(iter(self.kernels()[-1:]), None)
        warden = self.machine._warden
        assert warden is not None
        found: dict[str, list[psutil.Process]] = {name: [] for name in CPU_OF}
        found["harness"] = [psutil.Process()]
        found["local kernel"] = [psutil.Process(local)] if local else []
        found["daemon"] = [self.daemon()]
        for process in psutil.Process(warden.pid).children(recursive=True):
            name = "sshd" if process.name().startswith("sshd") else "bridge"
            found[name].append(process)
        if kernel is not None:
            found["keeper"] = [p for p in (_process(kernel["keeper_pid"]),) if p]
            found["remote kernel"] = [p for p in (_process(kernel["pid"]),) if p]
        return found

    def cpu(self, local: int | None) -> dict[str, float]:
        """CPU seconds of each hop so far (of the processes that are there)."""
        result = {}
        for name, processes in self.processes(local).items():
            times = [p.cpu_times() for p in processes]
            result[name] = sum(t.user + t.system for t in times)
        return result


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _end(process: psutil.Process) -> None:
    try:
        process.wait(10)
    except psutil.TimeoutExpired:
        process.terminate()
        try:
            process.wait(10)
        except psutil.TimeoutExpired:
            process.kill()
