"""What a notebook ran, as the daemon lists it."""

from __future__ import annotations

import uuid
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from jupyter_remote_gpu.daemon.executions import Executions
from jupyter_remote_gpu.daemon.sentences import GONE
from jupyter_remote_gpu.daemon.shown import LISTED_CODE_CHARS, execution_info, executions_of
from jupyter_remote_gpu.errors import NotFound
from jupyter_remote_gpu.models import ExecutionInfo
from jupyter_remote_gpu.wire.frames import encode_control

NOTEBOOK = "/n/täglich.ipynb"


def kernel(*cells: ExecutionInfo) -> Any:
    """As much of a `KernelState` as is looked at."""
    executions = Executions()
    executions.all = {info.id: info for info in cells}
    mirror = SimpleNamespace(identity="b" * 32, pod="pod", executions=executions, info={})
    return SimpleNamespace(id=uuid.uuid4().hex, mirror=mirror, fault=None)


def cell(requested: float, code: str = "1", **meta: Any) -> ExecutionInfo:
    meta = {"notebook": NOTEBOOK, **meta}
    return ExecutionInfo(uuid.uuid4().hex, "c" * 32, 1, 2, code, meta, requested=requested)


def test_what_other_notebooks_and_silent_requests_ran_is_not_listed() -> None:
    mine, other, silent = cell(1.0), cell(2.0, notebook="/n/b.ipynb"), cell(3.0, silent=True)
    (row,) = executions_of([kernel(mine, other, silent)], NOTEBOOK)
    assert (row["id"], row["pod"], row["kernel_ended"]) == (mine.id, "pod", None)


def test_it_is_in_the_order_of_the_requests_over_all_kernels() -> None:
    cells = [cell(float(i)) for i in range(6)]
    rows = executions_of([kernel(*cells[::2]), kernel(*cells[1::2])], NOTEBOOK)
    assert [row["id"] for row in rows] == [c.id for c in cells]


def test_the_clocks_of_pods_do_not_order_them() -> None:
    """One is an hour ahead: what the face says of its own clock counts, where it does."""
    first, second = cell(3600.0, asked=10.0), cell(11.0, asked=11.0)
    third, odd = cell(12.0), cell(13.0, asked="soon")
    rows = executions_of([kernel(second, odd, third), kernel(first)], NOTEBOOK)
    assert [row["id"] for row in rows] == [e.id for e in (first, second, third, odd)]


def test_of_too_many_the_newest_fit_into_one_frame() -> None:
    cells = [cell(float(i), "é" * 2000) for i in range(2000)]
    rows = executions_of([kernel(*cells)], NOTEBOOK)
    assert 100 < len(rows) < 2000
    assert [row["id"] for row in rows] == [c.id for c in cells[-len(rows) :]]
    assert rows[0]["code"] == "é" * LISTED_CODE_CHARS
    encode_control({"id": 1, "ok": {"executions": rows}})  # it raises where there is no room


def test_nothing_runs_on_a_kernel_that_the_pod_does_not_know_any_more() -> None:
    """Its container was made anew in mid-cell: no journal tells how the cell ended."""
    running, done = cell(1.0), replace(cell(2.0), outcome="ok", ended=3.0)
    state = kernel(running, done)
    assert [row["state"] for row in executions_of([state], NOTEBOOK)] == ["queued", "ended"]
    state.fault = NotFound("no", code=GONE)
    state.mirror.info["gone_at"] = 7.0
    rows = executions_of([state], NOTEBOOK)
    assert [(r["state"], r["outcome"], r["ended"]) for r in rows] == [
        ("ended", "died", 7.0),
        ("ended", "ok", 3.0),
    ]
    assert execution_info(state, running.id).state == "ended"
    assert running.outcome is None, "it may come back: a disk that was not mounted"
