"""GPU memory of kernels, by a program that answers as nvidia-smi does (untried on a real GPU)."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from jupyter_remote_gpu.pod import gpu
from tests.support.keeper import PodCommands

FORK = "import subprocess; child = subprocess.Popen(['sleep', '300'])\nprint(child.pid)"


@pytest.fixture
def rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the program prints."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\ntest "$*" = "--query-compute-apps=pid,used_memory '
        f'--format=csv,noheader,nounits" || exit 2\ncat {tmp_path}/rows\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return tmp_path / "rows"


def test_a_kernel_has_the_memory_of_its_whole_group(rows: Path, commands: PodCommands) -> None:
    kernel, other = commands.start(), commands.start()
    child = int(kernel.text(kernel.run(FORK)["execution"]))
    pid = commands.kernel_info(kernel.kernel)["pid"]
    rows.write_text(
        f"{pid}, 1200\n{child}, 30\n{pid}, 4\n{os.getpid()}, 7\n999999999, 5\n{child}, [N/A]\n"
        "[Insufficient Permissions], 5\n\nrubbish\n"
    )
    listed = {k["id"]: k["gpu_memory"] for k in commands.run("list")["kernels"]}
    assert listed == {kernel.kernel: 1234 << 20, other.kernel: None}
    rows.write_text("")
    assert {k["gpu_memory"] for k in commands.run("list")["kernels"]} == {None}


def test_without_an_answer_there_is_none(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gpu.memory_by_group() == {}  # it fails
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(gpu, "SECONDS", 0.3)
    began = time.monotonic()
    assert gpu.memory_by_group() == {}
    assert time.monotonic() - began < 3
    monkeypatch.setenv("PATH", "/nonexistent")
    assert gpu.memory_by_group() == {}
