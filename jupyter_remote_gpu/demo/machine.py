"""The demo pod's machine: an sshd of its own, its keys, and the home that a session sees."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from ..errors import RemoteGPUError
from ..files import replace
from .openssh import OWN_LINES, check_config, find_sshd, free_port, make_key, version_lines

__all__ = ["Machine", "check_python", "pod_python"]

START_SECONDS = 10.0
CHECK_SECONDS = 60.0
"""The first start of a Python on a slow disk takes long."""

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


def pod_python(given: str | None) -> str:
    """The Python in which the demo pod's kernels run: the one named, else this one.

    Raises
    ------
    RemoteGPUError
        If there is none.
    """
    # Not resolved: the link in a virtual environment is what makes it one.
    python = os.path.abspath(os.path.expanduser(given)) if given else sys.executable
    if not os.access(python, os.X_OK) or os.path.isdir(python):
        raise RemoteGPUError(f"There is no Python at {python}. Name one with --python PATH.")
    return python


async def check_python(python: str) -> None:
    """See whether a kernel can run in `python`.

    Raises
    ------
    RemoteGPUError
        If it does not run or has no ipykernel.
    """
    check = "import importlib.util as u, sys; sys.exit(u.find_spec('ipykernel') is None)"
    quiet = asyncio.subprocess.DEVNULL
    try:
        # In a session of its own, so that a script around a Python can be ended with it.
        process = await asyncio.create_subprocess_exec(
            python, "-c", check, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except OSError as e:
        raise _no_python(python, e.strerror) from e
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            status = await process.wait()
    except TimeoutError as e:
        raise _no_python(python, f"it did not end within {CHECK_SECONDS:g} s") from e
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if status:
        raise RemoteGPUError(
            f"{python} has no ipykernel, so no kernel can run in it. Install it with "
            f"`{shlex.quote(python)} -m pip install ipykernel`, or name another Python with "
            "--python PATH."
        )


def _no_python(python: str, why: str | None) -> RemoteGPUError:
    return RemoteGPUError(
        f"{python} does not run as a Python does: {why}. Name another one with --python PATH."
    )


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
            make_key(key, comment, self._sshd)
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
            self.port = free_port()
            config = self.folder / "sshd_config"
            replace(config, self._config())
            check_config(self._sshd, config)
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

    def _config(self) -> str:
        def path(value: Path) -> str:
            return '"' + str(value).replace("%", "%%") + '"'

        pods_own = self.home / ".ssh" / "authorized_keys"  # as elsewhere: `key` puts ours there
        lines = [
            *OWN_LINES,
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f'HostKey "{self._host_key}"',
            f"AuthorizedKeysFile {path(self.folder / 'authorized_keys')} {path(pods_own)}",
            "PermitUserRC no",
            "LoginGraceTime 30",
            f"AllowUsers {self.user}",
            # The account's shell starts before the session's script, and would read its own
            # ~/.bashrc, whatever that prints or waits for.
            f'SetEnv HOME="{self.home}"',
            f"ForceCommand {shlex.quote(str(self.folder / 'session'))}",
            *version_lines(self._sshd),
        ]
        return "\n".join(lines) + "\n"

    def _start(self, config: Path) -> bool:
        """Start sshd under its warden; True once it listens."""
        with open(os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as log:
            self._warden = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", str(Path(__file__).with_name("warden.py"))),
                    *(
                        "--marker",
                        str(self.folder),
                        "--",
                        self._sshd,
                        "-D",
                        "-e",
                        "-f",
                        str(config),
                    ),
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
