"""What the scripts share: commands that are shown, asked, or must succeed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".venv" / "bin" / "python"


class Missing(Exception):
    """Something that only the user can supply; the text says what to do."""


def say(text: str) -> None:
    print(f"[environments] {text}", flush=True)


def run(*words: str | Path, cwd: Path = ROOT, **env: str) -> None:
    """Run a command that must succeed; its output goes to the user."""
    line = " ".join(str(w) for w in words)
    say(line)
    done = subprocess.run([str(w) for w in words], cwd=cwd, env={**clean_environment(), **env})
    if done.returncode:
        raise Missing(f"`{line}` failed (exit {done.returncode}); its message is above.")


def clean_environment() -> dict[str, str]:
    """Our environment without pyenv's shims: uv takes a shim for a Python and trips over it."""
    env = dict(os.environ)
    folders = env.get("PATH", os.defpath).split(os.pathsep)
    env["PATH"] = os.pathsep.join(f for f in folders if Path(f).name != "shims")
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "__PYVENV_LAUNCHER__"):
        env.pop(name, None)
    return env


def answer(*words: str | Path, seconds: float = 60) -> str | None:
    """What a command prints, stripped; None if it fails, is missing or takes too long."""
    try:
        done = subprocess.run(
            [str(w) for w in words],
            cwd=ROOT,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def apt(package: str, why: str) -> None:
    """Install a Debian package as root; else stop and show the one command."""
    command = f"apt-get update && apt-get install -y {package}"
    if not shutil.which("apt-get"):
        raise Missing(f"{why}: install {package} with your system's package manager.")
    if os.geteuid() != 0:
        raise Missing(
            f"{why}. Run this one command, then the same again:\n    sudo sh -c '{command}'"
        )
    run("apt-get", "update", "-q")
    run(
        *("apt-get", "install", "-y", "-q", "--no-install-recommends", package),
        DEBIAN_FRONTEND="noninteractive",
    )
