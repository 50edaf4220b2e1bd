"""The magics in a kernel whose environment does not have the package."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager, start_new_kernel

from jupyter_remote_gpu.client.paths import data_folder
from tests.routes.inside import InsideServer
from tests.support.place import Place

PATIENCE = 60.0
PLACE = """
import sys
print(len(sys.path), sorted(n for n in get_ipython().user_ns if n[0] != "_"))
"""


@pytest.fixture
def bare_kernel(old_python: str, tmp_path: Path, place: Place) -> Iterator[BlockingKernelClient]:
    """Python 3.10 with ipykernel 6.29, and nothing of ours on its path."""
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    env |= {**place.daemon.env, "IPYTHONDIR": str(tmp_path)}
    env.pop("PYTHONPATH", None)
    command = [old_python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = tmp_path / "kernels" / "bare" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({"argv": command, "display_name": "", "language": "python"}))
    specs = KernelSpecManager(kernel_dirs=[str(tmp_path / "kernels")])
    manager = KernelManager(kernel_name="bare", kernel_spec_manager=specs)
    manager.start_kernel(env=env, cwd=str(tmp_path))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=PATIENCE)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def said(client: BlockingKernelClient, code: str, silent: bool = False) -> str:
    """What a cell prints; its error, if it has one."""
    texts: list[str] = []

    def hear(message: dict[str, object]) -> None:
        content = message["content"]
        assert isinstance(content, dict)
        texts.append(str(content.get("text", content.get("evalue", ""))))

    reply = client.execute_interactive(
        code, silent=silent, timeout=PATIENCE, output_hook=hear, allow_stdin=False
    )
    return "".join(texts) or str(reply["content"].get("evalue", ""))


def test_a_kernel_without_the_package_gets_the_magics_and_nothing_else(
    connected: InsideServer, bare_kernel: BlockingKernelClient
) -> None:
    client = bare_kernel
    assert "No module named" in said(client, "import jupyter_remote_gpu")
    before = said(client, PLACE)
    load = connected.ask("GET", "/about")["load_magics"]
    for _ in range(2):
        assert said(client, load, silent=True) == ""
    length, _, names = before.partition(" ")
    after = said(client, PLACE)
    assert after == f"{int(length) + 1} {names}"
    assert "No module named" in said(client, "import jupyter_remote_gpu.routes")
    assert "No module named" in said(client, "import asyncssh")
    assert "42" in said(client, "%%gpu pod\nprint(6 * 7)")


def test_where_the_package_is_it_is_used(connected: InsideServer, tmp_path: Path) -> None:
    load = connected.ask("GET", "/about")["load_magics"]
    manager, client = start_new_kernel(cwd=str(tmp_path))
    try:
        assert said(client, load, silent=True) == ""
        assert "magics" not in said(client, "import sys; print(sys.path)")
        assert "pod" in said(client, "%gpu status")
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_the_archive_is_ours_alone_and_mended(connected: InsideServer) -> None:
    connected.ask("GET", "/about")
    (path,) = (data_folder() / "magics").glob("*.zip")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    data = path.read_bytes()
    path.write_bytes(b"somebody else's")
    connected.ask("GET", "/about")
    assert path.read_bytes() == data
