"""The archive, and the one line that brings it to a pod: run by real shells and Pythons."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.errors import PodError, RemoteGPUError, TransportError
from jupyter_remote_gpu.link import archive, bootstrap

PATIENCE = 60.0
Spec = dict[str, object]
SHELLS = [s for s in ("sh", "bash", "dash", "zsh", "fish", "csh", "tcsh") if shutil.which(s)]


def pythons() -> list[str]:
    """Real Pythons of this machine, 3.10 and newer; not the shims of a version manager."""
    found = {os.path.realpath(sys.executable)}
    for minor in range(10, 15):
        if candidate := shutil.which(f"python3.{minor}"):
            ask = [candidate, "-c", "import sys; print(sys.executable)"]
            done = subprocess.run(ask, capture_output=True, text=True, timeout=PATIENCE)
            if done.returncode == 0:
                found.add(os.path.realpath(done.stdout.strip()))
    return sorted(found)


class Pod:
    """A home folder, a PATH and a login shell: all of a pod that the loader sees."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.home.mkdir()
        self.bin.mkdir()
        for tool in ("sh", "head"):
            found = shutil.which(tool)
            assert found is not None
            (self.bin / tool).symlink_to(found)
        self.python(sys.executable)
        self.env = {"HOME": str(self.home), "PATH": str(self.bin)}
        self.shell = shutil.which("sh") or "/bin/sh"
        self.before = ""
        self.stderr = b""

    @property
    def state(self) -> Path:
        return self.home / ".local/share/jupyter-remote-gpu"

    @property
    def archive(self) -> Path:
        return self.state / "code" / f"{archive.build().sha256}.zip"

    def python(self, path: str | Path, name: str = "python3") -> Path:
        """Put a Python on the PATH. (A link to one in a virtual environment would leave it.)"""
        place = self.bin / name
        place.write_text(f'#!{shutil.which("sh")}\nexec "{path}" "$@"\n')
        place.chmod(0o755)
        return place

    def fake(self, name: str, says: str, code: int) -> Path:
        place = self.bin / name
        place.write_text(f"#!{shutil.which('sh')}\necho {says}\nexit {code}\n")
        place.chmod(0o755)
        return place

    def run(
        self,
        command: str = "list",
        spec: dict[str, object] | None = None,
        python: str | None = None,
    ) -> bootstrap.Answer:
        return asyncio.run(asyncio.wait_for(self._run(command, spec or {}, python), PATIENCE))

    async def _run(self, command: str, spec: Spec, python: str | None) -> bootstrap.Answer:
        nonce, words = bootstrap.new_nonce(), bootstrap.words_of(spec)
        line = bootstrap.command_line(command, words, python, nonce)
        process = await asyncio.create_subprocess_exec(
            self.shell,
            "-c",
            self.before + line,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.env,
            cwd=self.home,
        )
        assert process.stdin is not None and process.stdout is not None
        assert process.stderr is not None
        pipes = Pipes(process.stdout, process.stdin)
        try:
            return await bootstrap.converse(pipes, words, nonce, python, process.stdin.drain)
        finally:
            self.sent = pipes.sent
            process.stdin.close()
            await process.stdout.read()
            self.stderr = await process.stderr.read()
            await process.wait()


class Pipes:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self.sent = reader, writer, 0

    async def read(self, size: int) -> bytes:
        return await self._reader.read(size)

    def write(self, data: bytes) -> None:
        self.sent += len(data)
        self._writer.write(data)


@pytest.fixture
def pod(tmp_path: Path) -> Pod:
    return Pod(tmp_path)


def failure(pod: Pod, kind: type[RemoteGPUError], **how: Any) -> RemoteGPUError:
    with pytest.raises(RemoteGPUError) as caught:
        pod.run(**how)
    assert type(caught.value) is kind, repr(caught.value)
    return caught.value


