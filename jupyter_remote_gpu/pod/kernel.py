"""The kernel as a process: started from its kernelspec's argv, interrupted, ended."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from pathlib import Path
from string import Template
from typing import Any

from .. import files

OOM_ABOVE_KEEPER = 300
"""Added to the kernel's OOM score, so that out of memory ends it and not its keeper."""

_TAIL = 8 << 10


class KernelProcess:
    """One kernel, in a process group of its own.

    Parameters
    ----------
    folder : Path
        The kernel's folder; its log lies there.
    sockets : Path
        A short 0700 folder for its ipc sockets and its connection file.
    spec : dict
        ``argv`` (with ``{connection_file}``), ``env``, ``interrupt_mode``, ``cwd``.
    """

    def __init__(self, folder: Path, sockets: Path, spec: dict[str, Any]) -> None:
        self.log = folder / "kernel.log"
        self.key = secrets.token_hex(32)
        self.prefix = str(sockets / "k")
        self.connection_file = sockets / "connection.json"
        self.interrupt_mode = str(spec.get("interrupt_mode") or "signal")
        self.cwd = str(spec["cwd"])
        self._argv = [str(a) for a in spec["argv"]]
        self._env = {str(k): str(v) for k, v in dict(spec.get("env") or {}).items()}
        self._process: subprocess.Popen[bytes] | None = None

    def endpoint(self, channel: str) -> str:
        """The ZMQ address of ``shell``, ``iopub``, ``stdin``, ``control`` or ``hb``."""
        number = ("shell", "iopub", "stdin", "control", "hb").index(channel) + 1
        return f"ipc://{self.prefix}-{number}"

    def start(self) -> None:
        """Write the connection file and start the process.

        Raises
        ------
        OSError
            If the program of the kernelspec cannot be run.
        """
        ports = ("shell", "iopub", "stdin", "control", "hb")
        info: dict[str, Any] = {f"{c}_port": n for n, c in enumerate(ports, 1)}
        info.update(
            transport="ipc",
            ip=self.prefix,
            key=self.key,
            signature_scheme="hmac-sha256",
            kernel_name="",
        )
        files.dump(self.connection_file, info)
        argv = [a.replace("{connection_file}", str(self.connection_file)) for a in self._argv]
        # As jupyter_client has it: a kernelspec may put its folders before the pod's own.
        own = {k: Template(v).safe_substitute(os.environ) for k, v in self._env.items()}
        env = {**os.environ, **own}
        # ipykernel ends itself when this process is gone; without it a killed keeper
        # would leave a kernel that nobody can reach.
        env["JPY_PARENT_PID"] = str(os.getpid())
        env.pop("JRG_STATE", None)
        with open(self.log, "ab", opener=_private) as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.cwd,
                env=env,
                start_new_session=True,
            )
        with contextlib.suppress(OSError):  # no /proc, or not permitted: only a precaution
            ours = int(Path("/proc/self/oom_score_adj").read_text("ascii"))
            score = min(ours + OOM_ABOVE_KEEPER, 1000)
            Path(f"/proc/{self.pid}/oom_score_adj").write_text(str(score))

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status (negative: the signal) once it has ended.

        It stays a zombie until `close`: its number, which names its group, stays ours.
        """
        if self._process is None or not hasattr(os, "waitid"):
            return None if self._process is None else self._process.poll()
        found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def close(self) -> None:
        """End what is left of it and of its group."""
        if self._process is not None and self._process.returncode is None:
            self.signal(signal.SIGKILL)
            self._process.wait()

    def signal(self, number: int) -> None:
        """Send a signal to the kernel's whole process group (its workers too)."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def interrupt(self) -> None:
        """SIGINT, as a kernelspec with ``interrupt_mode: signal`` asks for."""
        self.signal(signal.SIGINT)

    def stderr_tail(self) -> str:
        """The last lines that the process itself wrote (not through Jupyter)."""
        try:
            with open(self.log, "rb") as f:
                f.seek(max(0, self.log.stat().st_size - _TAIL))
                return f.read().decode("utf-8", "replace")
        except OSError as e:
            return f"({self.log}: {e.strerror})"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
