"""What a pod said may be of any size and type: the picture of all pods is shown all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.client.aio import Control
from jupyter_remote_gpu.daemon import snapshot as snapshot_module
from jupyter_remote_gpu.daemon.bounded import number, plain, text
from jupyter_remote_gpu.daemon.snapshot import Snapshots
from jupyter_remote_gpu.errors import PodError, error_from_json, error_to_json
from jupyter_remote_gpu.models import ExecutionInfo, KernelInfo, PodInfo
from jupyter_remote_gpu.wire.frames import encode_control
from tests.support.daemon import OwnDaemon, own_daemon

HUGE = "é" * (2 << 20)
CLIENT = "c" * 32


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(tmp_path, monkeypatch) as own:
        yield own


def ask(op: str, **args: Any) -> dict[str, Any]:
    async def work() -> dict[str, Any]:
        control = await Control.open(kind="test")
        try:
            return await control.request(op, **args)
        finally:
            await control.close()

    return asyncio.run(work())


def test_kernels_of_which_nonsense_was_kept_are_shown_beside_the_others(
    daemon: OwnDaemon,
) -> None:
    ask("pod.add", name="pod", ssh="ssh me@127.0.0.1 -p 1")
    daemon.kill()
    kept: list[dict[str, Any]] = [
        {"display_name": HUGE, "started": 5.0},
        {"started": "soon", "cwd": HUGE},
        {"started": float("nan"), "notebook": [HUGE]},
        {"started": {"a": 1}, "display_name": 7},
    ]
    for n, info in enumerate(kept, 1):
        folder = daemon.folder / "mirrors" / f"{n:032x}"
        folder.mkdir(parents=True)
        known = {"pod": "pod", "identity": "a" * 32, **info}
        (folder / "kernel.json").write_text(json.dumps(known))
    (pod,) = ask("snapshot")["pods"]
    shown = {int(k["id"], 16): k for k in pod["kernels"]}
    assert sorted(shown) == [1, 2, 3, 4]
    assert [shown[n]["started"] for n in (1, 2, 3, 4)] == [5.0, None, None, None]
    assert 0 < len(shown[1]["display_name"]) < 1000
    assert len(ask("kernel.list")["kernels"]) == 4


def test_an_error_of_the_other_side_has_an_end() -> None:
    said = {"kind": "pod", "code": HUGE, "message": HUGE, "details": {"a": HUGE}}
    error = error_from_json(said)
    assert isinstance(error, PodError)
    assert error.message
    assert len(encode_control(error_to_json(error))) < 100_000
    small = error_from_json({"kind": "pod", "message": "m", "details": {"a": 1}})
    assert (small.message, small.details) == ("m", {"a": 1})


def test_values_are_cut() -> None:
    assert text("abc", 2) == "ab"
    assert text(7) == text(None) == ""
    assert number(1.5) == 1.5
    for bad in ("1", None, True, float("nan"), float("inf"), 10**400, []):
        assert number(bad) is None
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    found = plain({"a": HUGE, "b": list(range(9999)), "c": deep, "d": float("nan"), "e": True})
    assert len(json.dumps(found)) < 5000
    assert (found["d"], found["e"], found["b"][:2]) == (None, True, [0, 1])


def cells(count: int, **more: Any) -> list[ExecutionInfo]:
    return [ExecutionInfo(f"{n:032x}", CLIENT, n, n, "x", **more) for n in range(count)]


def test_a_kernel_that_cannot_be_shown_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    good = KernelInfo("1" * 32, "a" * 32, "p", executions=cells(3))
    bad = KernelInfo("2" * 32, "a" * 32, "p", executions=[None])  # type: ignore[list-item]
    snapshots = Snapshots(lambda: [PodInfo("p", "x", kernels=[good, bad])], {})
    for _ in range(3):
        (pod,) = snapshots.value()["pods"]
        snapshots._dirty = True
        assert [k["id"] for k in pod["kernels"]] == [good.id]
    assert caplog.text.count("cannot be shown") == 1


def test_only_what_changed_is_converted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = [
        KernelInfo(f"{n:032x}", "a" * 32, "p", started=n, executions=cells(60)) for n in range(200)
    ]
    converted: list[ExecutionInfo] = []
    convert = snapshot_module._cell

    def counted(info: ExecutionInfo) -> dict[str, Any]:
        converted.append(info)
        return convert(info)

    monkeypatch.setattr(snapshot_module, "_cell", counted)

    async def work() -> None:
        snapshots = Snapshots(lambda: [PodInfo("p", "x", kernels=kernels)], {})
        snapshots.value()
        assert len(converted) == 50 * 50
        converted.clear()
        kernels[-1].last += 1
        kernels[-1].executions[-1].outcome = "ok"
        snapshots.changed()
        (pod,) = snapshots.value()["pods"]
        assert len(converted) == 50
        (kernel,) = [k for k in pod["kernels"] if k["last"] == 1]
        assert kernel["executions"][-1]["state"] == "ended"
        assert kernel["executions"][-2]["state"] == "queued"
        snapshots.close()

    asyncio.run(work())
