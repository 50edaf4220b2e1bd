"""A real sshd as the pod: on a loopback port, with keys and a home folder of its own."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from jupyter_remote_gpu.demo import openssh
from tests.support.daemon import ROOT, OwnDaemon

START_SECONDS = 10.0
_MARK = "JRG_TEST_POD"

# SetEnv HOME=… alone would leave the working folder at the account's home.
_SESSION = """\
#!/bin/sh
HOME={home} PATH={path} {mark}={folder}
export HOME PATH {mark}
cd "$HOME" || exit 1
cat {folder}/noise
if [ -z "${{SSH_ORIGINAL_COMMAND+set}}" ]; then exec /bin/sh -l; fi
command=$SSH_ORIGINAL_COMMAND
unset SSH_ORIGINAL_COMMAND
exec /bin/sh -c "$command"
"""


class Sshd:
    """Use it with ``with``; it can also be stopped and started again on the same port.

    Parameters
    ----------
    folder : Path
        Taken as it is; keys and home in it are kept.
    python : str, optional
        Its folder comes first on the pod's PATH.
    hide : sequence of Path
        Folders that the pod cannot see: a mount namespace, so for root only (see `can_hide`).
    config : sequence of str
        Further lines of sshd_config; the first value of a keyword counts, and these come first.

    Attributes
    ----------
    host, port, user
        Where it listens, and as whom one logs in: the current user.
    key : Path
        The client's private key.
    home, log : Path
    """

    host = "127.0.0.1"

    def __init__(
        self,
        folder: Path,
        python: str | None = None,
        *,
        hide: Sequence[Path] = (),
        config: Sequence[str] = (),
    ) -> None:
        self.folder = folder.absolute()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.home = self.folder / "home"
        self.home.mkdir(mode=0o700, exist_ok=True)
        self.key, self.log = self.folder / "key", self.folder / "sshd.log"
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.port = 0
        self._host_key = self.folder / "host_key"
        self._hide, self._lines = [p.absolute() for p in hide], list(config)
        self._process: subprocess.Popen[bytes] | None = None
        self._sshd = openssh.find_sshd()
        if not self.key.exists():
            openssh.make_key(self.key, "test", self._sshd)
            ssh = self.home / ".ssh"
            ssh.mkdir(mode=0o700, exist_ok=True)
            shutil.copy(self.key.with_suffix(".pub"), ssh / "authorized_keys")
            (ssh / "authorized_keys").chmod(0o600)
        if not self._host_key.exists():
            openssh.make_key(self._host_key, "test", self._sshd)
        path = [str(Path(python).parent)] if python else []
        session = self.folder / "session"
        session.write_text(
            _SESSION.format(
                home=shlex.quote(str(self.home)),
                path=shlex.quote(":".join([*path, "/usr/local/bin", "/usr/bin", "/bin"])),
                folder=shlex.quote(str(self.folder)),
                mark=_MARK,
            )
        )
        session.chmod(0o700)
        self.noise("")

    @property
    def host_key_line(self) -> str:
        """The host's public key as a line of OpenSSH."""
        return self._host_key.with_suffix(".pub").read_text("ascii").strip()

    def words(self, port: int | None = None) -> list[str]:
        """The ssh command that a provider would show; `port` when a proxy stands in front."""
        place = f"{self.user}@{self.host}"
        return ["ssh", place, "-p", str(port or self.port), "-i", str(self.key)]

    def ssh(
        self, *command: str, timeout: float = 30, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run `command` on the pod by OpenSSH's own client."""
        return subprocess.run(
            [*self.words(), *self.client_options(), *command],
            **{"capture_output": True, "text": True, "timeout": timeout, **more},
        )

    def client_options(self) -> list[str]:
        """What lets OpenSSH's client in without the user's own configuration."""
        known = self.folder / "known_hosts"
        known.write_text(f"pod {self.host_key_line}\n")
        pairs = {"HostKeyAlias": "pod", "UserKnownHostsFile": known, "BatchMode": "yes"}
        pairs |= {"IdentitiesOnly": "yes", "IdentityAgent": "none"}
        return ["-F", "none", *(w for k, v in pairs.items() for w in ("-o", f"{k}={v}"))]

    def noise(self, text: str) -> None:
        """From now on each session prints `text` first, as a chatty login shell does."""
        (self.folder / "noise").write_text(text)

    def new_host_key(self) -> None:
        """Another machine at the same address; counts from the next start."""
        self._host_key.unlink()
        self._host_key.with_suffix(".pub").unlink()
        openssh.make_key(self._host_key, "test", self._sshd)

    def __enter__(self) -> Sshd:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen on a free port, or on that of last time."""
        for left in (3, 2, 1, 0):
            self.port = self.port or openssh.free_port()
            if self._start():
                return
            words = self._words()
            self.stop()
            assert left and "Address already in use" in words, f"sshd did not start:\n{words}"
            self.port = 0

    def stop(self) -> None:
        """Switch the machine off: sshd, and whatever was started through it, is killed."""
        process, self._process = self._process, None
        deadline = time.monotonic() + START_SECONDS
        while left := self.processes(process.pid if process else None):
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if process is not None:
                process.wait(START_SECONDS)
            assert time.monotonic() < deadline, f"still there: {left}"
            time.sleep(0.02)

    def processes(self, root: int | None = None) -> list[int]:
        """sshd's own (below `root`) and all that carry this pod's mark, also detached ones."""
        found: dict[int, None] = {}
        if root is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                top = psutil.Process(root)
                found |= {p.pid: None for p in (top, *top.children(recursive=True)) if _lives(p)}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if process.environ().get(_MARK) == str(self.folder) and _lives(process):
                    found[process.pid] = None
        return list(found)

    def bridges(self) -> list[int]:
        """The commands that carry a journal: `bridge`, or the `start` that goes on as one."""
        found = []
        for pid in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                words = psutil.Process(pid).cmdline()
                if "bridge" in words or "start" in words:
                    found.append(pid)
        return found

    def sessions(self) -> list[int]:
        """sshd's processes for the connections that stand (not the listener)."""
        assert self._process is not None
        below = psutil.Process(self._process.pid).children(recursive=True)
        return [p.pid for p in below if _about(p, lambda p: p.name().startswith("sshd"))]

    @property
    def pid(self) -> int:
        """The listener's."""
        assert self._process is not None
        return self._process.pid

    def _start(self) -> bool:
        config = self.folder / "sshd_config"
        config.write_text(self._config())
        openssh.check_config(self._sshd, config)
        command = [self._sshd, "-D", "-e", "-f", str(config)]
        if self._hide:
            mounts = [f"mount -t tmpfs -o mode=700 none {shlex.quote(str(p))}" for p in self._hide]
            script = " && ".join([*mounts, f"exec {shlex.join(command)}"])
            command = ["unshare", "--mount", "sh", "-c", script]
        with open(self.log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            # Asked of its log: a bare probe of the port would count as a failed login.
            if f"listening on {self.host} port {self.port}" in self._words():
                return True
            time.sleep(0.02)
        return False

    def _config(self) -> str:
        return "\n".join(
            [
                *self._lines,
                *openssh.OWN_LINES,
                f"Port {self.port}",
                f"ListenAddress {self.host}",
                f'HostKey "{self._host_key}"',
                f'AuthorizedKeysFile "{self.home}/.ssh/authorized_keys"',
                f"AllowUsers {self.user}",
                # Else the account's shell reads ~/.bashrc first (pyenv waits there for a lock).
                f'SetEnv HOME="{self.home}"',
                f"ForceCommand {shlex.quote(str(self.folder / 'session'))}",
                *openssh.version_lines(self._sshd),
                "",
            ]
        )

    def _words(self) -> str:
        return self.log.read_text("utf-8", "replace")


def laptops(daemon: OwnDaemon) -> list[Path]:
    """What a pod must not see of the laptop, where that can be had: data, sockets, our code."""
    if not can_hide():
        return []
    return [daemon.data, daemon.run, ROOT / "jupyter_remote_gpu", ROOT / "tests"]


@functools.cache
def can_hide() -> bool:
    """Whether a mount namespace can be had here."""
    if not sys.platform.startswith("linux") or os.getuid() or not shutil.which("unshare"):
        return False
    script = "mount -t tmpfs none /mnt"
    command = ["unshare", "--mount", "sh", "-c", script]
    return subprocess.run(command, capture_output=True, timeout=10).returncode == 0


def _lives(process: psutil.Process) -> bool:
    return _about(process, lambda p: p.status() != psutil.STATUS_ZOMBIE)


def _about(process: psutil.Process, question: Callable[[psutil.Process], bool]) -> bool:
    try:
        return question(process)
    except psutil.NoSuchProcess:
        return False
