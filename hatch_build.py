"""Before a build from a checkout: is there a Node.js that can build the front end?

Without one the build would end in a bare CalledProcessError. An sdist has the front end built.
"""

from __future__ import annotations

import os
import runpy
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = "jupyter_remote_gpu/labextension"


class FrontEndHook(BuildHookInterface[Any]):
    """Says what is missing, and has the front end built anew (hatch-jupyter-builder runs next)."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each wheel and sdist."""
        root = Path(self.root)
        from_sdist = (root / "PKG-INFO").exists()
        if from_sdist or os.environ.get("SKIP_JUPYTER_BUILDER"):
            return
        node = runpy.run_path(str(root / "scripts" / "node.py"))
        trouble = node["trouble"]()
        if trouble:
            self.app.abort(
                f"{trouble} To build jupyter-remote-gpu from a checkout takes {node['NEEDED']}, "
                "because its JupyterLab panel is TypeScript. Install Node.js from your system, "
                "conda or nodejs.org; or install a wheel or an sdist, which need none."
            )
        if version == "standard":
            # hatch-jupyter-builder skips what exists, and that may be old, or a development build.
            shutil.rmtree(root / BUILT, ignore_errors=True)
