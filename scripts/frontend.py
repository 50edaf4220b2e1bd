"""The front end of a checkout: its packages, its build, and where Jupyter finds it.

jlpm (yarn, of jupyter-builder) is in ``.venv``; Node.js is the machine's. What was done is
stamped in ``.venv`` with the hash of what it was made from, so that the second time costs nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from pathlib import Path

import node
from shell import PYTHON, ROOT, Missing, apt, clean_environment, run

BIN = PYTHON.parent
UI_TESTS = ROOT / "ui-tests"
BUILT = ROOT / "jupyter_remote_gpu" / "labextension" / "package.json"
NAME = "jupyter-remote-gpu"
LABEXTENSIONS = Path("share", "jupyter", "labextensions")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_BROWSERS = ("Google Chrome", "Chromium")


def _hash(*paths: Path) -> str:
    """Of the files, and of all files in the folders, with their names."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _stamp(kind: str, text: str) -> Path:
    return BIN.parent / f".front-{kind}-{text}"


def _set(stamp: Path, kind: str) -> None:
    for old in stamp.parent.glob(f".front-{kind}-*"):
        old.unlink()
    stamp.touch()


def _tool(name: str, *words: str, cwd: Path = ROOT) -> None:
    """Run a tool of ``.venv`` that looks for others, and for Node.js, on PATH."""
    path = os.pathsep.join((str(BIN), clean_environment()["PATH"]))
    run(BIN / name, *words, cwd=cwd, PATH=path)


def check_node() -> None:
    """Stop in a sentence where Node.js is missing or too old."""
    trouble = node.trouble()
    if trouble is None:
        return
    if not (shutil.which("node") or shutil.which("nodejs")):
        apt("nodejs", "Node.js is missing; the JupyterLab panel is built with it")
        trouble = node.trouble()
    if trouble:
        raise Missing(
            f"{trouble} The JupyterLab panel is built with {node.NEEDED}: "
            "install it from your system, conda or nodejs.org."
        )


def _packages(kind: str, folder: Path) -> None:
    stamp = _stamp(kind, _hash(folder / "package.json", folder / "yarn.lock", ROOT / ".yarnrc.yml"))
    if not (stamp.exists() and (folder / "node_modules" / ".yarn-state.yml").exists()):
        check_node()
        _tool("jlpm", "install", cwd=folder)
        _set(stamp, kind)


def packages() -> None:
    """``node_modules``: what builds, lints and tests the front end."""
    _packages("packages", ROOT)


def ui_packages() -> None:
    """``ui-tests/node_modules``: Playwright and Galata."""
    _packages("ui", UI_TESTS)


def built() -> None:
    """Build the front end, and link it into ``.venv``."""
    packages()
    made_from = [ROOT / n for n in ("src", "style", "schema", "package.json", "yarn.lock")]
    stamp = _stamp("built", _hash(*made_from, ROOT / "tsconfig.json"))
    if not (stamp.exists() and BUILT.exists()):
        check_node()
        _tool("jlpm", "build:prod")
        _set(stamp, "built")
    link()


def link(environment: Path = BIN.parent) -> None:
    """Show what was built to an environment's Jupyter, if anything was."""
    folder = environment / LABEXTENSIONS
    if BUILT.exists() and not (folder / NAME).is_symlink():
        place = {"sys_prefix": False, "labextensions_dir": folder}
        options = [f"--DevelopLabExtensionApp.{name}={value}" for name, value in place.items()]
        _tool("jupyter-builder", "develop", "--overwrite", *options, str(ROOT))


def unlink(environment: Path = BIN.parent) -> None:
    """Before an editable install, which would else write and delete through the link."""
    linked = environment / LABEXTENSIONS / NAME
    if linked.is_symlink():
        linked.unlink()


def browser() -> None:
    """A Chromium for the browser tests; JRG_CHROMIUM names another one."""
    if os.environ.get("JRG_CHROMIUM") or any(shutil.which(name) for name in BROWSERS):
        return
    if sys.platform == "darwin":
        apps = [Path("/Applications", f"{n}.app", "Contents/MacOS", n) for n in MAC_BROWSERS]
        if any(app.exists() for app in apps):
            return
    apt("chromium", "Chromium is missing; the browser tests need it")
