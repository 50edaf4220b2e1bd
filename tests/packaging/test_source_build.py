"""Building from a checkout: one place has the version, and what is missing is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from jupyter_remote_gpu import __version__
from tests.support.packages import BIN, ROOT, build

VERSION = json.loads((ROOT / "package.json").read_text("utf-8"))["version"]


def test_the_version_is_that_of_package_json() -> None:
    assert VERSION.replace("-", "") == __version__
    assert metadata.version("jupyter-remote-gpu") == __version__


def test_no_other_file_has_the_version(checkout: Path) -> None:
    has_it = [
        str(path.relative_to(checkout))
        for path in checkout.rglob("*")
        if path.is_file()
        and path.suffix in {".py", ".toml", ".json", ".ts", ".tsx", ".js", ".yml", ".yaml", ".md"}
        and any(v in path.read_text("utf-8") for v in (VERSION, __version__))
    ]
    assert has_it == ["package.json"]


def test_importing_the_package_needs_and_costs_nothing() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules);"
        "import jupyter_remote_gpu as ours; ours._jupyter_labextension_paths();"
        "print(*sorted(set(sys.modules) - before))"
    )
    words = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True)
    new = {n for n in done.stdout.split() if n.split(".")[0] not in sys.stdlib_module_names}
    assert new == {"jupyter_remote_gpu", "jupyter_remote_gpu._version"}


def old_node(folder: Path) -> str:
    node = folder / "node"
    node.write_text("#!/bin/sh\necho v18.19.0\n")
    node.chmod(0o755)
    return str(folder)


@pytest.mark.parametrize("is_old", [False, True], ids=["no Node.js", "an old one"])
@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_without_a_fit_node_it_says_so(
    checkout: Path, no_node: str, tmp_path: Path, is_old: bool, kind: str
) -> None:
    path = os.pathsep.join(([old_node(tmp_path)] if is_old else []) + [no_node])
    words = ("-m", "build", f"--{kind}", "--no-isolation", "--outdir", str(tmp_path / "dist"))
    done = subprocess.run(
        [sys.executable, *words],
        cwd=checkout,
        env={**os.environ, "PATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    found = "node is version v18.19.0" if is_old else "Node.js was not found"
    assert found in done.stdout
    assert "takes Node.js 20.19 or newer" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.long
def test_a_wheel_from_a_checkout_with_node(checkout: Path) -> None:
    """By itself: the packages of yarn.lock, then a build for release, not what lay there."""
    stale = checkout / "jupyter_remote_gpu" / "labextension" / "static" / "style.js"
    stale.parent.mkdir(parents=True)
    stale.write_text("stale")
    path = os.pathsep.join((str(BIN), os.environ["PATH"]))
    with zipfile.ZipFile(build(checkout, "wheel", PATH=path)) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/static/style.js"))
        assert archive.read(name) != b"stale"
        assert not [n for n in archive.namelist() if n.endswith(".map")]
