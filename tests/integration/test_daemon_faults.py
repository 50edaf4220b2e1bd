"""What can go wrong between a mirror and its journal, with the real processes."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_remote_gpu.errors import RemoteGPUError, WireError
from tests.faults.mixed import Plain, mixed, of
from tests.support.daemon import RawFace, until
from tests.support.face import PATIENCE, KernelFace
from tests.support.place import Place, whole_place


@pytest.fixture
def place(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole_place(short_tmp, pod_python, monkeypatch) as place:
        place.connect()
        yield place


def disconnect(place: Place) -> None:
    place.face.request("pod.disconnect", name="pod")
    place.until_state("disconnected")


def kernel_info(place: Place, kernel: str) -> dict[str, object]:
    pods = place.face.request("snapshot")["pods"]
    return next(k for p in pods for k in p["kernels"] if k["id"] == kernel)


LAST = "print('all-' + 'of-it', flush=True)"
"""The end of what is printed before the kill; the words are in no request."""


def test_a_kernel_that_died_while_nobody_looked_is_read_to_its_end(
    place: Place, plain: Plain
) -> None:
    face = KernelFace(place.face, "pod")
    go_on = place.sshd.home / "go-on"
    gate = f"import os\nwhile not os.path.exists({str(go_on)!r}): time.sleep(0.01)\n"
    more = "for i in range(200): print('more', i, flush=True)\n"
    cell = face.submit(mixed(40, 0, f"{gate}{more}{LAST}\ntime.sleep(60)"))
    face.until_text(cell, "out 39\n")
    disconnect(place)
    go_on.touch()
    # A killed process takes along what its socket has not sent yet.
    journal = place.pod_kernel(face.kernel) / "journal"
    until(lambda: any(b"all-of-it" in p.read_bytes() for p in journal.glob("*.seg")), "all of it")
    info = place.keeper_info(face.kernel)
    os.kill(info["pid"], signal.SIGKILL)
    until(lambda: not psutil.pid_exists(info["keeper_pid"]), "the keeper's end", 30)
    place.connect()
    assert face.ended(cell)["outcome"] == "died"
    face.in_order()
    plain.check(of(face.records, cell), 40, more + LAST)
    face.submit("1")
    assert face.control("rejected")["error"]["code"] == "kernel-ended"
    until(lambda: kernel_info(place, face.kernel)["ended"] == "died", "the snapshot's word")
    # The next cell of the notebook gets a new kernel.
    assert KernelFace(place.face, "pod").kernel != face.kernel


def test_a_keeper_killed_ends_its_cell_and_keeps_what_was_printed(
    place: Place, plain: Plain
) -> None:
    face = KernelFace(place.face, "pod")
    cell = face.submit(mixed(40, 0, f"{LAST}\ntime.sleep(60)"))
    face.until_text(cell, "all-of-it\n")
    os.kill(place.keeper_info(face.kernel)["keeper_pid"], signal.SIGKILL)
    assert face.ended(cell)["outcome"] == "died"
    face.in_order()
    plain.check(of(face.records, cell), 40, LAST)


def test_another_journal_under_the_same_id_is_never_mixed_in(place: Place) -> None:
    face = KernelFace(place.face, "pod")
    face.run("print('the first journal')")
    disconnect(place)
    folder = place.pod_kernel(face.kernel)
    info = place.keeper_info(face.kernel)
    os.kill(info["keeper_pid"], signal.SIGTERM)
    until(lambda: not psutil.pid_exists(info["keeper_pid"]), "the keeper's end", 30)
    other = uuid.uuid4().hex
    identity = json.loads((folder / "identity.json").read_text())
    (folder / "identity.json").write_text(json.dumps({**identity, "identity": other}))
    place.connect()
    with pytest.raises(WireError) as caught:
        face.until(lambda: False, "the end of the channel")
    assert caught.value.code == "identity"
    assert caught.value.details["identity"] == other
    until(lambda: kernel_info(place, face.kernel)["identity"] == other, "the new identity")
    names = [p.name for p in (place.daemon.folder / "mirrors").iterdir()]
    assert len([n for n in names if n.startswith(f"{face.kernel}.damaged-")]) == 1
    fresh = KernelFace(place.face, "pod", opened={**face.opened, "identity": other})
    fresh.until(lambda: any(r.type == "died" for r in fresh.records), "the new journal's end")
    assert fresh.records[0].first == 1


def test_a_kernel_that_the_pod_has_lost_is_said_so_once_and_stays_readable(place: Place) -> None:
    face = KernelFace(place.face, "pod")
    cell = face.submit("print('kept')")
    face.ended(cell)
    disconnect(place)
    info = place.keeper_info(face.kernel)
    folder = place.pod_kernel(face.kernel)
    os.kill(info["keeper_pid"], signal.SIGKILL)
    until(lambda: not psutil.pid_exists(info["keeper_pid"]), "the keeper's end", 30)
    with_pid = psutil.pid_exists(info["pid"])
    if with_pid:
        os.kill(info["pid"], signal.SIGKILL)
    shutil.rmtree(folder)
    place.connect()
    assert "has no kernel" in face.control("link", state="failed")["reason"]
    face.submit("1")
    assert face.control("rejected")["error"]["code"] == "kernel-gone"
    place.daemon.kill()
    again = KernelFace(place.face, "pod", opened=face.opened)
    again.until_text(cell, "kept")
    assert kernel_info(place, face.kernel)["ended"] == "gone"
    assert KernelFace(place.face, "pod").kernel != face.kernel


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits another process")
def test_a_full_disk_under_the_mirror_is_told_and_nothing_is_lost(place: Place) -> None:
    face = KernelFace(place.face, "pod")
    face.run("print('before')")
    # As a full disk for the daemon alone: files cannot grow beyond this size.
    log = place.daemon.folder / "mirrors" / face.kernel / "log"
    size = sum(p.stat().st_size for p in log.iterdir())
    _, hard = resource.prlimit(place.daemon.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(place.daemon.pid, resource.RLIMIT_FSIZE, (size + 10_000, hard))
    cell = face.submit("for i in range(3000): print(i, flush=True)")
    assert face.ended(cell)["outcome"] == "ok"
    text = "".join(f"{i}\n" for i in range(3000))
    assert face.text(cell) == text
    told = face.control("trouble", where="laptop")
    assert "disk takes nothing" in told["message"]
    resource.prlimit(place.daemon.pid, resource.RLIMIT_FSIZE, (hard, hard))
    face.control("trouble", where="laptop", message=None)
    # Killed while the disk is full: the face has read what no file of the laptop holds.
    size = sum(p.stat().st_size for p in log.iterdir())
    resource.prlimit(place.daemon.pid, resource.RLIMIT_FSIZE, (size + 1000, hard))
    face.ended(face.submit("for i in range(500): print(i, flush=True)"))
    cursor = face.channel.cursor
    place.daemon.kill()
    assert face.run("print('goes on')")["outcome"] == "ok"
    assert face.channel.cursor > cursor
    face.in_order()
    again = KernelFace(place.face, "pod", opened=face.opened)
    again.ended(cell)
    assert again.text(cell) == text


def test_twelve_kernels_on_one_pod(place: Place) -> None:
    faces = [KernelFace(place.face, "pod", notebook=f"/n/{n}.ipynb") for n in range(12)]
    assert len({f.kernel for f in faces}) == 12
    cells = [(f, f.submit(f"print({n})")) for n, f in enumerate(faces)]
    for n, (face, cell) in enumerate(cells):
        assert face.ended(cell, 2 * PATIENCE)["outcome"] == "ok"
        assert face.text(cell) == f"{n}\n"
    for face in faces:
        place.face.request("kernel.stop", pod="pod", kernel=face.kernel)
    for face in faces:
        face.until(lambda f=face: any(r.type == "died" for r in f.records), "the kernel's end")


def test_a_client_that_comes_back_supersedes_its_predecessor(place: Place) -> None:
    face = KernelFace(place.face, "pod")
    face.run("1")
    client = uuid.uuid4().hex
    hello = {"client": client, "pod": "pod", "identity": face.opened["identity"]}
    with RawFace() as half_open, RawFace() as back:
        assert half_open.hello(f"kernel:{face.kernel}", **hello)["type"] == "welcome"
        assert back.hello(f"kernel:{face.kernel}", **hello)["type"] == "welcome"
        said = list(iter(half_open.message, {}))
        assert said[-1]["error"]["code"] == "superseded"
        assert back.message()["type"] == "link"
    with RawFace() as wrong:
        answer = wrong.hello(f"kernel:{face.kernel}", **{**hello, "cursor": 10_000_000})
        assert answer["error"]["code"] == "cursor"
    with RawFace() as wrong:
        answer = wrong.hello(f"kernel:{face.kernel}", **{**hello, "identity": "0" * 32})
        assert answer["error"]["code"] == "identity"


def test_two_channels_of_one_client_do_not_push_each_other_out_for_ever(place: Place) -> None:
    first = KernelFace(place.face, "pod")
    first.run("1")
    second = KernelFace(place.face, "pod", opened=first.opened)
    with pytest.raises(RemoteGPUError) as ended:
        first.channel.done.result(PATIENCE)
    assert ended.value.code == "superseded"
    assert second.run("print(2)")["outcome"] == "ok"
    assert not second.channel.done.done()


def test_a_kernel_that_dies_in_start_up_says_why(place: Place) -> None:
    face = KernelFace(place.face, "pod")
    face.run("import os, pathlib; home = pathlib.Path.home()")
    (place.sshd.home / ".ipython" / "profile_default").mkdir(parents=True, exist_ok=True)
    config = place.sshd.home / ".ipython" / "profile_default" / "ipython_kernel_config.py"
    config.write_text("import os, sys\nprint('no GPU today', file=sys.stderr)\nos._exit(3)\n")
    other = KernelFace(place.face, "pod", notebook="/n/other.ipynb")
    other.until(lambda: any(r.type == "died" for r in other.records), "the kernel's end")
    died = next(r for r in other.records if r.type == "died").content
    assert died["code"] == 3
    assert "no GPU today" in died["stderr"]
    config.unlink()
    fresh = KernelFace(place.face, "pod", notebook="/n/other.ipynb")
    assert fresh.opened["before"]["kernel"] == other.kernel
    assert fresh.opened["before"]["ended"] == "died"
    assert fresh.run("1")["outcome"] == "ok"


def test_stopping_what_is_not_there_is_refused_with_a_sentence(place: Place) -> None:
    face = KernelFace(place.face, "pod")
    face.run("1")
    for bad in ({"pod": "elsewhere", "kernel": face.kernel}, {"pod": "pod", "kernel": "../x"}):
        with pytest.raises(RemoteGPUError):
            place.face.request("kernel.stop", **bad)
    with pytest.raises(RemoteGPUError, match="no such kernel"):
        place.face.request("kernel.stop", pod="pod", kernel="0" * 32)
    assert face.run("2")["outcome"] == "ok"
    place.face.request("kernel.stop", pod="pod", kernel=face.kernel)
    face.until(lambda: any(r.type == "died" for r in face.records), "the kernel's end")
