"""A pod that lost the end of its journal (its disk was not told to keep it) with its power."""

from __future__ import annotations

import os
import signal

import pytest

from jupyter_remote_gpu.errors import PodError
from jupyter_remote_gpu.wire.frames import HEAD
from tests.support.face import PATIENCE, KernelFace
from tests.support.place import Place


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_who_has_more_than_the_pod_is_told(place: Place, lost: int) -> None:
    """Also where what the pod says of the end has just the numbers of what was lost."""
    face = KernelFace(place.face, "pod")
    cell = face.submit("import time\nfor i in range(9): print(i, flush=True)\ntime.sleep(600)")
    face.until_text(cell, "8\n")
    info = place.keeper_info(face.kernel)
    place.proxy.cut()
    os.kill(info["keeper_pid"], signal.SIGKILL)
    os.killpg(info["pid"], signal.SIGKILL)
    segment = max((place.pod_kernel(face.kernel) / "journal").glob("*.seg"))
    data, starts = segment.read_bytes(), [0]
    while starts[-1] < len(data):
        size, *_ = HEAD.unpack_from(data, starts[-1])
        starts.append(starts[-1] + HEAD.size + size)
    os.truncate(segment, starts[-1 - lost])
    place.proxy.heal()
    assert "lost the end" in face.control("link", code="kernel-gone")["reason"]
    # Who asks again at once is told the same, and not that the pod does not answer.
    args = {"pod": "pod", "client": place.face.client, "notebook": "/n/a.ipynb", "folder": "/n"}
    with pytest.raises(PodError, match="lost the end") as refused:
        place.face.request("kernel.open", timeout=PATIENCE, fresh=False, **args)
    assert refused.value.message.count("%gpu restart") == 1, "one way on, once"
    assert face.text(cell) == "".join(f"{i}\n" for i in range(9))
    face.in_order()
