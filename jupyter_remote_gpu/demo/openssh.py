"""OpenSSH's server and its tools on this machine: where they are, and what each version wants."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

from ..errors import RemoteGPUError

__all__ = ["OWN_LINES", "check_config", "find_sshd", "free_port", "make_key", "version_lines"]

_SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/sbin")
_SFTP = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
    "/opt/homebrew/opt/openssh/libexec/sftp-server",
)
OWN_LINES = (
    "PidFile none",
    # Our folder is 0700, but a folder above it may be shared (/tmp, in tests).
    "StrictModes no",
    "UsePAM no",
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "PermitUserEnvironment no",
    "X11Forwarding no",
    "PrintMotd no",
    "PrintLastLog no",
)
"""Of sshd_config, for a server that one user starts for itself."""


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


def version_lines(sshd: str) -> list[str]:
    """Lines of sshd_config that depend on what this OpenSSH has.

    From 9.8 on it shuts out an address whose connections do not authenticate; here all of
    them come from the loopback, those that a cut ended among them.
    """
    done = subprocess.run(
        [sshd, "-V"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30
    )
    # An older sshd does not know -V, and says its version in the complaint.
    found = re.search(r"OpenSSH_(\d+)\.(\d+)", done.stderr + done.stdout)
    lines = []
    if found and (int(found[1]), int(found[2])) >= (9, 8):
        lines.append("PerSourcePenalties no")
    # Not internal-sftp: a ForceCommand would replace it, and it starts in the account's home.
    lines += [f"Subsystem sftp {p}" for p in _SFTP if os.access(p, os.X_OK)][:1]
    return lines


def check_config(sshd: str, config: Path) -> None:
    """Let sshd read its configuration; as root make the folder that a booted system has.

    Raises
    ------
    RemoteGPUError
        With what it finds wrong.
    """
    for _ in range(2):
        done = subprocess.run(
            [sshd, "-t", "-f", str(config)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
        )
        if done.returncode == 0:
            return
        missing = re.search(r"Missing privilege separation directory: (\S+)", done.stderr)
        if not (missing and os.getuid() == 0):
            break
        Path(missing.group(1)).mkdir(mode=0o755, parents=True, exist_ok=True)
    raise RemoteGPUError(f"sshd refuses its configuration: {done.stderr.strip()}")


def make_key(path: Path, comment: str, sshd: str) -> None:
    """Make an ed25519 key at `path` if there is none.

    Raises
    ------
    RemoteGPUError
        If ssh-keygen is missing or fails.
    """
    if path.exists() and path.with_suffix(".pub").exists():
        return
    path.unlink(missing_ok=True)
    beside = Path(sshd).parent.parent / "bin"
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


def free_port() -> int:
    """A port of the loopback that nobody listened on a moment ago."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
