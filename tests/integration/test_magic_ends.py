"""The end of the notebook's own kernel, or of the one on the pod, and what follows from it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.bench import Bench
from tests.support.daemon import until
from tests.support.notebook import PATIENCE

LONG = """\
import pathlib, time
home = pathlib.Path.home()
(home / "begun").touch()
try:
    while not (home / "go").exists(): time.sleep(0.01)
    print("to the end", flush=True)
finally:
    (home / "ended").touch()
"""


def _begun(home: Path) -> None:
    until((home / "begun").exists, "the cell's begin", PATIENCE)


@pytest.mark.parametrize("how", ["restart", "restart now", "shut down"])
def test_a_cell_runs_on_when_the_notebooks_kernel_ends(bench: Bench, how: str) -> None:
    for name in ("begun", "go", "ended"):
        (bench.home / name).unlink(missing_ok=True)
    bench.kernel.client.execute(f"%%gpu\n{LONG}")
    _begun(bench.home)
    if how == "shut down":
        bench.kernel.shut_down()
        bench.kernel.start()
    else:
        bench.kernel.restart_here(now=how == "restart now")
    assert not (bench.home / "ended").exists()
    (bench.home / "go").touch()
    assert bench.kernel.run("%gpu attach").text() == "to the end\n"


def test_a_stop_is_passed_on_within_a_second(bench: Bench) -> None:
    pressed: list[float] = []

    def stop(kind: str, content: object) -> None:
        if kind == "stream" and not pressed:
            pressed.append(time.monotonic())
            bench.kernel.stop()

    cell = bench.gpu("import time; print('a', flush=True); time.sleep(60)", on=stop)
    assert cell.reply["ename"] == "KeyboardInterrupt"
    assert time.monotonic() - pressed[0] < 5 * 1.0
