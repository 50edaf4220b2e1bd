"""`kernel.list` over several pods, one of which does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import RemoteGPUError
from tests.support.command import cli
from tests.support.face import KernelFace
from tests.support.place import Place, whole_place


@pytest.fixture
def place(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole_place(short_tmp, pod_python, monkeypatch) as place:
        place.connect()
        yield place


def test_a_pod_that_does_not_answer_takes_no_list_away(place: Place, pod_python: str) -> None:
    one = KernelFace(place.face, "pod", notebook="/n/one.ipynb")
    place.face.request("pod.add", name="two", ssh=place.sshd.words(), python=pod_python)
    place.face.request("pod.pin", name="two", key=place.sshd.host_key_line)
    place.face.request("pod.connect", name="two")
    place.until_state("connected", "two")
    two = KernelFace(place.face, "two", notebook="/n/two.ipynb")
    place.proxy.half_open()
    found = place.face.request("kernel.list", timeout=60)
    assert list(found["errors"]) == ["pod"]
    rows = {k["id"]: k for k in found["kernels"]}
    # Both pods are one machine here: each kernel stands once, under the name that answers.
    assert len(rows) == len(found["kernels"])
    assert (rows[one.kernel]["pod"], rows[one.kernel]["mirrored"]) == ("two", False)
    assert rows[one.kernel]["listed"]
    assert rows[two.kernel]["pod"] == "two"
    assert rows[two.kernel]["alive"]
    assert rows[two.kernel]["listed"]
    assert "stale" not in rows[two.kernel]
    place.until_state("reconnecting")
    said = cli("kernels")
    assert two.kernel[:8] in said.out
    assert one.kernel[:8] in said.out
    place.proxy.heal(reset=True)
    place.until_state("connected")
    found = place.face.request("kernel.list")
    assert found["errors"] == {}
    # Both names answer: each kernel is its own mirror's.
    assert {k["id"]: k["pod"] for k in found["kernels"]} == {one.kernel: "pod", two.kernel: "two"}
    with pytest.raises(RemoteGPUError, match="no pod"):
        place.face.request("kernel.list", pod="three")
