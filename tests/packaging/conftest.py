"""The sdist and the wheel of this checkout, and an environment that has only the wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.support.packages import BIN, ROOT, build, run


@pytest.fixture(scope="session")
def no_node(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH on which there is no Node.js, but what a build may call."""
    folder = tmp_path_factory.mktemp("no-node")
    for name in ("git", "sh", "uname"):
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    assert not shutil.which("node", path=str(folder))
    return str(folder)


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is, or would be, committed; nothing in it is built."""
    copy = tmp_path_factory.mktemp("checkout") / "jupyter-remote-gpu"
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, capture_output=True, timeout=60, check=True)
    for name in done.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    assert not (copy / "jupyter_remote_gpu" / "_version.py").exists()
    return copy


@pytest.fixture(scope="session")
def sdist(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, with a front end built as for a release (with the packages that are here)."""
    source = tmp_path_factory.mktemp("source") / "jupyter-remote-gpu"
    shutil.copytree(checkout, source)
    modules = ROOT / "node_modules"
    (source / "node_modules").symlink_to(modules)
    run(modules / ".bin" / "tsc", cwd=source)
    path = os.pathsep.join((str(BIN), os.environ["PATH"]))
    run(BIN / "jupyter-builder", "build", ".", cwd=source, PATH=path)
    return build(source, "sdist", SKIP_JUPYTER_BUILDER="1")


@pytest.fixture(scope="session")
def wheel(sdist: Path, no_node: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the sdist where there is no Node.js."""
    folder = tmp_path_factory.mktemp("from-sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build(source, "wheel", PATH=no_node)


@pytest.fixture(scope="session")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel and JupyterLab, and nothing of this checkout."""
    folder = tmp_path_factory.mktemp("fresh") / "venv"
    code = "import environments; print(environments.uv())"
    uv = run(sys.executable, "-c", code, cwd=ROOT / "scripts").splitlines()[-1]
    run(uv, "venv", "--no-project", "--python", sys.executable, folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    words = (uv, "pip", "install", "--quiet", "--python", python, wheel, "jupyterlab")
    run(*words, cwd=folder.parent)
    return folder
