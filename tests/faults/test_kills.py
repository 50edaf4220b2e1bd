"""`kill -9` of what stands between a cell and its notebook, each in mid-cell."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.faults.mixed import Plain, mixed, of, without_notices
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.notebook import LocalKernel
from tests.support.place import Place

NEXT_LINE_SECONDS = 4.0
PAUSE = 0.05


def _bridges(place: Place) -> list[int]:
    return place.sshd.bridges()


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
