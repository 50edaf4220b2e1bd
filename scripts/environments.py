"""Make what `make` needs on a fresh machine: environments, the built front end, sshd, a browser.

``.venv`` (laptop), ``.venv-pod`` (the demo pod, Python >= 3.12 where one can be had) and
``.venv-old`` (the oldest pod that is supported: Python 3.10, ipykernel 6.29) are made by uv, and
``.venv-lab42``, ``.venv-notebook`` and ``.venv-collab`` (the other front ends of `make test-long`).
Each holds a stamp, so that the second time costs nothing. Standard library only.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import time
from pathlib import Path

import frontend
from shell import PYTHON, ROOT, Missing, answer, apt, clean_environment, run, say

UV_HOME = ROOT / ".uv"
SBIN = ("/usr/sbin", "/usr/local/sbin", "/sbin", "/opt/homebrew/sbin")
VERSION = ROOT / "jupyter_remote_gpu" / "_version.py"
# An editable install writes _version.py and builds no front end: `frontend` does that.
NO_FRONT_END = {"SKIP_JUPYTER_BUILDER": "1"}
NEWER = ("3.12", "3.13", "3.14", "3.15")
# Other front ends than `.venv`'s JupyterLab, each in an environment of its own.
FRONTS = {
    "lab42": "jupyterlab==4.2.*",
    "notebook": "notebook>=7",
    "collab": "jupyter-collaboration>=5",
}


def version_of(python: str | Path) -> tuple[int, int] | None:
    """``(3, 12)`` of a Python that runs and can make environments, else None."""
    text = answer(python, "-c", "import ssl, sys, venv; print(*sys.version_info[:2])")
    parts = (text or "").split()
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 else None


# uv ------------------------------------------------------------------------------------------


def uv() -> str:
    """A uv that runs: the user's, else one installed by pip into ``.uv``."""
    own = UV_HOME / "bin" / "uv"
    for candidate in (shutil.which("uv", path=clean_environment()["PATH"]), own):
        if candidate and answer(candidate, "--version"):
            return str(candidate)
    say("uv was not found: installing it into .uv")
    shutil.rmtree(UV_HOME, ignore_errors=True)
    if answer(sys.executable, "-m", "venv", UV_HOME, seconds=120) is None:
        shutil.rmtree(UV_HOME, ignore_errors=True)
        apt(
            "python3-venv",
            f"{sys.executable} cannot make environments ('python -m venv' failed)",
        )
        run(sys.executable, "-m", "venv", UV_HOME)
    run(UV_HOME / "bin" / "python", "-m", "pip", "install", "--quiet", "uv")
    return str(own)


# Pythons -------------------------------------------------------------------------------------


def pyenv_pythons(wanted: str) -> list[Path]:
    """pyenv's own Pythons of that version (never its shims), newest patch first."""
    roots = {Path.home() / ".pyenv"}
    if os.environ.get("PYENV_ROOT"):
        roots.add(Path(os.environ["PYENV_ROOT"]))
    told = answer("pyenv", "root")
    if told:
        roots.add(Path(told))
    found = [p for r in roots for p in r.glob(f"versions/{wanted}*/bin/python{wanted}")]
    return sorted(found, key=lambda p: [int(n) for n in p.parts[-3].split(".") if n.isdigit()])[
        ::-1
    ]


def find_python(wanted: str) -> str | None:
    """A Python of that version on this machine: as uv finds it, or pyenv's."""
    found = answer(uv(), "python", "find", "--no-python-downloads", wanted)
    for candidate in (found, *pyenv_pythons(wanted)):
        if candidate and version_of(candidate) == tuple(int(n) for n in wanted.split(".")):
            return str(candidate)
    return None


def fetch_python(wanted: str) -> str | None:
    """Have uv download that Python, where it can (it has no registry: many networks refuse)."""
    say(f"no Python {wanted} on this machine: asking uv to fetch it")
    if answer(uv(), "python", "install", wanted, seconds=180) is None:
        say(f"uv could not fetch Python {wanted} here")
        return None
    return find_python(wanted)


def pod_python() -> str | None:
    """A Python >= 3.12, which PyMC 6 needs: 3.12, 3.13, then newer, then one that uv fetches."""
    for wanted in NEWER:
        found = find_python(wanted)
        if found:
            return found
    return fetch_python("3.12")


# Environments --------------------------------------------------------------------------------


def stamp_of(folder: Path, kind: str) -> Path:
    """The file whose presence says that `folder` is what this checkout asks for."""
    text = (ROOT / "pyproject.toml").read_bytes() + Path(__file__).read_bytes() + kind.encode()
    if kind in ("laptop", *FRONTS):
        text += (ROOT / "package.json").read_bytes()  # it has the version
    return folder / f".stamp-{hashlib.sha256(text).hexdigest()[:16]}"


