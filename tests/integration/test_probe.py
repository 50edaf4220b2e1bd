"""What a pod is asked first: its Pythons, its kernelspecs, and what is wrong with it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from jupyter_remote_gpu.pod import probe
from tests.support.keeper import PodCommands


def test_the_named_python_becomes_a_kernelspec(commands: PodCommands) -> None:
    answer = commands.run("probe", {"python": commands.python})
    (spec,) = answer["kernelspecs"]
    assert spec["argv"][0] == spec["python"] == commands.python
    assert spec["ipykernel"]
    assert answer["free"] > 0
    assert Path(answer["state"]) == commands.state
    bridge = commands.start(argv=spec["argv"])
    assert bridge.run("1")["outcome"] == "ok"
    bridge.close()


def test_without_a_name_the_hosts_own_kernelspecs_come(commands: PodCommands) -> None:
    folder = commands.home / ".local" / "share" / "jupyter" / "kernels" / "cuda"
    folder.mkdir(parents=True)
    argv = [commands.python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "Python 3.12 (PyMC CUDA)", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps({**spec, "env": {"XLA": "1"}}))
    specs = {s["name"]: s for s in commands.run("probe")["kernelspecs"]}
    assert next(iter(specs)) == "python3", "the host's first choice comes first"
    assert specs["cuda"]["display_name"] == "Python 3.12 (PyMC CUDA)"
    assert specs["cuda"]["env"] == {"XLA": "1"}
    assert specs["cuda"]["python"] == commands.python


def test_a_python_without_ipykernel_gets_the_command_that_mends_it(commands: PodCommands) -> None:
    bare = commands.home / "bare"
    make = [commands.python, "-m", "venv", "--without-pip", str(bare)]
    subprocess.run(make, check=True, timeout=120)
    python = str(bare / "bin" / "python")
    error = commands.run("probe", {"python": python})["error"]
    assert error["code"] == "no-ipykernel"
    assert f"{python} -m pip install ipykernel" in error["message"]


@pytest.mark.parametrize(
    ("python", "words"), [("/no/such/python", "--python"), ("/bin/true", "does not run Python")]
)
def test_what_is_no_python_is_said_so(commands: PodCommands, python: str, words: str) -> None:
    error = commands.run("probe", {"python": python})["error"]
    assert error["code"] == "no-python"
    assert words in error["message"]


def test_a_pod_that_ends_what_a_session_leaves_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probe, "kills_user_processes", lambda: True)
    monkeypatch.setattr(probe, "lingers", lambda: False)
    (warning,) = probe._warnings(tmp_path, 1 << 40)
    assert "loginctl enable-linger" in warning
    (warning,) = [w for w in probe._warnings(tmp_path, 1 << 20) if "MB left" in w]
    assert str(tmp_path) in warning


@pytest.mark.parametrize("name", ["../x", "a/b", ".", "x" * 300, "a\0b"])
def test_a_working_folder_stays_below_its_base(commands: PodCommands, name: str) -> None:
    spec = {"kernel": "0" * 32, "spec": {"argv": ["true"]}, "folder": name}
    assert commands.run("start", spec)["error"]["code"] == "bad-input"


def test_commands_that_do_not_exist(commands: PodCommands) -> None:
    assert "reboot" in commands.run("reboot")["error"]["message"]
    assert commands.run("stop", {"kernel": "../../etc"})["error"]["code"] == "bad-input"
    assert commands.run("stop", {"kernel": "0" * 32})["error"]["code"] == "not-found"
