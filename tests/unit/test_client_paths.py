"""Where things lie on the laptop, and whom we trust there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from jupyter_remote_gpu import files
from jupyter_remote_gpu.client import paths
from jupyter_remote_gpu.client.versions import version_key
from jupyter_remote_gpu.errors import DaemonError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


def test_the_data_folder_is_private(home: Path) -> None:
    folder = paths.data_folder()
    assert folder == home / "data" / "remote-gpu"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_data_folder_that_others_may_enter_is_refused(home: Path) -> None:
    paths.data_folder().chmod(0o755)
    with pytest.raises(DaemonError, match="chmod 700"):
        paths.data_folder()


def test_the_socket_follows_the_data_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = paths.socket_path(make=True)
    assert one.parent == home / "run" / f"jrg-{os.getuid()}"
    assert stat.S_IMODE(one.parent.stat().st_mode) == 0o700
    assert paths.socket_path() == one
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(home / "other"))
    assert paths.socket_path() != one


def test_a_socket_folder_of_somebody_else_is_refused(home: Path) -> None:
    folder = home / "run" / f"jrg-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(DaemonError, match="Others may enter"):
        paths.socket_path()
    folder.rmdir()
    (home / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(home / "elsewhere")
    with pytest.raises(DaemonError, match="not a folder"):
        paths.socket_path()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_socket_folder_owned_by_another_user_is_refused(home: Path) -> None:
    folder = home / "run" / f"jrg-{os.getuid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)
    with pytest.raises(DaemonError, match="belongs to user 12345"):
        paths.socket_path()


def test_a_long_runtime_folder_is_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = home / ("x" * 90)
    long.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(long))
    path = paths.socket_path(make=True)
    assert path.parent == Path(f"/tmp/jrg-{os.getuid()}")
    assert len(os.fsencode(path)) <= paths.MAX_SOCKET_PATH
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert paths.socket_path() == path


def test_files_are_replaced_whole_and_private(home: Path) -> None:
    path = paths.data_folder() / "a.json"
    files.replace(path, '{"a": 1}')
    assert files.read(path) == files.load(path) == {"a": 1}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]


def test_damaged_files_are_set_aside_under_names_of_their_own(home: Path) -> None:
    names = set()
    for _ in range(3):
        path = paths.data_folder() / "a.json"
        path.write_text("{")
        assert files.read(path) == {}
        names.add(files.set_aside(path).name)
    assert len(names) == 3
    assert all(n.startswith("a.json.damaged-") for n in names)


def test_versions_are_ordered_as_releases_are() -> None:
    order = [
        "nonsense",
        "0.1.0.dev0",
        "0.1.0.dev3",
        "0.1.0a1",
        "0.1.0b2",
        "0.1.0rc1",
        "0.1.0",
        "0.1.1",
        "0.2.0.dev0",
        "0.10",
        "1.0.0",
    ]
    assert sorted({*order}, key=version_key) == order
    assert version_key("0.1") == version_key("0.1.0")
