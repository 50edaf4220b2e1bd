"""Fixtures of all tests: the pod's Python, short folders, nothing of the user's, no leftovers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parent.parent
MARK = "JRG_TEST_SESSION"
LEFTOVER_SECONDS = 30.0
_VARIABLES = (
    "JUPYTER_DATA_DIR",
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
    "XDG_RUNTIME_DIR",
    "IPYTHONDIR",
)


def _python(variable: str, folder: str) -> str:
    path = os.environ.get(variable) or str(ROOT / folder / "bin" / "python")
    if not Path(path).exists():
        pytest.fail(f"There is no {path}: run `make environments`, or set {variable}.")
    return path


# pytest-xdist's workers ignore it, and so would every process that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def pod_python() -> str:
    """The Python of the pods: another environment than ours, 3.12 or newer."""
    python = _python("JRG_POD_PYTHON", ".venv-pod")
    code = "import sys; print(sys.version_info >= (3, 12))"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30)
    if done.stdout.strip() != "True":
        pytest.fail(f"{python} is not Python 3.12 or newer.")
    return python


@pytest.fixture(scope="session")
def old_python() -> str:
    """Python 3.10 with ipykernel 6.29: the oldest pod."""
    if (ROOT / ".venv-old" / "MISSING").exists():
        pytest.skip("there is no Python 3.10 on this machine")
    return _python("JRG_OLD_PYTHON", ".venv-old")


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A folder whose path is short: a socket's may have only about 100 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="jrg-t"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def nothing_of_the_users() -> Iterator[None]:
    """Jupyter's folders lie in a place of this run, also for the processes it starts."""
    with tempfile.TemporaryDirectory(prefix="jrg-s") as folder, pytest.MonkeyPatch.context() as m:
        for name in _VARIABLES:
            path = Path(folder, name.lower())
            path.mkdir(mode=0o700)
            m.setenv(name, str(path))
        m.delenv("SSH_AUTH_SOCK", raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_behind(nothing_of_the_users: None) -> Iterator[None]:
    """Every process that a test started is gone at the end (it carries a mark)."""
    mark = uuid.uuid4().hex
    os.environ[MARK] = mark
    yield
    end = time.monotonic() + LEFTOVER_SECONDS
    while left := _marked(mark):
        if time.monotonic() > end:
            lines = "\n".join(f"{p.pid} {' '.join(p.cmdline())[:200]}" for p in left)
            for process in left:
                process.kill()
            pytest.fail(f"these processes were left behind:\n{lines}")
        time.sleep(0.2)
    del os.environ[MARK]


def _marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            if process.pid != os.getpid() and alive and process.environ().get(MARK) == mark:
                found.append(process)
        except psutil.Error:
            continue  # it ended meanwhile, or is not ours
    return found
