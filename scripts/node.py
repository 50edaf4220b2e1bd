"""Is there a Node.js that can build the front end? Standard library only."""

from __future__ import annotations

import re
import shutil
import subprocess

# What @rspack/core asks for, which bundles the front end.
NEEDED = "Node.js 20.19 or newer (22.12 or newer of the later ones)"


def trouble() -> str | None:
    """A sentence: what is wrong with the Node.js on PATH; None where it will do."""
    node = shutil.which("node") or shutil.which("nodejs")
    if node is None:
        return "Node.js was not found."
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as e:
        return f"{node} does not run: {e}."
    found = re.match(r"v(\d+)\.(\d+)", done.stdout)
    if done.returncode or not found:
        return f"{node} does not tell its version."
    version = (int(found[1]), int(found[2]))
    if (20, 19) <= version < (21, 0) or version >= (22, 12):
        return None
    return f"{node} is version {done.stdout.strip()}."
