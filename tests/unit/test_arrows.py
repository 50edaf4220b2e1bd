"""Who may import whom (docs/architecture.md), and what must not be in the repository at all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = "jupyter_remote_gpu"
PACKAGE = ROOT / NAME
LINES = 300

# The table of docs/architecture.md. Every part may use itself and `_version`.
SHARED = {"wire", "errors", "files", "models"}
OURS: dict[str, set[str]] = {
    "__init__": {"magic", "routes"},
    "_version": set(),
    "errors": set(),
    "files": set(),
    "packing": set(),
    "models": {"errors"},
    "wire": {"errors", "models"},
    "pod": SHARED,
    "client": SHARED,
    "magic": SHARED | {"client"},
    "pods": SHARED,
    "link": SHARED | {"packing", "pods"},
    "daemon": SHARED | {"client", "pods", "link"},
    "cli": SHARED | {"client", "demo"},
    "demo": {"client", "errors", "files"},
    "routes": SHARED | {"client", "packing"},
}
KERNELS = {"IPython", "ipykernel", "jupyter_client", "jupyter_core", "zmq", "tornado", "comm"}
THEIRS: dict[str, set[str]] = {
    "pod": {"zmq", "jupyter_client"},
    "client": {"jupyter_core"},
    "magic": KERNELS | {"traitlets"},
    "pods": {"asyncssh"},
    "link": {"asyncssh"},
    "daemon": {"asyncssh"},
    "cli": {"jupyter_server", "nbformat"},
    "demo": {"nbformat"},
    "routes": {"jupyter_events", "jupyter_server", "jsonschema", "tornado", "traitlets"},
}
# The loader is sent to the pod as text: what it imports there is the pod's.
ON_THE_POD = {"link/loader.py": {"pod"}}


def parts() -> dict[str, list[Path]]:
    """The modules of each part: a folder, or a file that stands alone."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(path)
    return found


def imported(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """Every dotted name that `source` imports anywhere in it, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            # `from .. import errors` names a module, `from ..errors import X` does not.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def arrows(path: Path) -> tuple[set[str], set[str]]:
    """Parts of ours, and packages of others, that a module imports."""
    package = path.relative_to(ROOT).parent.parts
    names = [n.split(".") for n in imported(path.read_text("utf-8"), package)]
    ours = {n[1] for n in names if n[0] == NAME}
    theirs = {n[0] for n in names} - {NAME, "__future__"} - set(sys.stdlib_module_names)
    return ours, theirs


def committed() -> list[Path]:
    """The text files of the repository (in an sdist without git: all that lie there)."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, capture_output=True, timeout=30)
    if done.returncode:
        folders = ("jupyter_remote_gpu", "tests", "docs", "scripts")
        found = [p for f in folders for p in (ROOT / f).rglob("*") if "__pycache__" not in p.parts]
    else:
        found = [ROOT / name for name in done.stdout.decode().split("\0") if name]
    return [p for p in found if p.is_file() and b"\0" not in p.read_bytes()]


TEXTS = committed()


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_reader_of_imports_sees_each_kind() -> None:
    source = """
import zmq.asyncio
def f():
    from ..daemon import app
    from .. import link
    from jupyter_remote_gpu.cli import main
    from . import peers
"""
    assert set(imported(source, (NAME, "pod"))) == {
        "zmq.asyncio",
        f"{NAME}.daemon.app",
        f"{NAME}.link",
        f"{NAME}.cli.main",
        f"{NAME}.pod.peers",
    }


def test_each_part_has_its_arrows() -> None:
    assert set(parts()) == set(OURS)


@pytest.mark.parametrize("part", sorted(OURS))
def test_who_imports_whom(part: str) -> None:
    wrong = []
    for path in parts()[part]:
        ours, theirs = arrows(path)
        inside = path.relative_to(PACKAGE).as_posix()
        ours -= OURS[part] | {part, "_version", "__version__"} | ON_THE_POD.get(inside, set())
        wrong += [f"{inside} imports {name}" for name in ours | theirs - THEIRS.get(part, set())]
    assert not wrong, "\n".join(wrong)


def test_files_stay_short() -> None:
    counts = {
        named(path): len(path.read_text("utf-8").splitlines())
        for path in TEXTS
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (NAME, "tests")
    }
    assert counts
    long = [f"{name}: {n} lines" for name, n in counts.items() if n > LINES]
    assert not long, f"more than {LINES} lines, so more than one idea:\n" + "\n".join(long)


# Written in pieces, so that this file does not find itself.
HOME = re.compile(r"(?:/(?:home|Users)/(?!me\b|josé\b|NAME\b)\w|/" + r"root/)")
URL = re.compile(r"https?://([\w.-]+)")
HOSTS = {"keepachangelog.com", "localhost", "127.0.0.1", "github.com", "me"}
HOSTS |= {"events.jupyter.org", "www.w3.org"}  # names of a schema and of SVG
INDEX = re.compile("index-" + r"url|extra-" + r"index|default-" + "index|registry *= *['\"]?http")


def test_no_path_of_this_machine_and_no_registry() -> None:
    wrong = []
    for path in TEXTS:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            hosts = {h for h in URL.findall(line) if h not in HOSTS and not h.startswith("203.0.")}
            if HOME.search(line) or str(ROOT) + "/" in line or INDEX.search(line) or hosts:
                wrong.append(f"{named(path)}:{number}: {line.strip()[:120]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("where", [NAME, "scripts"])
def test_nothing_dangerous_is_called(where: str) -> None:
    wrong = []
    for path in sorted((ROOT / where).rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
                is_open = node.arg == "known_hosts" and node.value.value is None
                if is_open or (node.arg == "shell" and node.value.value is True):
                    wrong.append(f"{named(path)}:{node.value.lineno}: {node.arg}=…")
        modules = {n.split(".")[0] for n in imported(path.read_text("utf-8"), ("x",) * 9)}
        bad = modules & {"pickle", "marshal", "shelve", "dill", "cloudpickle"}
        wrong += [f"{named(path)}: {name}" for name in bad]
    assert not wrong, "\n".join(wrong)
