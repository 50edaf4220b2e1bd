"""Fixtures of the tests that need a pod's Python, with ssh and without."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.mixed import Plain
from tests.support.bench import Bench, open_bench
from tests.support.keeper import PATIENCE, Bridge, PodCommands


@pytest.fixture
def commands(pod_python: str, short_tmp: Path) -> Iterator[PodCommands]:
    """Pod commands in a home of their own; what they leave running is ended."""
    pod = PodCommands(pod_python, short_tmp)
    yield pod
    for kernel in pod.run("list")["kernels"]:
        if kernel["alive"]:
            os.kill(pod.kernel_info(kernel["id"])["keeper_pid"], signal.SIGTERM)
    end = time.monotonic() + PATIENCE
    while any(k["alive"] for k in pod.run("list")["kernels"]):
        assert time.monotonic() < end, "a keeper did not end"
    pod.close()


@pytest.fixture
def kernel(commands: PodCommands) -> Iterator[Bridge]:
    bridge = commands.start()
    yield bridge
    if not bridge.ended:
        bridge.close()


@pytest.fixture(scope="session")
def plain(pod_python: str) -> Plain:
    """A kernel without us, to compare with."""
    return Plain(pod_python)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, pod_python: str) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="jrg-") as short:  # sockets have short paths only
        yield from open_bench(Path(short), tmp_path_factory.mktemp("notebooks"), pod_python)
