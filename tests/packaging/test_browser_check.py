"""JupyterLab's own check: it starts with the wheel, and nothing is logged as an error."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.support.packages import ROOT, run

PLAYWRIGHT = ROOT / "ui-tests" / "node_modules"
SHELLS = ("chrome-headless-shell-linux64", "chrome-headless-shell-linux-arm64")


def browser() -> str:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("JRG_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    assert found, "There is no Chromium: run `make environments`, or set JRG_CHROMIUM."
    return found


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.long
def test_jupyterlabs_browser_check_passes(fresh: Path, tmp_path: Path) -> None:
    # It would have Playwright download a browser: it gets the machine's one in that place.
    browsers = json.loads((PLAYWRIGHT / "playwright-core" / "browsers.json").read_text("utf-8"))
    (revision,) = (
        b["revision"] for b in browsers["browsers"] if b["name"] == "chromium-headless-shell"
    )
    for name in SHELLS:
        shell = tmp_path / f"chromium_headless_shell-{revision}" / name / "chrome-headless-shell"
        script(shell, f'exec {browser()} --headless --no-sandbox --disable-gpu "$@"')
    script(tmp_path / "bin" / "npx", "exit 0")
    installed = fresh / "share" / "jupyter" / "lab" / "browser_test"
    installed.mkdir(parents=True)
    (installed / "node_modules").symlink_to(PLAYWRIGHT)
    path = os.pathsep.join((str(tmp_path / "bin"), str(fresh / "bin"), os.environ["PATH"]))
    said = run(
        *(fresh / "bin" / "python", "-m", "jupyterlab.browser_check", "--allow-root"),
        cwd=tmp_path,
        PATH=path,
        PLAYWRIGHT_BROWSERS_PATH=str(tmp_path),
    )
    assert "Test Complete" in said, said