def test_the_archive_is_the_same_for_the_same_code() -> None:
    first = archive.build()
    archive.build.cache_clear()
    again = archive.build()
    assert first.data == again.data and first.sha256 == hashlib.sha256(first.data).hexdigest()
    with zipfile.ZipFile(io.BytesIO(first.data)) as z:
        names = z.namelist()
        assert {i.date_time for i in z.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert "__main__.py" in names and "jupyter_remote_gpu/pod/keeper.py" in names
    assert all(n.endswith(".py") for n in names)
    parts = {n.split("/")[1] for n in names if n.count("/") == 2}
    assert parts == {"pod", "wire"}, "the laptop's side has no place on a pod"


# -- the way there


@pytest.mark.parametrize("shell", SHELLS)
def test_every_login_shell_passes_the_line_on(pod: Pod, shell: str) -> None:
    pod.shell = shutil.which(shell) or shell
    assert pod.run().info == {"kernels": []}
    assert pod.sent > len(archive.build().data), "the archive was sent"
    assert pod.run().info == {"kernels": []}
    assert pod.sent == 0, "it was there already"
    assert pod.stderr == b""


@pytest.mark.parametrize("python", pythons())
def test_every_python_runs_it(pod: Pod, python: str) -> None:
    pod.python(python)
    assert pod.run().info == {"kernels": []}


def test_a_later_python_is_taken_when_the_first_is_too_old(pod: Pod) -> None:
    pod.fake("python3", "Python 3.8.1", 1)
    pod.python(sys.executable, "python3.12")
    assert pod.run().info == {"kernels": []}


def test_the_named_python_in_the_home_folder(pod: Pod) -> None:
    folder = pod.home / "my venv"
    folder.mkdir()
    pod.python(sys.executable).rename(folder / "python")
    assert pod.run(python="~/my venv/python").info == {"kernels": []}
    # The command gets it whole, too: what fails here is only that it has no ipykernel.
    error = failure(
        pod, PodError, command="probe", python="~/my venv/python", spec={"python": "~/no such"}
    )
    assert str(pod.home / "no such") in error.message


def test_what_a_login_shell_prints_is_kept_apart(pod: Pod) -> None:
    pod.before = "printf 'Welcome to\\n  your pod'; "
    answer = pod.run()
    assert answer.noise == "Welcome to\n  your pod"
    assert answer.info == {"kernels": []}


def test_a_login_shell_that_prints_without_end(pod: Pod) -> None:
    pod.before = "yes nonsense | head -n 20000; "
    (pod.bin / "yes").symlink_to(shutil.which("yes") or "")
    error = failure(pod, PodError)
    assert error.code == "noisy-shell" and "nonsense" in error.message


def test_a_machine_that_runs_no_commands(pod: Pod) -> None:
    pod.before = "echo This account is for tunnels only; exit 1; "
    error = failure(pod, PodError)
    assert error.code == "no-command" and "tunnels only" in error.message


def test_a_connection_that_ends_before_a_word(pod: Pod) -> None:
    pod.before = "exit 0; "
    failure(pod, TransportError)


# -- what a pod can lack


def test_no_python_at_the_named_place(pod: Pod) -> None:
    error = failure(pod, PodError, python="/nowhere/python")
    assert error.code == "no-python" and "/nowhere/python" in error.message


def test_a_python_that_does_not_run_is_not_called_old(pod: Pod) -> None:
    broken = pod.fake("broken", "pyenv: version not installed", 127)
    error = failure(pod, PodError, python=str(broken))
    assert error.code == "no-python"
    assert "pyenv: version not installed" in error.message and "old" not in error.message


def test_the_named_python_is_too_old(pod: Pod) -> None:
    old = pod.fake("old", "Python 3.8.1", 1)
    error = failure(pod, PodError, python=str(old))
    assert error.code == "old-python"
    assert "Python 3.8.1" in error.message and "3.10" in error.message


def test_no_place_to_write(pod: Pod) -> None:
    pod.env["JRG_STATE"] = "/dev/null/state"
    error = failure(pod, PodError)
    assert error.code == "no-place" and "/dev/null/state" in error.message


def test_a_full_disk(pod: Pod) -> None:
    # The archive's temporary file is a link to a device that takes nothing.
    pod.before = f"ln -s /dev/full {pod.archive}.$$; "
    pod.archive.parent.mkdir(parents=True)
    (pod.bin / "ln").symlink_to(shutil.which("ln") or "")
    error = failure(pod, PodError)
    assert error.code == "no-place" and "space" in error.message
    assert os.listdir(pod.archive.parent) == [], "nothing half-written is left"


# -- whose code is run


def test_the_state_is_private(pod: Pod) -> None:
    pod.run()
    for path in (pod.state, pod.archive):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_an_archive_that_others_can_write_is_not_used(pod: Pod) -> None:
    pod.run()
    pod.archive.chmod(0o666)
    pod.run()
    assert pod.sent, "it was sent anew"
    assert stat.S_IMODE(pod.archive.stat().st_mode) == 0o600


def test_an_archive_that_was_changed_is_not_used(pod: Pod) -> None:
    pod.run()
    data = bytearray(pod.archive.read_bytes())
    data[len(data) // 2] ^= 1
    pod.archive.write_bytes(data)
    pod.run()
    assert pod.archive.read_bytes() == archive.build().data


def test_a_link_in_the_archives_place_is_not_followed(pod: Pod, tmp_path: Path) -> None:
    pod.run()
    other = tmp_path / "other.zip"
    pod.archive.rename(other)
    pod.archive.symlink_to(other)
    pod.run()
    assert not pod.archive.is_symlink() and pod.sent


def test_a_loose_state_folder_is_closed(pod: Pod) -> None:
    pod.state.mkdir(parents=True)
    pod.state.chmod(0o777)
    pod.run()
    assert stat.S_IMODE(pod.state.stat().st_mode) == 0o700


def test_the_users_umask_is_left_alone(pod: Pod) -> None:
    code = "import os; print(oct(os.umask(0)))"
    expected = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    probe = pod.fake("probed", f"; umask > {pod.home}/umask", 0)
    with pytest.raises(PodError):
        pod.run("probe", {"python": str(probe)})
    assert int((pod.home / "umask").read_text(), 8) == int(expected, 8)
