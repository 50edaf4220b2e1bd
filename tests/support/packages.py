"""How the tests of packaging run tools and build."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SECONDS = 300


def run(*words: str | Path, cwd: Path, **env: str) -> str:
    """What a command prints (both streams); it must succeed."""
    done = subprocess.run(
        [str(w) for w in words],
        cwd=cwd,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{words} failed:\n{done.stdout[-6000:]}"
    return done.stdout


def build(source: Path, kind: str, **env: str) -> Path:
    """Build a wheel or an sdist with the tools of this environment."""
    dist = source / "dist"
    words = (sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "--outdir", dist)
    run(*words, cwd=source, **env)
    (made,) = dist.iterdir()
    return made
