"""Each rule of the log has tests that notice when the rule is broken.

A patch in ``tests/mutants/`` breaks one rule; each test that its first lines name must then
fail, and say what ``Says:`` below it has. (A test that also passes without the rule would say
nothing, and neither would one that fails before it comes to the rule.)
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 300
"""For one test; what it waits for ends it before."""
PASSED, FAILED = 0, 1


@dataclass(frozen=True)
class Named:
    """A test that a patch names, and what it must say when the rule is broken."""

    patch: Path
    test: str
    says: str

    def __str__(self) -> str:
        return f"{self.patch.stem}-{self.test.partition('::')[2]}"


def _named() -> list[Named]:
    found = []
    for patch in sorted((ROOT / "tests" / "mutants").glob("*.patch")):
        lines = patch.read_text("utf-8").splitlines()
        for line, following in itertools.pairwise(lines):
            if line.startswith("Test: "):
                test, says = line.removeprefix("Test: "), following.removeprefix("Says: ")
                found.append(Named(patch, test, says if says != following else ""))
    return found


NAMED = _named()


def _run(folder: Path, tests: list[str], *patches: Path) -> subprocess.CompletedProcess[str]:
    """Run `tests` in a copy of the tree with `patches` applied."""
    for name in ("jupyter_remote_gpu", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    for patch in patches:
        subprocess.run(["git", "apply", str(patch)], cwd=folder, check=True, timeout=60)
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment.setdefault("JRG_POD_PYTHON", str(ROOT / ".venv-pod" / "bin" / "python"))
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-m", "", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS * len(tests),
    )


def test_every_rule_has_a_mutant_and_a_test_of_real_processes() -> None:
    assert {int(n.patch.name[5:7]) for n in NAMED} == set(range(1, 11))
    real = {int(n.patch.name[5:7]) for n in NAMED if not n.test.startswith("tests/unit/")}
    assert real == set(range(1, 11))
    assert all(n.says for n in NAMED)


@pytest.mark.long
def test_the_same_tests_pass_where_no_rule_is_broken(tmp_path: Path) -> None:
    """Else a copy that cannot run, or a test that fails now and then, would be taken for it."""
    done = _run(tmp_path, sorted({n.test for n in NAMED}))
    assert done.returncode == PASSED, done.stdout[-5000:]
    assert "skipped" not in done.stdout.splitlines()[-1], done.stdout[-3000:]


@pytest.mark.long
@pytest.mark.parametrize("named", NAMED, ids=str)
def test_a_broken_rule_is_noticed(named: Named, tmp_path: Path) -> None:
    done = _run(tmp_path, [named.test], named.patch)
    assert done.returncode == FAILED, f"{named.test} did not notice:\n{done.stdout[-3000:]}"
    assert "error" not in done.stdout.splitlines()[-1], done.stdout[-3000:]
    said = [line for line in done.stdout.splitlines() if line.startswith("E ")]
    words = named.says.split(" | ")  # or the other
    assert any(word in line for line in said for word in words), "\n".join(said)[:3000]
