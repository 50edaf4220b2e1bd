"""The demo pod's machine: an sshd of its own, its keys, and the home that a session sees."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from ..errors import RemoteGPUError
from ..files import replace

__all__ = ["Machine", "find_sshd", "pod_python"]

START_SECONDS = 10.0
_SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/sbin")
_SFTP = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/opt/homebrew/opt/openssh/libexec/sftp-server",
)

# HOME by SetEnv alone leaves the working folder at the account's home, so that a relative scp
# (and Mutagen) would write there: a session begins in its own home.
_SESSION = """\
#!/bin/sh
HOME={home}
PATH={path}
JRG_DEMO_POD={marker}
export HOME PATH JRG_DEMO_POD
cd "$HOME" || exit 1
if [ -z "${{SSH_ORIGINAL_COMMAND+set}}" ]; then
    exec "${{SHELL:-/bin/sh}}" -l
fi
command=$SSH_ORIGINAL_COMMAND
unset SSH_ORIGINAL_COMMAND
exec "${{SHELL:-/bin/sh}}" -c "$command"
"""


def find_sshd() -> str:
    """OpenSSH's server on this machine.

    Raises
    ------
    RemoteGPUError
        If there is none; with the command that installs it.
    """
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SBIN))
    found = shutil.which("sshd", path=path)
    if found is None:
        raise RemoteGPUError(
            "OpenSSH's server (sshd) is not on this machine, and the demo pod needs it. On Debian "
            "and Ubuntu: sudo apt-get install openssh-server"
        )
    return os.path.realpath(found)


def pod_python(given: str | None) -> str:
    """The Python in which the demo pod's kernels run: the one named, else this one.

    Raises
    ------
    RemoteGPUError
        If it does not run or has no ipykernel.
    """
    # Not resolved: the link in a virtual environment is what makes it one.
    python = os.path.abspath(os.path.expanduser(given)) if given else sys.executable
    if not os.access(python, os.X_OK) or os.path.isdir(python):
        raise RemoteGPUError(f"There is no Python at {python}. Name one with --python PATH.")
    check = "import importlib.util as u, sys; sys.exit(u.find_spec('ipykernel') is None)"
    done = subprocess.run(
        [python, "-c", check], capture_output=True, stdin=subprocess.DEVNULL, timeout=60
    )
    if done.returncode:
        raise RemoteGPUError(
            f"{python} has no ipykernel, so no kernel can run in it. Install it with "
            f"`{shlex.quote(python)} -m pip install ipykernel`, or name another Python with "
            "--python PATH."
        )
    return python


class Machine:
    """Files below `folder` (0700), and the process that keeps sshd.

    Parameters
    ----------
    folder : Path
        Where keys, configuration and the pod's home lie; kept from one demo to the next.
    python : str
        Its folder comes first on the pod's PATH.
    """

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.key = folder / "key"
        self.user = pwd.getpwuid(os.getuid()).pw_name
        self.port = 0
        self._host_key = folder / "host_key"
        self._log = folder / "sshd.log"
        self._python = python
        self._sshd = find_sshd()
        self._warden: subprocess.Popen[bytes] | None = None

    @property
    def host_key(self) -> str:
        """The host's public key, as a line of OpenSSH."""
        return self._host_key.with_suffix(".pub").read_text("ascii").strip()

    def start(self) -> None:
        """Write what sshd needs and start it on a free port (blocks, at most 10 s a try).

        Raises
        ------
        RemoteGPUError
            If it does not start; with its last words.
        """
        self.home.mkdir(mode=0o700, exist_ok=True)
        for key, comment in ((self.key, "demo"), (self._host_key, "demo host")):
            self._make_key(key, comment)
        replace(self.folder / "authorized_keys", self.key.with_suffix(".pub").read_bytes())
        session = self.folder / "session"
        path = f"{Path(self._python).parent}:/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
        replace(
            session,
            _SESSION.format(
                home=shlex.quote(str(self.home)),
                path=shlex.quote(path),
                marker=shlex.quote(str(self.folder)),
            ),
        )
        session.chmod(0o700)
        for left in (3, 2, 1, 0):
            self.port = _free_port()
            config = self.folder / "sshd_config"
            replace(config, self._config())
            self._check(config)
            if self._start(config):
                return
            if not left or "Address already in use" not in self._words():
                self.stop()
                raise RemoteGPUError(f"sshd did not start. It said:\n{self._words()}")

    def alive(self) -> bool:
        """Whether sshd still runs."""
        return self._warden is not None and self._warden.poll() is None

    def stop(self) -> None:
        """Switch the machine off: sshd and everything that was started through it ends."""
        warden, self._warden = self._warden, None
        if warden is not None:
            assert warden.stdin is not None
            warden.stdin.close()
            try:
                warden.wait(15)
            except subprocess.TimeoutExpired:
                warden.kill()
                warden.wait(5)

    def _make_key(self, path: Path, comment: str) -> None:
        if path.exists() and path.with_suffix(".pub").exists():
            return
        path.unlink(missing_ok=True)
        beside = Path(self._sshd).parent.parent / "bin"
        keygen = shutil.which("ssh-keygen") or shutil.which("ssh-keygen", path=str(beside))
        if keygen is None:
            raise RemoteGPUError("ssh-keygen is missing: install OpenSSH's client.")
        done = subprocess.run(
            [keygen, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode:
            raise RemoteGPUError(f"ssh-keygen failed: {done.stderr.strip() or done.stdout.strip()}")

    def _config(self) -> str:
        def path(value: Path) -> str:
            return '"' + str(value).replace("%", "%%") + '"'

        sftp = next((p for p in _SFTP if os.access(p, os.X_OK)), None)
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f'HostKey "{self._host_key}"',
            "PidFile none",
            f"AuthorizedKeysFile {path(self.folder / 'authorized_keys')}",
            # Our folder is 0700, but a folder above it may be shared (/tmp, in tests).
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "PermitUserEnvironment no",
            "PermitUserRC no",
            "X11Forwarding no",
            "PrintMotd no",
            "PrintLastLog no",
            "LoginGraceTime 30",
            f"AllowUsers {self.user}",
            # The account's shell starts before the session's script, and would read its own
            # ~/.bashrc, whatever that prints or waits for.
            f'SetEnv HOME="{self.home}"',
            f"ForceCommand {shlex.quote(str(self.folder / 'session'))}",
        ]
        # Not internal-sftp: a ForceCommand would replace it, and it starts in the account's home.
        if sftp:
            lines.append(f"Subsystem sftp {sftp}")
        return "\n".join(lines) + "\n"

    def _check(self, config: Path) -> None:
        """Let sshd read its configuration; make the folder that a booted system would have."""
        for again in (True, False):
            done = subprocess.run(
                [self._sshd, "-t", "-f", str(config)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=30,
            )
            if done.returncode == 0:
                return
            missing = re.search(r"Missing privilege separation directory: (\S+)", done.stderr)
            if not (again and missing and os.getuid() == 0):
                break
            Path(missing.group(1)).mkdir(mode=0o755, parents=True, exist_ok=True)
        raise RemoteGPUError(f"sshd refuses its configuration: {done.stderr.strip()}")

    def _start(self, config: Path) -> bool:
        """Start sshd under its warden; True once it listens."""
        with open(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
            self._warden = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(Path(__file__).with_name("warden.py"))),
                    *(str(self.folder), "--", self._sshd, "-D", "-e", "-f", str(config)),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._warden.poll() is None:
            # Asked of its log: a bare probe of its port would count as a failed login.
            if f"listening on 127.0.0.1 port {self.port}" in self._words():
                return True
            time.sleep(0.02)
        return False

    def _words(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self._log.read_text("utf-8", "replace")[-2000:].strip()
        return ""


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
