"""Bindings, outbox, snapshot: the daemon's parts that need no process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.daemon import outbox as outbox_module
from jupyter_remote_gpu.daemon.bindings import Bindings
from jupyter_remote_gpu.daemon.executions import RECENT, Executions
from jupyter_remote_gpu.daemon.opening import working_name
from jupyter_remote_gpu.daemon.outbox import Outbox, check_request
from jupyter_remote_gpu.daemon.snapshot import LATER, NOW, Snapshots
from jupyter_remote_gpu.errors import RemoteGPUError, WireError
from jupyter_remote_gpu.models import ExecutionInfo, KernelInfo, PodInfo
from jupyter_remote_gpu.wire.frames import CONTROL, MAX_PAYLOAD, FrameDecoder, decode_control
from jupyter_remote_gpu.wire.records import Record

K1, K2, CLIENT = "1" * 32, "2" * 32, "c" * 32


# -- bindings


def test_the_local_kernel_wins_over_the_notebooks_name(tmp_path: Path) -> None:
    bindings = Bindings(tmp_path)
    bindings.bind("pod", K1, "/a.ipynb", "local-1")
    bindings.bind("pod", K2, "/b.ipynb", "local-2")
    assert bindings.find("pod", "/b.ipynb", "local-1") == K1
    assert bindings.find("pod", "/b.ipynb", "unknown") == K2
    assert bindings.find("pod", "/b.ipynb", None) == K2
    assert bindings.find("other", "/a.ipynb", "local-1") is None
    assert bindings.find("pod", None, None) is None


def test_a_renamed_notebook_takes_its_kernel_along(tmp_path: Path) -> None:
    bindings = Bindings(tmp_path)
    bindings.bind("pod", K1, "/old.ipynb", "local-1")
    assert bindings.find("pod", "/new.ipynb", "local-1") == K1
    bindings.bind("pod", K1, "/new.ipynb", "local-1", renamed=True)
    # After a restart the local kernel is another one: the new name finds it, the old does not.
    again = Bindings(tmp_path)
    assert again.find("pod", "/new.ipynb", "local-9") == K1
    assert again.find("pod", "/old.ipynb", "local-9") is None


def test_bindings_of_a_removed_pod_are_forgotten(tmp_path: Path) -> None:
    bindings = Bindings(tmp_path)
    bindings.bind("pod", K1, "/a.ipynb", "local")
    bindings.bind("other", K2, "/a.ipynb", "local")
    bindings.forget_pod("pod")
    assert Bindings(tmp_path).find("pod", "/a.ipynb", "local") is None
    assert Bindings(tmp_path).find("other", "/a.ipynb", "local") == K2


@pytest.mark.parametrize(
    "rows", ["null", "7", '{"notebooks": 3}', '{"notebooks": [1, ["a", "b"], ["a", "b", "../x"]]}']
)
def test_strange_bindings_are_passed_over(tmp_path: Path, rows: str) -> None:
    (tmp_path / "bindings.json").write_text(rows)
    assert Bindings(tmp_path).find("a", "b", None) is None


# -- the outbox


def request(number: int, **head: Any) -> Record:
    full = {"channel": "shell", "type": "execute_request", "client": CLIENT, "execution": K1}
    parts = [b'{"msg_id": "m"}', b"{}", b"{}", b'{"code": "1"}']
    return Record(number, number, {**full, **head}, parts)


def test_requests_wait_in_order_and_once() -> None:
    box = Outbox()
    for n in (1, 2, 3):
        assert box.add(CLIENT, request(n)) is not None
    assert box.add(CLIENT, request(2)) is None
    box.interrupts["tag"] = (CLIENT, K1)
    everything = b"".join(box.everything())
    kinds = [kind for kind, _ in FrameDecoder().feed(everything)]
    assert len(kinds) == 4
    assert kinds[-1] == CONTROL
    assert box.done(CLIENT, 2)
    assert not box.done(CLIENT, 2)
    assert [number for _, number in box.requests] == [1, 3]


def test_only_what_was_never_sent_is_taken_back() -> None:
    box = Outbox()
    box.add(CLIENT, request(1))
    box.everything()
    box.add(CLIENT, request(2))
    assert box.take_unsent() == [(CLIENT, 2)]
    assert list(box.requests) == [(CLIENT, 1)]
    assert box.take_all() == [(CLIENT, 1)]
    assert box.size == 0


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_module, "MAX_BYTES", 1000)
    box = Outbox()
    large = request(1)
    large.parts[3] = b'"' + b"x" * 2000 + b'"'
    assert box.add(CLIENT, large) is not None  # one alone is taken, however large
    with pytest.raises(RemoteGPUError, match="wait for the pod"):
        box.add(CLIENT, request(2))


@pytest.mark.parametrize(
    "bad",
    [
        request(1, client="d" * 32),
        request(1, type="shutdown_request"),
        request(1, type=None),
        request(1, execution=None),
        request(1, execution="../x"),
        Record(1, 2, request(1).head, request(1).parts),
        Record(1, 1, request(1).head, [b"{}"]),
        Record(1, 1, request(1).head, [b"{}", b"{}", b"{}", b"{}"]),
        Record(1, 1, request(1).head, [b"[", b"{}", b"{}", b"{}"]),
        Record(1, 1, request(1).head, [b'{"msg_id": "m"}', b"{}", b"{}", b"nonsense"]),
        Record(1, 1, request(1).head, [b'{"msg_id": "m"}', b"{}", b"{}", b'{"code": 5}']),
        request(1, meta=5),
    ],
)
def test_requests_that_a_keeper_would_not_take(bad: Record) -> None:
    with pytest.raises(WireError):
        check_request(bad, CLIENT)


def test_a_good_request_is_taken() -> None:
    check_request(request(1), CLIENT)
    check_request(request(1, type="comm_msg", execution=None), CLIENT)


# -- executions


def test_an_execution_that_runs_ends_where_the_log_does_however_old_it_is() -> None:
    folded = Executions()
    for n in range(RECENT + 10):
        info = ExecutionInfo(f"{n:032x}", CLIENT, n + 1, n + 1, "x", started=1.0)
        folded.all[info.id] = info
    oldest = folded.open[f"{0:032x}"] = folded.all[f"{0:032x}"]
    folded.last = 999
    assert folded.info(oldest.id).last == 999
    assert folded.info(f"{1:032x}").last == 2
    assert [e.first for e in folded.recent(3)] == [RECENT + 8, RECENT + 9, RECENT + 10]
    assert oldest.last == 1  # what is shown is not what is kept


# -- the snapshot


def test_only_the_newest_snapshot_is_delivered() -> None:
    async def work() -> None:
        pods = [PodInfo("a", "u@h:22")]
        built: list[int] = []

        def infos() -> list[PodInfo]:
            built.append(1)
            return pods

        snapshots = Snapshots(infos, {"pid": 1})
        start = snapshots.revision
        revision, _ = await snapshots.after(0)
        assert revision == start
        for n in range(100):
            pods[0].waiting = n
            snapshots.changed()
        revision, event = await asyncio.wait_for(snapshots.after(start), 5)
        assert revision == start + 1
        (_, payload) = next(iter(FrameDecoder().feed(event)))
        assert decode_control(payload)["snapshot"]["pods"][0]["waiting"] == 99
        assert len(built) == 2
        # Numbers that moved may wait; a state that changed meanwhile does not.
        snapshots.changed(LATER)
        snapshots.changed(NOW)
        await asyncio.wait_for(snapshots.after(revision), 0.5)
        # Whoever asks sees its own change at once.
        pods[0].waiting = 7
        snapshots.changed()
        assert snapshots.value()["pods"][0]["waiting"] == 7
        snapshots.close()

    asyncio.run(work())


def test_a_large_snapshot_is_trimmed_to_a_frame() -> None:
    def kernel(n: int, ended: str | None) -> KernelInfo:
        cells = [
            ExecutionInfo(f"{i:032x}", CLIENT, i, i, "é\n" * 1000, {"cell": "x" * 9999, "o": {}})
            for i in range(50)
        ]
        return KernelInfo(f"{n:032x}", K1, "a", started=n, ended=ended, executions=cells)

    kernels = [kernel(n, "died" if n % 2 else None) for n in range(200)]
    pods = [PodInfo(f"p{n}", "x", kernels=list(kernels)) for n in range(5)]

    async def work() -> dict[str, Any]:
        snapshots = Snapshots(lambda: pods, {})
        _, event = await snapshots.after(0)
        assert len(event) <= MAX_PAYLOAD + 9
        return snapshots.value()

    value = asyncio.run(work())
    assert len(json.dumps(value)) > 1000
    shown = value["pods"][0]["kernels"]
    assert shown
    assert all(k["ended"] is None for k in shown)
    assert shown[-1]["started"] == 198


# -- the working folder's name


def test_a_working_folder_keeps_its_name_and_is_safe_everywhere() -> None:
    one = working_name("l" * 32, "/home/me/My Study (2026)")
    assert one == working_name("l" * 32, "/home/me/My Study (2026)")
    assert one != working_name("m" * 32, "/home/me/My Study (2026)")
    assert one.startswith("My-Study--2026-")
    for folder in ("/", "/a/..", "/é", "/x" * 200, "/-rf", "/.ssh"):
        name = working_name("l" * 32, folder)
        assert name.isascii()
        assert "/" not in name
        assert name[0] not in ".-"
        assert len(name) < 80