def build(folder: Path, stamp: Path, python: str, *packages: str | Path) -> None:
    """Make or refresh an environment; the stamp is set last, so a torn one is made again."""
    begin = time.monotonic()
    for old in folder.glob(".stamp-*"):
        old.unlink()
    if version_of(folder / "bin" / "python") != version_of(python):
        run(uv(), "venv", "--clear", "--no-project", "--python", python, folder)
    own = folder / "bin" / "python"
    run(uv(), "pip", "install", "--quiet", "--python", own, *packages, **NO_FRONT_END)
    stamp.write_text(f"{version_of(own)}\n")
    say(f"{folder.name} is ready ({time.monotonic() - begin:.0f} s)")


def laptop() -> None:
    """``.venv``: this package (editable), JupyterLab and the tools of the tests."""
    folder = ROOT / ".venv"
    stamp = stamp_of(folder, "laptop")
    if not (stamp.exists() and VERSION.exists()):
        frontend.unlink()
        build(folder, stamp, sys.executable, "--editable", f"{ROOT}[lab,test]")
        frontend.link()


def bench() -> None:
    """``.venv`` with the peers that `make bench` measures against."""
    laptop()
    if answer(PYTHON, "-c", "import sshpyk") is None:
        group = f"{ROOT}/pyproject.toml:bench"
        run(uv(), "pip", "install", "--quiet", "--python", PYTHON, "--group", group)


def pod(require_312: bool) -> None:
    """``.venv-pod``: PyMC and its samplers; Python 3.11 with PyMC 5 where nothing newer is had."""
    folder = ROOT / ".venv-pod"
    stamp = stamp_of(folder, "pod")
    base = None
    if not stamp.exists():
        base = pod_python()
        build(folder, stamp, base or sys.executable, "--group", f"{ROOT}/pyproject.toml:demo-pod")
    version = version_of(folder / "bin" / "python")
    if version is None or version < (3, 12):
        text = (
            f"the demo pod has Python {'.'.join(map(str, version or ()))}, so PyMC 5 in place of "
            "PyMC 6. Install Python 3.12 or newer (uv, pyenv or your system), delete "
            ".venv-pod, and run this again."
        )
        if require_312:
            raise Missing(text)
        say(f"NOTE: {text}")


def old() -> None:
    """``.venv-old``: the oldest pod that is supported, or a note where Python 3.10 is missing."""
    folder = ROOT / ".venv-old"
    stamp = stamp_of(folder, "old")
    if not stamp.exists():
        base = find_python("3.10") or fetch_python("3.10")
        if base is None:
            folder.mkdir(exist_ok=True)
            (folder / "MISSING").write_text("no Python 3.10 on this machine, and none to fetch\n")
        else:
            (folder / "MISSING").unlink(missing_ok=True)
            build(folder, stamp, base, "--group", f"{ROOT}/pyproject.toml:old-pod")
    if (folder / "MISSING").exists():
        say("NOTE: no Python 3.10: the smoke test of the oldest pod (ipykernel 6.29) cannot run")


def fronts() -> None:
    """``.venv-<front>`` for each of FRONTS: it, this package (editable), and its front end."""
    for name, package in FRONTS.items():
        folder = ROOT / f".venv-{name}"
        stamp = stamp_of(folder, name)
        if not stamp.exists():
            frontend.unlink(folder)
            own = ("--editable", ROOT, package, "ipywidgets>=8.1")
            build(folder, stamp, sys.executable, *own)
        frontend.link(folder)


def sshd() -> None:
    """OpenSSH's server, for the demo pod and the tests (`demo` makes its /run/sshd by itself)."""
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SBIN))
    if not shutil.which("sshd", path=path):
        say("OpenSSH's server (sshd) is missing; the demo pod and the tests need it")
        apt("openssh-server", "OpenSSH's server (sshd) is missing")


STEPS = {
    "bench": bench,
    "browser": frontend.browser,
    "frontend": frontend.built,
    "fronts": fronts,
    "laptop": laptop,
    "old": old,
    "packages": frontend.packages,
    "sshd": sshd,
    "ui-tests": frontend.ui_packages,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=sorted([*STEPS, "pod"]))
    parser.add_argument("--require-312", action="store_true", help="fail without Python >= 3.12")
    args = parser.parse_args()
    try:
        for what in args.what:
            if what == "pod":
                pod(args.require_312)
            else:
                STEPS[what]()
    except Missing as e:
        say(f"STOP: {e}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
