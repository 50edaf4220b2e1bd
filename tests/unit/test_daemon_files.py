"""State files that cannot be read are no empty ones: nothing of them is written anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu import files
from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.errors import DaemonError
from tests.support.daemon import OwnDaemon, own_daemon, until

STATE = ("laptop.json", "wanted.json", "bindings.json", "pods.json", "settings.json")


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnDaemon]:
    with own_daemon(tmp_path, monkeypatch) as own:
        yield own


@pytest.fixture
def face(daemon: OwnDaemon) -> Iterator[Face]:
    face = Face(kind="test")
    face.request("pod.add", name="pod", ssh="ssh me@127.0.0.1 -p 1")
    daemon.kill()
    yield face
    face.close()


def unreadable(path: Path) -> None:
    """Also for root: a link that leads to itself."""
    path.unlink(missing_ok=True)
    path.symlink_to(path)


@pytest.mark.parametrize("name", STATE)
def test_a_file_that_cannot_be_read_is_said_and_left(
    daemon: OwnDaemon, face: Face, name: str
) -> None:
    path = daemon.folder / name
    unreadable(path)
    with pytest.raises(DaemonError, match=f"{name}: Too many levels.*left as it is"):
        face.request("snapshot")
    assert path.is_symlink()
    assert not [p.name for p in daemon.folder.iterdir() if ".damaged-" in p.name]
    until(lambda: not daemon.processes(), "the daemon's end")
    path.unlink()
    assert face.request("snapshot")["pods"] or name == "pods.json"


def test_what_a_pod_said_last_time_can_be_asked_again(daemon: OwnDaemon, face: Face) -> None:
    (daemon.folder / "probes").mkdir()
    unreadable(daemon.folder / "probes" / "pod.json")
    assert face.request("snapshot")["pods"][0]["name"] == "pod"
    assert "probes/pod.json cannot be read" in daemon.log()


def test_a_mirror_that_cannot_be_read_stays_where_it_is(daemon: OwnDaemon, face: Face) -> None:
    folder = daemon.folder / "mirrors" / ("a" * 32)
    folder.mkdir(parents=True)
    unreadable(folder / "kernel.json")
    assert face.request("snapshot")["pods"][0]["kernels"] == []
    assert [p.name for p in folder.parent.iterdir()] == ["a" * 32]
    assert (folder / "kernel.json").is_symlink()
    assert f"{folder} cannot be read now" in daemon.log()


def test_a_missing_file_is_empty_and_another_trouble_is_told(tmp_path: Path) -> None:
    assert files.load(tmp_path / "none.json") == {}
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(OSError, match="folder"):
        files.load(tmp_path / "folder.json")
    assert os.listdir(tmp_path) == ["folder.json"]
