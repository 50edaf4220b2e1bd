"""What is in the sdist and in the wheel, and that Jupyter takes the wheel where no Node.js is."""

from __future__ import annotations

import gzip
import json
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from jupyter_remote_gpu import __version__
from tests.support.packages import run

DATA = f"jupyter_remote_gpu-{__version__}.data/data"
LABEXTENSION = f"{DATA}/share/jupyter/labextensions/jupyter-remote-gpu"
BUNDLE_BYTES = 60_000
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture(scope="module")
def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_has_the_package(files: dict[str, bytes], checkout: Path) -> None:
    package = checkout / "jupyter_remote_gpu"
    ours = {str(p.relative_to(checkout)) for p in package.rglob("*") if p.is_file()}
    assert f'"{__version__}"' in files["jupyter_remote_gpu/_version.py"].decode().replace("'", '"')
    inside = {n for n in files if n.startswith("jupyter_remote_gpu/")}
    assert inside == ours | {"jupyter_remote_gpu/_version.py"}


def test_the_wheel_has_what_jupyter_looks_for(files: dict[str, bytes]) -> None:
    config = json.loads(
        files[f"{DATA}/etc/jupyter/jupyter_server_config.d/jupyter_remote_gpu.json"]
    )
    assert config == {"ServerApp": {"jpserver_extensions": {"jupyter_remote_gpu": True}}}
    install = json.loads(files[f"{LABEXTENSION}/install.json"])
    assert set(install) == {"packageManager", "packageName", "uninstallInstructions"}
    built = json.loads(files[f"{LABEXTENSION}/package.json"])
    entry = built["jupyterlab"]["_build"]["load"]
    assert f"{LABEXTENSION}/{entry}" in files
    assert f"{LABEXTENSION}/static/style.js" in files


def test_the_wheel_has_nothing_else(files: dict[str, bytes]) -> None:
    ours = ("jupyter_remote_gpu/", f"jupyter_remote_gpu-{__version__}.dist-info/")
    wrong = [
        name
        for name in files
        if not name.startswith((*ours, f"{LABEXTENSION}/", f"{DATA}/etc/jupyter/"))
        or name.endswith((".map", ".pyc", ".ts"))
    ]
    assert not wrong


def test_the_bundle_is_small(files: dict[str, bytes]) -> None:
    scripts = {
        name: len(gzip.compress(body))
        for name, body in files.items()
        if name.startswith(f"{LABEXTENSION}/static/") and name.endswith(".js")
    }
    assert scripts
    assert sum(scripts.values()) <= BUNDLE_BYTES, scripts


def test_the_sdist_has_sources_and_the_built_front_end(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= {
        "LICENSE",
        "PKG-INFO",
        "hatch_build.py",
        "jupyter_remote_gpu/labextension/package.json",
        "jupyter_remote_gpu/labextension/static/style.js",
        "package.json",
        "scripts/node.py",
        "src/index.ts",
        "tests/conftest.py",
        "tsconfig.json",
        "ui-tests/package.json",
        "yarn.lock",
    }
    unwanted = ("node_modules", "lib", ".venv", ".ci", "benchmarks", "dist")
    assert not {name for name in names if name.split("/")[0] in unwanted}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("server extension list", rf"jupyter_remote_gpu {re.escape(__version__)} .*OK"),
        ("labextension list", r"jupyter-remote-gpu v\S+ .*enabled .*OK"),
    ],
)
def test_jupyter_says_ok_without_node(fresh: Path, no_node: str, words: str, line: str) -> None:
    path = f"{fresh / 'bin'}:{no_node}"
    said = COLOUR.sub("", run(fresh / "bin" / "jupyter", *words.split(), cwd=fresh, PATH=path))
    assert re.search(line, said), said


def test_the_command_line_of_the_wheel(fresh: Path, no_node: str) -> None:
    path = f"{fresh / 'bin'}:{no_node}"
    said = run(fresh / "bin" / "jupyter", "remote-gpu", "--version", cwd=fresh, PATH=path)
    assert said.strip() == __version__
