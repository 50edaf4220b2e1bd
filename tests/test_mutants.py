"""Each rule of the log has a test that notices when the rule is broken.

A patch in ``tests/mutants/`` breaks one rule; the test that its first lines name must then
fail. (A test that also passes without the rule would say nothing.)
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MUTANTS = sorted((ROOT / "tests" / "mutants").glob("*.patch"))
SECONDS = 300
TESTS_FAILED = 1


def test_every_rule_has_a_mutant() -> None:
    assert {int(p.name[5:7]) for p in MUTANTS} == set(range(1, 11))


@pytest.mark.long
@pytest.mark.parametrize("patch", MUTANTS, ids=lambda p: p.stem)
def test_a_broken_rule_is_noticed(patch: Path, tmp_path: Path) -> None:
    test = patch.read_text().splitlines()[0].removeprefix("Test: ")
    for name in ("jupyter_remote_gpu", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    subprocess.run(["git", "apply", str(patch)], cwd=tmp_path, check=True, timeout=60)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    environment.setdefault("JRG_POD_PYTHON", str(ROOT / ".venv-pod" / "bin" / "python"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-m", "", "-p", "no:cacheprovider", test],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == TESTS_FAILED, f"{test} did not notice:\n{done.stdout[-3000:]}"
    assert "error" not in done.stdout.splitlines()[-1], done.stdout[-3000:]
