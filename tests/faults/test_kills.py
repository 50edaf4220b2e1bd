"""`kill -9` of what stands between a cell and its notebook, each in mid-cell."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from tests.faults.mixed import Plain, mixed, of, without_notices
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.notebook import LocalKernel
from tests.support.place import Place

NEXT_LINE_SECONDS = 4.0
PAUSE = 0.05
STEADY_SECONDS = 7.0
"""Two beats of the link without news."""


def _bridges(place: Place) -> list[int]:
    """The pod's commands that carry a journal: `bridge`, or the `start` that goes on as one."""
    found = []
    for pid in place.sshd.processes():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = psutil.Process(pid).cmdline()
            if "bridge" in words or "start" in words:
                found.append(pid)
    return found


def _sessions(place: Place) -> list[int]:
    return place.sshd.sessions()


@pytest.mark.parametrize("find", [_bridges, _sessions], ids=["bridge", "child of sshd"])
def test_a_killed_carrier_on_the_pod_is_replaced(
    place: Place, plain: Plain, find: Callable[[Place], list[int]]
) -> None:
    face = KernelFace(place.face, "pod")
    cell = face.submit(mixed(200, PAUSE))
    killed: set[int] = set()
    for line in (20, 60, 100):
        face.until_text(cell, f"out {line}\n")
        victims = until(lambda: find(place), "something to kill")
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed.update(victims)
    assert len(killed) >= 3
    assert face.ended(cell, 200 * PAUSE + 5 * NEXT_LINE_SECONDS)["outcome"] == "ok"
    face.in_order()
    plain.check(of(face.records, cell), 200)
    assert not killed & set(find(place))
    assert face.run("1")["outcome"] == "ok"


def test_a_kernel_on_a_link_that_is_steady_gets_another_bridge(place: Place) -> None:
    """No news of its pod comes between its beginning and the end of its first bridge."""
    seen: list[tuple[int, float]] = [(0, 0.0)]

    def is_steady() -> bool:
        revision = place.face.request("snapshot")["revision"]
        if revision != seen[-1][0]:
            seen.append((revision, time.monotonic()))
        return time.monotonic() - seen[-1][1] > STEADY_SECONDS

    until(is_steady, "a link of which there is no news")
    face = KernelFace(place.face, "pod")
    assert face.run("1")["outcome"] == "ok"
    for pid in until(lambda: _bridges(place), "something to kill"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert face.run("2")["outcome"] == "ok"


def test_the_cell_of_a_killed_local_kernel_is_found_by_the_next_one(
    place: Place, notebook: LocalKernel, plain: Plain
) -> None:
    notebook.client.execute(f"%%gpu\n{mixed(100, PAUSE)}")
    end = time.monotonic() + 5 * NEXT_LINE_SECONDS
    while "out 20\n" not in str(notebook.client.get_iopub_msg(timeout=20)["content"].get("text")):
        assert time.monotonic() < end, "the cell does not begin"
    assert notebook.manager.provisioner is not None
    os.kill(notebook.manager.provisioner.pid, signal.SIGKILL)
    notebook.restart()
    attached = notebook.run("%gpu attach")
    assert attached.reply["status"] == "ok", attached
    plain.check(without_notices(attached.shown), 100, paced=True)
    # Once more when it is over; and the kernel on the pod is the same one.
    plain.check(without_notices(notebook.run("%gpu attach").shown), 100, paced=True)
    assert "True" in str(notebook.run("%%gpu\n'mixed' in globals()").result)
