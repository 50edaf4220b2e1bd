"""The pod of the tests, and our own key on it: added, used, taken away, by a real sshd."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.errors import LinkError, NotConnected, NotFound, RemoteGPUError
from jupyter_remote_gpu.link import keys
from jupyter_remote_gpu.link.supervisor import PodLink
from jupyter_remote_gpu.models import PodState
from jupyter_remote_gpu.pods.registry import Registry
from tests.support.sshd import Sshd, can_hide

PATIENCE = 20.0


@pytest.fixture
def folder(tmp_path: Path, sshd: Sshd) -> Path:
    folder = tmp_path / "laptop"
    folder.mkdir()
    pods = Registry(folder)
    pods.add("pod", sshd.words())
    pods.pin("pod", sshd.host_key_line)
    return folder


def linked(folder: Path, work: Callable[[PodLink], Awaitable[Any]]) -> Any:
    """What `work` gives on a link to the pod; the end of the link is waited for."""

    async def main() -> Any:
        changed = asyncio.Event()
        pod = Registry(folder).get("pod")
        link = PodLink(pod, folder=folder, on_change=changed.set, busy=lambda: False)
        try:
            link.connect()
            async with asyncio.timeout(PATIENCE):
                while link.status.state is not PodState.CONNECTED:
                    assert link.status.state not in (PodState.FAILED, PodState.HOST_KEY), (
                        link.status.reason
                    )
                    changed.clear()
                    await changed.wait()
            return await work(link)
        finally:
            await link.disconnect()

    return asyncio.run(main())


def taken(sshd: Sshd) -> Path:
    return sshd.home / ".ssh" / "authorized_keys"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def login(sshd: Sshd, key: Path) -> int:
    """The exit status of OpenSSH's client with `key` alone: 0, or 255 for a refused key."""
    command = [*sshd.words()[:-1], str(key), *sshd.client_options(), "true"]
    return subprocess.run(command, capture_output=True, timeout=30).returncode


def test_installed_used_and_taken_away(sshd: Sshd, folder: Path) -> None:
    mine = taken(sshd).read_text()
    own = folder / "keys" / "pod"

    line = linked(folder, lambda link: keys.install(link, folder))
    assert line.startswith("ssh-ed25519 ") and line.endswith(" jupyter-remote-gpu:pod")
    assert taken(sshd).read_text() == f"{mine}{line}\n"
    assert (mode(own), mode(own.parent)) == (0o600, 0o700)
    assert (mode(taken(sshd)), mode(taken(sshd).parent)) == (0o600, 0o700)
    assert login(sshd, own) == 0

    again = linked(folder, lambda link: keys.install(link, folder))
    assert again == line and taken(sshd).read_text() == f"{mine}{line}\n"

    assert linked(folder, lambda link: keys.remove(link, folder)) == line
    assert taken(sshd).read_text() == mine and not own.exists()
    assert mode(taken(sshd)) == 0o600
    with pytest.raises(NotFound, match="no key of ours"):
        linked(folder, lambda link: keys.remove(link, folder))
    assert linked(folder, lambda link: keys.install(link, folder)) != line


def test_a_file_without_a_last_newline_and_a_key_that_is_commented_out(
    sshd: Sshd, folder: Path
) -> None:
    line = linked(folder, lambda link: keys.install(link, folder))
    mine = taken(sshd).read_text().splitlines()[0]
    taken(sshd).write_text(f"#{line}\n{mine}")
    sshd.noise("welcome to the pod\n")
    assert linked(folder, lambda link: keys.install(link, folder)) == line
    assert taken(sshd).read_text() == f"#{line}\n{mine}\n{line}\n"
    assert login(sshd, folder / "keys" / "pod") == 0
    assert login(sshd, sshd.key) == 0


def test_a_linked_file_stays_linked(sshd: Sshd, folder: Path) -> None:
    real = sshd.home / "elsewhere"
    taken(sshd).rename(real)
    taken(sshd).symlink_to(real)
    mine = real.read_text()
    linked(folder, lambda link: keys.install(link, folder))
    assert real.read_text() != mine and taken(sshd).is_symlink()
    linked(folder, lambda link: keys.remove(link, folder))
    assert real.read_text() == mine and taken(sshd).is_symlink()
    assert [p.name for p in sshd.home.iterdir() if "jrg-" in p.name] == []


