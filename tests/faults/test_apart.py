"""The pod of the fault tests has nothing of the laptop's: what works, works over the link."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import ROOT
from tests.support.face import KernelFace
from tests.support.place import Place
from tests.support.sshd import can_hide


def test_the_pod_cannot_see_the_laptops_files(place: Place) -> None:
    face = KernelFace(place.face, "pod")
    folders = [place.daemon.folder, place.daemon.run, ROOT / "jupyter_remote_gpu", ROOT / "tests"]
    cell = face.submit(
        "import importlib.util, json, os, pathlib\n"
        f"seen = [f for f in {[str(f) for f in folders]!r} if os.path.isdir(f) and os.listdir(f)]\n"
        "ours = importlib.util.find_spec('jupyter_remote_gpu') is not None\n"
        "print(json.dumps([seen, ours, str(pathlib.Path.home()), os.getcwd()]))"
    )
    assert face.ended(cell)["outcome"] == "ok"
    seen, ours, home, folder = json.loads(face.text(cell))
    assert home == str(place.sshd.home) != str(Path.home())
    assert Path(folder).is_relative_to(home) or folder.startswith("/workspace")
    assert not ours, "the pod's Python imports our code from somewhere"
    if can_hide():
        assert seen == []
        assert all(any(f.iterdir()) for f in folders), "there is nothing that could be seen"
