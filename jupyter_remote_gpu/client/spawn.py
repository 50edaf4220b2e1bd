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
from . import lock
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
    recorded = recorded_daemon().get("socket")
    if isinstance(recorded, str):
        path = Path(recorded)
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
    with spawn_lock(time.monotonic() + timeout):
        if not connectable():
            # The runtime folder goes at logout, and a temporary one is tidied: its socket with it.
            _end_holder()
            _spawn(time.monotonic() + timeout)


def end_unreachable(timeout: float = START_SECONDS) -> bool:
    """End a daemon whose socket is gone (blocks); whether there was one. Kernels go on.

    Raises
    ------
    DaemonError
        If it does not end, or belongs to another machine that shares the data folder.
    """
    with spawn_lock(time.monotonic() + timeout):
        return not connectable() and _end_holder()


def end_daemon(timeout: float = START_SECONDS) -> None:
    """End the daemon of whatever version (blocks). Kernels go on.

    Raises
    ------
    DaemonError
        If it does not end, or belongs to another machine that shares the data folder.
    """
    with spawn_lock(time.monotonic() + timeout):
        _end_holder()


def wait_ended() -> None:
    """Wait until a daemon that was told to end has ended (blocks).

    Raises
    ------
    DaemonError
        If it has not after `STOP_SECONDS`.
    """
    fd = lock.take(data_folder(), STOP_SECONDS)
    if fd is None:
        raise DaemonError(
            "The daemon was told to end and has not yet: see `jupyter remote-gpu log`."
        )
    os.close(fd)


def replace_daemon(pid: int, timeout: float = START_SECONDS) -> None:
    """End the older daemon `pid` and start ours (blocks). Kernels on pods go on.

    Raises
    ------
    DaemonError
        If the older one does not end, or ours does not start.
    """
    with spawn_lock(time.monotonic() + timeout):
        found = lock.holder(data_folder())
        if found is not None and found.pid == pid:
            _end(pid)
        if not connectable():
            _spawn(time.monotonic() + timeout)


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
        recorded = recorded_daemon()
        python, root = str(recorded.get("python", "")), str(recorded.get("root", ""))
        if not os.access(python, os.X_OK):
            raise DaemonError(
                f"{sys.executable} cannot run the daemon (Python 3.11 and asyncssh are needed), "
                "and no other Python has run it before. Run `jupyter remote-gpu daemon start` "
                "in the environment in which jupyter-remote-gpu is installed."
            )
    # The daemon lives in another folder: what is relative here would be elsewhere there.
    env = {**os.environ, "JUPYTER_DATA_DIR": str(data_folder().parent)}
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
    answers = select.poll()  # select() takes none above 1023, which a Jupyter Server may reach
    answers.register(fd, select.POLLIN)
    if not answers.poll(max(0.0, deadline - time.monotonic()) * 1000):
        return b"late"
    return os.read(fd, 64)


def _end_holder() -> bool:
    found = lock.holder(data_folder())
    if found is None:
        return False
    if found.pid is None:
        raise DaemonError(
            f"The folder {data_folder()} is in use by a daemon of another machine or container "
            f"({found.host}). Stop it there (`jupyter remote-gpu daemon stop`), or set "
            "JUPYTER_DATA_DIR to a folder of this machine."
        )
    _end(found.pid)
    return True


def _end(pid: int) -> None:
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            pass  # it has just ended, and so does its hold on the lock
        except PermissionError as e:
            raise DaemonError(f"The older daemon (process {pid}) cannot be ended.") from e
        # Its lock tells: in a container whose first process does not reap, a process that
        # ended can still be signalled.
        fd = lock.take(data_folder(), STOP_SECONDS)
        if fd is not None:
            os.close(fd)
            return
    raise DaemonError(f"The older daemon (process {pid}) does not end. End it, then try again.")