def test_where_the_pod_cannot_write_nothing_is_left_here(sshd: Sshd, folder: Path) -> None:
    def spoil(link: PodLink) -> Awaitable[str]:
        taken(sshd).unlink()
        taken(sshd).mkdir()
        return keys.install(link, folder)

    with pytest.raises(LinkError, match="authorized_keys"):
        linked(folder, spoil)
    assert not (folder / "keys" / "pod").exists()


def test_a_server_that_looks_elsewhere_is_said_so(tmp_path: Path) -> None:
    """The line is where it should be, and opens nothing."""
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "laptop"
    config = [f'AuthorizedKeysFile "{elsewhere}"']
    with Sshd(tmp_path / "pod", sys.executable, config=config) as sshd:
        elsewhere.write_text(taken(sshd).read_text())
        folder.mkdir()
        pods = Registry(folder)
        pods.add("pod", sshd.words())
        pods.pin("pod", sshd.host_key_line)
        with pytest.raises(LinkError, match=r"does not let it in.*AuthorizedKeysFile") as caught:
            linked(folder, lambda link: keys.install(link, folder))
        line = keys.own_public_half(folder, "pod")
        assert caught.value.code == "own-key-refused"
        assert line is not None and line in caught.value.message
        assert line in taken(sshd).read_text()
        assert linked(folder, lambda link: keys.remove(link, folder)) == line


def test_without_a_link(sshd: Sshd, folder: Path) -> None:
    pod = Registry(folder).get("pod")

    async def main() -> None:
        link = PodLink(pod, folder=folder, on_change=lambda: None, busy=lambda: False)
        with pytest.raises(NotConnected):
            await keys.install(link, folder)
        assert not (folder / "keys" / "pod").exists()

    asyncio.run(main())


def test_a_damaged_key_is_set_aside_and_stops_nothing(sshd: Sshd, folder: Path) -> None:
    old = linked(folder, lambda link: keys.install(link, folder))
    own = folder / "keys" / "pod"
    own.write_text("damaged")
    assert linked(folder, lambda link: keys.install(link, folder)) != old
    (aside,) = own.parent.glob("pod.damaged-*")
    assert aside.read_text() == "damaged"
    assert login(sshd, own) == 0


# -- the pod of the tests


def test_a_session_begins_in_the_pods_home(sshd: Sshd, tmp_path: Path) -> None:
    done = sshd.ssh("pwd; echo $HOME; cat", input="through stdin\n")
    assert done.stdout.splitlines() == [str(sshd.home), str(sshd.home), "through stdin"]
    (tmp_path / "file").write_text("here")
    command = ["scp", "-q", "-P", str(sshd.port), "-i", str(sshd.key), *sshd.client_options()]
    place = f"{sshd.user}@{sshd.host}:file"
    subprocess.run([*command, str(tmp_path / "file"), place], check=True, timeout=30)
    assert (sshd.home / "file").read_text() == "here"
    assert sshd.ssh("exit 7").returncode == 7


def test_switched_off_everything_ends(sshd: Sshd) -> None:
    sshd.ssh("setsid sleep 600 </dev/null >/dev/null 2>&1 &")
    port = sshd.port
    assert len(sshd.processes()) == 1
    sshd.stop()
    assert sshd.processes() == []
    sshd.start()
    assert sshd.port == port and sshd.ssh("echo back").stdout == "back\n"


def test_the_pod_cannot_see_the_laptops_files(tmp_path: Path) -> None:
    laptop = tmp_path / "laptop"
    laptop.mkdir()
    (laptop / "notebook.ipynb").write_text("{}")
    with Sshd(tmp_path / "pod", hide=[laptop] if can_hide() else []) as sshd:
        seen = sshd.ssh(f"ls {laptop}; ls").stdout
    assert seen == ("" if can_hide() else "notebook.ipynb\n")


def test_pod_link_errors_are_ours(sshd: Sshd, folder: Path) -> None:
    with pytest.raises(RemoteGPUError, match="no such thing"):
        linked(folder, lambda link: link.run_shell("echo no such thing >&2; exit 3"))
