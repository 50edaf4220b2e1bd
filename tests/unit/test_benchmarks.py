"""The program that measures still runs: one of its rows, with the fewest samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.daemon import ROOT

ROW_SECONDS = 240


@pytest.mark.long
def test_a_row_is_measured_and_its_samples_are_kept(pod_python: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--pod-python", pod_python, "latency"],
        cwd=ROOT,
        env={**os.environ, "JRG_BENCH_RESULTS": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=ROW_SECONDS,
    )
    assert "round trip" in done.stdout, done.stdout + done.stderr
    # Whether it is fast enough is no test's business; whether it could be measured is.
    assert "could not be measured" not in done.stdout
    (kept,) = tmp_path.rglob("latency.json")
    found = json.loads(kept.read_text())
    assert found["samples"] and found["machine"]["commit"]
