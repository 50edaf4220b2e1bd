"""What a pod is asked first: its Pythons, its kernelspecs, and what is wrong with it."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.pod import logind, paths, probe
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


def test_without_a_name_the_hosts_own_kernelspec_comes(commands: PodCommands) -> None:
    (spec,) = commands.run("probe")["kernelspecs"]
    assert spec["name"] == "python3"
    assert spec["argv"][0] == spec["python"] == commands.python


def kernelspec(name: str, program: object, **more: object) -> dict[str, object]:
    argv = [str(program), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"name": name, "argv": argv, "display_name": name, "language": "python", "env": {}}
    return {**spec, "interrupt_mode": "signal", **more}


def usable(*specs: dict[str, object]) -> dict[str, Any] | None:
    """What a host with these kernelspecs is asked to run."""
    host = {"python": sys.executable, "version": "3.11.2", "ipykernel": "7.4", "zmq": "27"}
    return probe._usable({**host, "specs": list(specs)})


def fake_python(folder: Path, version: str) -> Path:
    """A program that answers as a Python of that version would; it notes that it was asked."""
    program = folder / f"python-{version}"
    answer = {"version": version, "ipykernel": "6.29", "zmq": "25"}
    program.write_text(f"#!/bin/sh\ntouch {program}.asked\necho 'jrg-probe {json.dumps(answer)}'\n")
    program.chmod(0o755)
    return program


def test_kernelspecs_that_cannot_run_are_passed_over(tmp_path: Path) -> None:
    stale = kernelspec("python3", tmp_path / "removed" / "bin" / "python")
    bash = kernelspec("bash", "/bin/sh", language="bash", argv=["/bin/sh"])
    wrapper = kernelspec("wrapper", "", argv=["/no/such/wrapper", "{connection_file}"])
    assert usable(stale, bash, wrapper) is None
    python = fake_python(tmp_path, "3.12.1")
    found = usable(stale, bash, wrapper, kernelspec("cuda", python, env={"XLA": "1"}))
    assert found is not None
    assert (found["name"], found["env"]) == ("cuda", {"XLA": "1"})
    assert found["python"] == found["argv"][0] == str(python)


def test_only_the_one_that_is_used_is_asked(tmp_path: Path) -> None:
    first, second = (fake_python(tmp_path, v) for v in ("3.12.1", "3.13.1"))
    found = usable(kernelspec("a", first), kernelspec("b", second))
    assert found is not None
    assert found["name"] == "a"
    assert {p.name for p in tmp_path.glob("*.asked")} == {f"{first.name}.asked"}


def test_a_python_too_old_for_a_keeper_gets_one_in_another(
    commands: PodCommands, tmp_path: Path
) -> None:
    old = fake_python(tmp_path, "3.9.18")
    found = usable(kernelspec("python3", old))
    assert found is not None
    assert (found["argv"][0], found["python"]) == (str(old), sys.executable)
    error = commands.run("probe", {"python": str(old)})["error"]
    assert error["code"] == "no-python"
    assert "3.9.18" in error["message"]
    assert "--python" in error["message"]


def test_a_python_without_ipykernel_gets_the_command_that_mends_it(commands: PodCommands) -> None:
    bare = commands.home / "bare"
    make = [commands.python, "-m", "venv", "--without-pip", str(bare)]
    subprocess.run(make, check=True, timeout=120)
    python = str(bare / "bin" / "python")
    error = commands.run("probe", {"python": python})["error"]
    assert error["code"] == "no-ipykernel"
    assert f"{python} -m pip install ipykernel" in error["message"]
    assert "--python PATH" in error["message"]


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
    monkeypatch.setattr(logind, "kills_user_processes", lambda: True)
    monkeypatch.setattr(logind, "lingers", lambda: False)
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


def test_a_socket_finds_a_place_however_long_the_paths_are(
    monkeypatch: pytest.MonkeyPatch, short_tmp: Path
) -> None:
    kernel = uuid.uuid4().hex
    for name in ("x" * 90, "é" * 50):  # as long in bytes, and shorter in characters
        state = short_tmp / name
        state.mkdir()
        monkeypatch.setenv("JRG_STATE", str(state))
        monkeypatch.setattr(tempfile, "tempdir", str(state))
        folder = paths.socket_folder(kernel)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(folder / "keeper.sock"))
        assert not folder.is_relative_to(state)
        paths.remove_sockets(state, folder)
        assert not folder.exists()
