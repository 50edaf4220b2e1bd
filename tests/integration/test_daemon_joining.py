"""`kernel.bind`: a notebook takes up a kernel that it has lost, or that it never had."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.errors import BadInput, NotConnected, NotFound
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.place import Place, whole_place

NEW: dict[str, Any] = {"notebook": "/n/new.ipynb", "local_kernel": uuid.uuid4().hex}


@pytest.fixture
def place(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole_place(short_tmp, pod_python, monkeypatch) as place:
        place.connect()
        yield place


def lost_kernel(place: Place) -> KernelFace:
    """A notebook's kernel that holds something, and that nobody follows any more."""
    cell = KernelFace(place.face, "pod", notebook="/n/old.ipynb", local_kernel=uuid.uuid4().hex)
    assert cell.run("kept = 12")["outcome"] == "ok"
    cell.close()
    return cell


def holds_it(place: Place, opened: dict[str, Any], pod: str = "pod") -> None:
    cell = KernelFace(place.face, pod, opened=opened, cursor=opened["last"])
    execution = cell.submit("print(kept)")
    assert cell.ended(execution)["outcome"] == "ok"
    assert cell.text(execution) == "12\n"
    cell.close()


def bind(place: Place, kernel: str, pod: str = "pod") -> dict[str, Any]:
    return place.face.request("kernel.bind", timeout=60, pod=pod, kernel=kernel, **NEW)


def test_a_notebook_that_was_renamed_while_closed_joins_its_kernel_again(place: Place) -> None:
    lost = lost_kernel(place)
    where = {"folder": "/n", "fresh": False, "client": place.face.client}
    opened = place.face.request("kernel.open", timeout=60, pod="pod", **NEW, **where)
    assert not opened["joined"]
    assert [(k["id"], k["notebook"]) for k in opened["left"]] == [(lost.kernel, "/n/old.ipynb")]
    bound = bind(place, lost.kernel)
    assert (bound["kernel"], bound["joined"]) == (lost.kernel, True)
    holds_it(place, bound)
    again = place.face.request("kernel.open", timeout=60, pod="pod", **NEW, **where)
    assert (again["kernel"], again["joined"]) == (lost.kernel, True)
    # Who has a kernel is not told of others.
    assert "left" not in again


def test_a_kernel_that_somebody_works_with_is_not_offered(place: Place) -> None:
    cell = KernelFace(place.face, "pod", notebook="/n/old.ipynb")
    other = Face(kind="test")
    try:
        where = {"folder": "/n", "fresh": False, "client": uuid.uuid4().hex}
        opened = other.request("kernel.open", timeout=60, pod="pod", **NEW, **where)
    finally:
        other.close()
    assert not opened["joined"]
    assert cell.kernel not in [k["id"] for k in opened["left"]]


def test_a_pod_that_was_removed_and_added_under_another_name(place: Place, pod_python: str) -> None:
    lost = lost_kernel(place)
    place.face.request("pod.remove", name="pod")
    words = place.sshd.words(place.proxy.port)
    place.face.request("pod.add", name="two", ssh=words, python=pod_python)
    place.face.request("pod.pin", name="two", key=place.sshd.host_key_line)
    with pytest.raises(NotConnected):
        bind(place, lost.kernel, "two")
    place.face.request("pod.connect", name="two")
    place.until_state("connected", "two")
    where = {"folder": "/n", "fresh": False, "client": place.face.client}
    opened = place.face.request("kernel.open", timeout=60, pod="two", **NEW, **where)
    assert [k["id"] for k in opened["left"]] == [lost.kernel]
    bound = bind(place, lost.kernel, "two")
    assert bound["pod"] == "two"
    holds_it(place, bound, "two")


def test_a_kernel_that_this_laptop_has_never_opened(place: Place) -> None:
    lost = lost_kernel(place)
    place.face.request("daemon.stop")
    until(lambda: not place.daemon.processes(), "the daemon's end")
    shutil.rmtree(place.daemon.folder / "mirrors" / lost.kernel)
    place.until_state("connected")
    bound = bind(place, lost.kernel)
    cell = KernelFace(place.face, "pod", opened=bound)
    cell.until(lambda: any(r.type == "ended" for r in cell.records), "what it said before")
    cell.close()
    holds_it(place, {**bound, "last": cell.records[-1].last})


def test_what_cannot_be_bound_is_told(place: Place) -> None:
    lost = lost_kernel(place)
    with pytest.raises(BadInput, match="is not a kernel's id"):
        bind(place, "../etc")
    with pytest.raises(NotFound, match=r"No kernel ffffff lives on pod\. `%gpu kernels`"):
        bind(place, "f" * 32)
    place.face.request("kernel.stop", pod="pod", kernel=lost.kernel)
    with pytest.raises(NotFound, match=f"No kernel {lost.kernel[:6]} lives on pod"):
        until(lambda: not bind(place, lost.kernel), "the kernel's end")
    with pytest.raises(NotFound, match="no pod"):
        bind(place, lost.kernel, "three")
