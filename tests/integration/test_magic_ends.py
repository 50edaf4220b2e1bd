"""The end of the notebook's own kernel, or of the one on the pod, and what follows from it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.faults.mixed import Plain, mixed, without_notices
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


def _has_no_memory(pid: int) -> bool:
    """Its keeper may hold the number a little longer."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


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


def test_restart_returns_when_the_kernel_has_ended(bench: Bench) -> None:
    """Then its memory is free, of which the next kernel may need all."""
    slow = "import atexit, os, time\natexit.register(time.sleep, 2)\nos.getpid()"
    pid = int(bench.gpu(slow).result or "0")
    bench.kernel.run("h = get_ipython().run_cell_magic('gpu', '--detach', 'time.sleep(600)')")
    done = bench.kernel.run("%gpu restart")
    assert "was ended" in done.text()
    assert _has_no_memory(pid)
    assert bench.kernel.run("h.state").result == "'died'"
    again = bench.kernel.run("%gpu restart")
    assert again.text().startswith("No kernel was open on demo")
    assert " alive " not in bench.kernel.run("%gpu kernels").text()


def test_a_keeper_that_is_killed_in_mid_cell(bench: Bench, plain: Plain) -> None:
    killed: list[int] = []

    def kill(kind: str, content: dict[str, Any]) -> None:
        if "all of it" in content.get("text", "") and not killed:
            (info,) = _alive(bench)
            killed.append(int(info["keeper_pid"]))
            os.kill(killed[0], signal.SIGKILL)

    said = "print('all of it', flush=True)"
    cell = bench.gpu(mixed(40, 0, f"{said}\ntime.sleep(600)"), on=kill)
    assert killed
    assert cell.reply["ename"] == "KernelDied"
    assert "keeper" in cell.reply["evalue"]
    shown = [m for m in without_notices(cell.shown) if m[0] != "error"]
    plain.check(shown, 40, said, paced=True)
    attached = bench.kernel.run("%gpu attach")
    assert attached.reply["ename"] == "KernelDied"
    assert "keeper" in attached.reply["evalue"]
    shown = [m for m in without_notices(attached.shown) if m[0] != "error"]
    plain.check(shown, 40, said, paced=True)
    after = bench.gpu("'mixed' in globals()")
    assert after.result == "False"
    assert "this is a fresh one" in after.text("stderr")


def _alive(bench: Bench) -> list[dict[str, Any]]:
    """What the keepers that live wrote about their kernels."""
    files = bench.home.glob(".local/share/jupyter-remote-gpu/kernels/*/kernel.json")
    infos = [json.loads(f.read_text("utf-8")) for f in files]
    # One whose kernel has ended may stay for its readers.
    return [i for i in infos if "ended" not in i and psutil.pid_exists(int(i["keeper_pid"]))]


def _lose_kernels(bench: Bench) -> None:
    """The pod comes back from a cut without its kernels: its disk was another one."""
    bench.proxy.cut()
    for info in bench.home.glob(".local/share/jupyter-remote-gpu/kernels/*/kernel.json"):
        pid = int(json.loads(info.read_text("utf-8"))["keeper_pid"])
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: not psutil.pid_exists(pid), "the keeper's end", PATIENCE)  # type: ignore[misc]
        shutil.rmtree(info.parent)
    bench.proxy.heal()


def test_a_kernel_that_the_pod_has_no_more(bench: Bench) -> None:
    lost = []

    def lose(kind: str, content: dict[str, Any]) -> None:
        if kind == "stream" and not lost:
            lost.append(True)
            _lose_kernels(bench)

    cell = bench.gpu("import time; print('kept', flush=True); time.sleep(600)", on=lose)
    assert cell.text() == "kept\n"
    assert cell.reply["ename"] == "KernelDied"
    assert "is gone while this cell ran" in cell.reply["evalue"]
    after = bench.gpu("'time' in globals()")
    assert after.result == "False"
    assert "is gone" in after.text("stderr") and "this is a fresh one" in after.text("stderr")
    _lose_kernels(bench)  # while nothing runs
    after = bench.gpu("1 + 1")
    assert after.result == "2"
    assert "this is a fresh one" in after.text("stderr")
    _lose_kernels(bench)
    assert bench.kernel.run("%gpu connect demo").reply["status"] == "ok"
    assert bench.kernel.run("%gpu restart").reply["status"] == "ok"
    assert bench.gpu("3").text("stderr") == ""


def test_the_first_cell_says_that_its_pod_reconnects(bench: Bench) -> None:
    bench.kernel.restart()
    bench.proxy.cut()
    told: list[str] = []

    def heal(kind: str, content: dict[str, Any]) -> None:
        if kind == "display_data" and not told:
            told.append(content["data"]["text/plain"])
            bench.proxy.heal()

    cell = bench.gpu("5", on=heal)
    assert cell.result == "5"
    assert "reconnecting" in told[0]
    assert cell.all("update_display_data")[-1]["data"] == {}
