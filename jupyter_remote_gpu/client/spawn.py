"""Starting the daemon on demand: ten faces at once get one."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ..errors import DaemonError
from .paths import check_socket_folder, data_folder, recorded_daemon, socket_path

START_SECONDS = 20.0
"""How long a daemon may take until its socket is there."""
STOP_SECONDS = 10.0
"""How long an older daemon may take to stop before it is killed."""
LOG_LINES = 15


def daemon_socket() -> Path:
    """Where to connect: the socket that the last daemon wrote down, else the usual one.

    Raises
    ------
    DaemonError
        If the socket's folder is not ours alone.
    """
    recorded = recorded_daemon()
    if recorded is not None and isinstance(recorded.get("socket"), str):
        path = Path(recorded["socket"])
        if path.exists():
            check_socket_folder(path.parent, make=False)
            return path
    return socket_path()


def connectable() -> bool:
    """Whether a daemon takes connections right now."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(5)
        try:
            s.connect(str(daemon_socket()))
        except OSError:
            return False
        return True


def start_daemon(timeout: float = START_SECONDS) -> None:
    """Start the daemon unless one takes connections already (blocks: call it in a thread).

    Parameters
    ----------
    timeout : float
        Seconds.

    Raises
    ------
    DaemonError
        If none can be had; the message ends with the last lines of its log.
    """
    deadline = time.monotonic() + timeout
    with spawn_lock(deadline):
        if not connectable():
            _spawn(deadline)


def replace_daemon(pid: int, timeout: float = START_SECONDS) -> None:
    """End the older daemon `pid` and start ours (blocks). Kernels on pods go on.

    Raises
    ------
    DaemonError
        If the older one does not end, or ours does not start.
    """
    deadline = time.monotonic() + timeout
    with spawn_lock(deadline):
        recorded = recorded_daemon()
        if recorded is None or recorded.get("pid") == pid:
            _end(pid)
        if not connectable():
            _spawn(deadline)


@contextlib.contextmanager
def spawn_lock(deadline: float) -> Iterator[None]:
    """Only one face at a time starts or ends a daemon."""
    fd = os.open(data_folder() / "spawn.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DaemonError(
                        "Another process has been starting the daemon for too long. See "
                        f"{data_folder() / 'daemon.log'}, then try again."
                    ) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(fd)


def daemon_command() -> tuple[list[str], dict[str, str]]:
    """Arguments and environment that start the daemon.

    Raises
    ------
    DaemonError
        If no Python is known that has what the daemon needs.
    """
    python, root = sys.executable, str(Path(__file__).resolve().parents[2])
    if sys.version_info < (3, 11) or importlib.util.find_spec("asyncssh") is None:
        recorded = recorded_daemon() or {}
        python, root = str(recorded.get("python", "")), str(recorded.get("root", ""))
        if not os.access(python, os.X_OK):
            raise DaemonError(
                f"{sys.executable} cannot run the daemon (Python 3.11 and asyncssh are needed), "
                "and no other Python has run it before. Run `jupyter remote-gpu daemon start` "
                "in the environment in which jupyter-remote-gpu is installed."
            )
    env = dict(os.environ)
    # A source checkout is not installed: tell the child where the package lies.
    path = [p for p in env.get("PYTHONPATH", "").split(os.pathsep) if p]
    if not root.endswith("-packages") and root not in path:
        env["PYTHONPATH"] = os.pathsep.join([*path, root])
    return [python, "-m", "jupyter_remote_gpu.daemon"], env


def log_tail(start: int = 0, lines: int = LOG_LINES) -> str:
    """The last lines of the daemon's log from byte `start` on."""
    try:
        with open(data_folder() / "daemon.log", "rb") as f:
            end = f.seek(0, os.SEEK_END)
            f.seek(max(start if start <= end else 0, end - 65536))
            text = f.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def _spawn(deadline: float) -> None:
    command, env = daemon_command()
    log = os.open(
        data_folder() / "daemon.log",
        os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC,
        0o600,
    )
    start = os.fstat(log).st_size
    # The pipe says "ready", or closes with the daemon that failed. The child forks once more,
    # so that the daemon is nobody's zombie.
    ready, theirs = os.pipe()
    try:
        try:
            launcher = subprocess.Popen(
                [*command, "--ready-fd", str(theirs)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=env,
                pass_fds=(theirs,),
                start_new_session=True,
            )
        except OSError as e:
            raise DaemonError(f"The daemon cannot be started: {e.strerror} ({command[0]}).") from e
        finally:
            os.close(log)
            os.close(theirs)
        answer = _read_answer(ready, deadline)
        if not answer.startswith(b"ready"):
            launcher.kill()
        launcher.wait(timeout=10)
    finally:
        os.close(ready)
    if answer.startswith(b"ready") or connectable():
        return
    what = "did not become ready in time" if answer == b"late" else "ended while it started"
    tail = log_tail(start) or "(it wrote nothing)"
    raise DaemonError(
        f"The daemon {what}. Its log, {data_folder() / 'daemon.log'}, ends with:\n{tail}"
    )


def _read_answer(fd: int, deadline: float) -> bytes:
    left = max(0.0, deadline - time.monotonic())
    if not select.select([fd], [], [], left)[0]:
        return b"late"
    return os.read(fd, 64)


def _end(pid: int) -> None:
    for sig, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            return
        except PermissionError as e:
            raise DaemonError(f"The older daemon (process {pid}) cannot be ended.") from e
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.01)
    raise DaemonError(f"The older daemon (process {pid}) does not end. End it, then try again.")
