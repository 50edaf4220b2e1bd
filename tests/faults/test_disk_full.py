"""No room on the pod's disk and on the laptop's: kernel and cell go on, and the user is told."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.client.threaded import Face
from tests.faults.conftest import OpenPlace
from tests.faults.mixed import Plain, mixed, of
from tests.support.disks import filled
from tests.support.face import KernelFace
from tests.support.notebook import LocalKernel
from tests.support.place import Place
from tests.support.proxy import DOWN
from tests.support.sshd import can_hide

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="only Linux limits another process"
)


ROOT = pytest.mark.skipif(not can_hide(), reason="only root makes a small disk")
BOUNDS = {"journal_bytes": 64 << 20, "mirror_bytes": 64 << 20}
"""So large that nothing is compacted, and the bytes can be compared."""
SMALL = 8 << 20
"""Bytes of a disk that is filled: with room for a cell, once there is room."""


@contextlib.contextmanager
def _full(pid: int, folder: Path, left: int) -> Iterator[None]:
    """No file of process `pid` grows `left` bytes beyond the largest one in `folder`."""
    largest = max(p.stat().st_size for p in folder.glob("*.seg"))
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + left, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def _journal(place: Place, kernel: str) -> Path:
    return place.pod_kernel(kernel) / "journal"


def _mirror(place: Place, kernel: str) -> Path:
    return place.daemon.folder / "mirrors" / kernel / "log"


@pytest.mark.parametrize("left", [0, 5_000])
def test_a_face_is_told_of_both_files_that_cannot_grow_and_loses_nothing(
    place: Place, other: Face, plain: Plain, left: int
) -> None:
    face = KernelFace(place.face, "pod")
    face.run("print('before')")
    keeper = int(place.keeper_info(face.kernel)["keeper_pid"])
    log = _mirror(place, face.kernel)
    journal = _journal(place, face.kernel)
    full = (_full(keeper, journal, left), _full(place.daemon.pid, log, left))
    _both(place, face, other, plain, *full)


@ROOT
def test_a_face_is_told_of_both_disks_without_room_and_loses_nothing(
    open_place: OpenPlace, plain: Plain
) -> None:
    place = open_place(small=SMALL, **BOUNDS)
    other = Face(kind="test")
    other.client = uuid.uuid4().hex
    face = KernelFace(place.face, "pod")
    face.run("print('before')")
    log = _mirror(place, face.kernel)
    with contextlib.closing(other):
        full = (filled(_journal(place, face.kernel).parents[1]), filled(log.parents[1]))
        _both(place, face, other, plain, *full)


@ROOT
@pytest.mark.parametrize("killed", ["keeper", "daemon"])
def test_who_is_killed_while_there_is_no_room_leaves_whole_records(
    open_place: OpenPlace, plain: Plain, killed: str
) -> None:
    """A disk that fills up in the midst of a record: what was written of it counts for nothing."""
    place = open_place(small=SMALL, **BOUNDS)
    face = KernelFace(place.face, "pod")
    face.run("print('before')")
    journal, log = _journal(place, face.kernel), _mirror(place, face.kernel)
    said = "print('all of it', flush=True)"
    with filled((journal if killed == "keeper" else log).parents[1]):
        cell = face.submit(mixed(60, 0, f"{said}\ntime.sleep(600)"))
        face.until_text(cell, "all of it\n")
        where = "pod" if killed == "keeper" else "laptop"
        assert "disk takes nothing" in face.control("trouble", where=where)["message"]
        if killed == "keeper":
            # Here is more than there: it is kept, and not mixed with what is left of it.
            os.kill(int(place.keeper_info(face.kernel)["keeper_pid"]), signal.SIGKILL)
            told = face.control("link", code="kernel-gone")
            assert "lost the end" in told["reason"]
        else:
            place.daemon.kill()
            assert face.control("interrupted", tag=face.channel.interrupt(cell))["done"]
            assert face.ended(cell)["ename"] == "KeyboardInterrupt"
    if killed == "daemon":
        assert face.run("print('after')")["outcome"] == "ok"
    face.in_order()
    plain.check([m for m in of(face.records, cell) if m[0] != "error"], 60, said)
    # The next daemon reads whole records from what was there when the disk was full.
    face.close()
    place.daemon.kill()
    again = KernelFace(place.face, "pod", opened=face.opened)
    again.until(lambda: again.channel.cursor >= face.channel.cursor, "everything")
    again.in_order()
    plain.check([m for m in of(again.records, cell) if m[0] != "error"], 60, said)


def _both(
    place: Place,
    face: KernelFace,
    other: Face,
    plain: Plain,
    *full: contextlib.AbstractContextManager[None],
) -> None:
    """Run a cell while neither disk takes anything."""
    log = _mirror(place, face.kernel)
    with full[0], full[1]:
        cell = face.submit(mixed(300, 0.005))
        pod, laptop = (face.control("trouble", where=w)["message"] for w in ("pod", "laptop"))
        for told in (pod, laptop):
            assert "disk takes nothing" in told
            assert "make room" in told
        assert face.ended(cell)["outcome"] == "ok"
        # A face that comes now is told as well, and reads what is only in memory.
        late = KernelFace(other, "pod", opened=face.opened)
        late.control("trouble", where="pod", message=pod)
        late.control("trouble", where="laptop", message=laptop)
        late.ended(cell)
    for where in ("pod", "laptop"):
        face.control("trouble", where=where, message=None)
    assert face.run("print('after')")["outcome"] == "ok"
    face.in_order()
    plain.check(of(face.records, cell), 300)
    plain.check(of(late.records, cell), 300)
    late.close()
    # All of it is on both disks now: another daemon reads it.
    place.daemon.kill()
    again = KernelFace(other, "pod", opened=face.opened)
    again.until(lambda: again.channel.cursor >= face.channel.cursor, "everything")
    plain.check(of(again.records, cell), 300)
    journal = b"".join(p.read_bytes() for p in sorted(_journal(place, face.kernel).glob("*.seg")))
    assert journal == b"".join(p.read_bytes() for p in sorted(log.glob("*.seg")))


def test_cuts_while_the_pods_disk_is_full_lose_and_double_nothing(
    place: Place, plain: Plain
) -> None:
    face = KernelFace(place.face, "pod")
    face.run("1")
    keeper = int(place.keeper_info(face.kernel)["keeper_pid"])
    with _full(keeper, _journal(place, face.kernel), 0):
        # Full speed: the keeper writes, and keeps, many records together; cuts fall among them.
        place.proxy.drop_after(DOWN, 150_000, "cut")
        cell = face.submit(mixed(3000, 0))
        for nbytes in (77_777, 123_456, 99_999, None):
            assert place.proxy.wait_dropped(40), "so much was never sent"
            if nbytes is not None:
                place.proxy.drop_after(DOWN, nbytes, "cut")
            place.proxy.heal()
        assert face.ended(cell)["outcome"] == "ok"
    face.control("trouble", where="pod", message=None)
    face.in_order()
    plain.check(of(face.records, cell), 3000)


def test_the_notebook_says_what_is_no_longer_safe(place: Place, notebook: LocalKernel) -> None:
    assert notebook.run("%%gpu\nimport time\nprint('before')").reply["status"] == "ok"
    kernel = place.face.request("kernel.list", pod="pod")["kernels"][0]["id"]
    keeper = int(place.keeper_info(kernel)["keeper_pid"])
    go_on = place.sshd.home / "go-on"
    code = (
        "import os\nprint('x' * 1000, flush=True)\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.02)\nprint('end')"
    )
    with _full(keeper, _journal(place, kernel), 0):

        def on(kind: str, content: dict[str, Any]) -> None:
            if "disk" in str(content.get("data", "")):
                go_on.touch()  # the cell ends only when its user was told

        cell = notebook.run(f"%%gpu\n{code}", on=on)
    assert cell.text() == "x" * 1000 + "\nend\n"
    assert cell.reply["status"] == "ok"
