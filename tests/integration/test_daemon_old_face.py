"""A face in an older Python, without asyncssh: it starts the daemon in the Python that has it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jupyter_remote_gpu.client import spawn
from tests.support.daemon import own_daemon

ASK = """
from jupyter_remote_gpu.client.threaded import Face
face = Face(kind="test")
try:
    print(face.request("snapshot")["daemon"]["pid"])
finally:
    face.close()
"""


def test_a_face_without_asyncssh_uses_the_python_of_the_last_daemon(
    short_tmp: Path, old_python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_daemon(short_tmp, monkeypatch) as daemon:

        def ask() -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [old_python, "-W", "error", "-c", ASK],
                env={**os.environ, **daemon.env},
                cwd="/",
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        first = ask()
        assert first.returncode == 1
        assert "no other Python has run it before" in first.stderr
        spawn.start_daemon()
        assert ask().stdout.strip() == str(daemon.pid)
        daemon.kill()
        assert ask().stdout.strip() == str(daemon.pid)
        assert daemon.processes() == [daemon.pid]
