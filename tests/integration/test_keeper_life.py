"""How long a kernel on the pod lives, and how long its journal stays."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.pod import start
from jupyter_remote_gpu.pod.kernel import OOM_ABOVE_KEEPER
from jupyter_remote_gpu.pod.paths import ENDED_DAYS
from tests.support.groups import group_of
from tests.support.keeper import PATIENCE, PodCommands

IDLE_SECONDS = 2


def test_a_kernel_that_nobody_wants_ends(commands: PodCommands) -> None:
    kernel = commands.start({"idle_seconds": IDLE_SECONDS})
    began = time.monotonic()
    died = kernel.record("died").content
    assert time.monotonic() - began >= IDLE_SECONDS / 2
    assert died["asked"]
    assert died["idle"]
    (listed,) = commands.run("list")["kernels"]
    assert not listed["alive"]


def test_work_and_faces_keep_a_kernel(commands: PodCommands) -> None:
    kernel = commands.start({"idle_seconds": IDLE_SECONDS})
    kernel.tell(type="faces", count=1)
    long = f"import time; time.sleep({2 * IDLE_SECONDS}); print('done')"
    assert kernel.run(long)["outcome"] == "ok"
    # No work now, but a face; looked at twice as long as a kernel without one would live.
    end = time.monotonic() + 2 * IDLE_SECONDS
    while (left := end - time.monotonic()) > 0:
        kernel.read(left)
    assert not kernel.all("died")
    busy = kernel.execute(long)
    kernel.record("running", busy)
    kernel.tell(type="faces", count=0)
    assert kernel.record("ended", busy).content["outcome"] == "ok"
    assert kernel.record("died").content["idle"]
    assert kernel.text(busy) == "done\n"


def test_a_journal_stays_for_fourteen_days(commands: PodCommands) -> None:
    old, young = commands.start(), commands.start()
    for kernel in (old, young):
        kernel.tell(type="stop")
        kernel.until_end()
    now = time.time()
    for kernel, days in ((old, ENDED_DAYS + 0.1), (young, ENDED_DAYS - 0.1)):
        file = commands.state / "kernels" / kernel.kernel / "kernel.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "ended": now - days * 86400}))
    third = commands.start()
    left = {k["id"] for k in commands.run("list")["kernels"]}
    assert left == {young.kernel, third.kernel}
    late = commands.bridge(young.kernel)
    assert late.record("died").content["asked"]


@pytest.mark.skipif(sys.platform != "linux", reason="OOM scores are Linux's")
def test_out_of_memory_ends_the_kernel_and_not_its_keeper(commands: PodCommands) -> None:
    kernel = commands.start()
    kernel.run("1")
    info = commands.kernel_info(kernel.kernel)
    scores = [
        int(Path(f"/proc/{info[pid]}/oom_score_adj").read_text()) for pid in ("keeper_pid", "pid")
    ]
    assert scores[1] == min(scores[0] + OOM_ABOVE_KEEPER, 1000)


@pytest.mark.parametrize(
    ("kills", "stays", "scoped"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_keeper_gets_a_scope_of_its_own_where_sessions_are_cleaned_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kills: bool, stays: bool, scoped: bool
) -> None:
    monkeypatch.setattr("jupyter_remote_gpu.pod.logind.kills_user_processes", lambda: kills)
    monkeypatch.setattr("jupyter_remote_gpu.pod.logind.lingers", lambda: stays)
    words = start._scope()
    assert bool(words) is scoped
    if scoped:
        # What systemd-run is told must end where the keeper's own command line begins.
        systemd_run = tmp_path / "systemd-run"
        systemd_run.write_text(
            '#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n'
        )
        systemd_run.chmod(0o755)
        done = subprocess.run(
            [tmp_path / words[0], *words[1:], "echo", "--quiet", "--"],
            stdout=subprocess.PIPE,
            check=True,
            timeout=10,
        )
        assert done.stdout == b"--quiet --\n"


WORKER = "trap '' TERM; while :; do sleep 0.1; done"


@pytest.mark.parametrize("worker", ["sleep 1000", f"bash -c {json.dumps(WORKER)}"])
def test_what_a_kernel_leaves_in_its_group_is_ended(commands: PodCommands, worker: str) -> None:
    """Workers of a kernel that was killed would keep the GPU's memory."""
    kernel = commands.start(argv=["bash", "-c", f"{worker} & read -t 1 < /dev/zero"])
    info = commands.kernel_info(kernel.kernel)
    kernel.record("died")
    kernel.until_end()
    psutil.wait_procs([psutil.Process(info["keeper_pid"])], PATIENCE)
    assert group_of(info["pid"]) == []


def test_a_kernel_whose_keeper_cannot_begin_is_ended(commands: PodCommands) -> None:
    kernel = uuid.uuid4().hex
    folder = commands.state / "kernels" / kernel
    (folder / "kernel.json").mkdir(parents=True, mode=0o700)  # no file can take this place
    spec = {"argv": ["sleep", "1000.25"], "python": commands.python}
    answer = commands.run("start", {"kernel": kernel, "spec": spec})
    assert "kernel.json" in answer["error"]["message"]
    journal = b"".join(p.read_bytes() for p in (folder / "journal").glob("*.seg"))
    started = json.loads(journal[journal.index(b'{"kernel"') :])
    assert not psutil.pid_exists(started["pid"])


def test_how_a_kernel_ended_is_told_although_the_disk_is_full(commands: PodCommands) -> None:
    kernel = commands.start()
    execution = kernel.execute("import time; print('before', flush=True); time.sleep(60)")
    kernel.record("stream", execution)
    info = commands.kernel_info(kernel.kernel)
    unlimited = resource.RLIM_INFINITY
    resource.prlimit(info["keeper_pid"], resource.RLIMIT_FSIZE, (0, unlimited))
    os.kill(info["pid"], signal.SIGKILL)
    assert kernel.record("died").content["signal"] == "SIGKILL"
    assert kernel.record("ended", execution).content["outcome"] == "died"
    # Room at last, while the keeper lingers: its own words are on the disk.
    resource.prlimit(info["keeper_pid"], resource.RLIMIT_FSIZE, (unlimited, unlimited))
    kernel.until_end()
    assert commands.kernel_info(kernel.kernel)["status"] == -signal.SIGKILL
    late = commands.bridge(kernel.kernel)
    assert late.record("died").content["signal"] == "SIGKILL"
    late.close()
