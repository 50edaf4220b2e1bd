"""``jupyter remote-gpu`` with a real pod: every command once, as a user types it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.command import CLI, Terminal, cli, refused
from tests.support.face import KernelFace
from tests.support.login import empty_home, fingerprint
from tests.support.place import Place, whole_place

SHOWN = """
import sys, time
print("first line", flush=True)
print("a warning", file=sys.stderr, flush=True)
from IPython.display import HTML, display
display(HTML("<b>rich</b>"))
for i in range({n}):
    print(i, flush=True)
    time.sleep(0.02)
6 * 7
"""


@pytest.fixture
def place(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    empty_home(short_tmp / "laptop", monkeypatch)
    with whole_place(short_tmp, pod_python, monkeypatch) as whole:
        yield whole


@pytest.fixture
def stranger(place: Place, pod_python: str) -> Place:
    """The same machine as pod "new", whose host key nobody has accepted."""
    cli("add", "new", *place.sshd.words(), "--python", pod_python)
    return place


def states(out: str, name: str) -> list[str]:
    return [line.split()[1] for line in out.splitlines() if line.startswith(f"{name}: ")]


def test_a_pods_life(place: Place, pod_python: str) -> None:
    cli("remove", "pod")
    assert "No pods yet" in cli("list").out
    said = cli("add", "mine", *place.sshd.words(), "--python", pod_python)
    assert "connect mine" in said.out and str(place.sshd.port) in said.out
    assert cli("list").out.split()[:3] == ["NAME", "ADDRESS", "mine"]
    (pod,) = cli("list", "--json").json()["pods"]
    assert pod == {"name": "mine", "address": f"{place.sshd.user}@127.0.0.1:{place.sshd.port}"}
    place.face.request("pod.pin", name="mine", key=place.sshd.host_key_line)

    said = cli("connect", "mine")
    assert states(said.out, "mine") == ["connecting", "preparing", "connected"]
    assert "preparing" in cli("log", "mine").out
    (pod,) = cli("status", "mine", "--json").json()["pods"]
    assert (pod["name"], pod["state"], pod["reason"]) == ("mine", "connected", None)
    assert set(pod) >= {"address", "since", "latency", "waiting", "kernels", "warnings"}
    assert cli("status").out.splitlines()[1].split()[:2] == ["mine", "connected"]
    assert "No kernels are known on mine" in cli("kernels", "mine").out
    assert "connected" in cli("connect", "mine").out

    assert "run on" in cli("disconnect", "mine").out
    assert cli("status", "--json").json()["pods"][0]["state"] == "disconnected"
    assert "jupyter remote-gpu connect mine" in refused("key", "mine", status=1)
    assert "forgotten" in cli("remove", "mine").out
    assert cli("status", "--json").json() == {"pods": []}
    assert "No pods yet" in cli("status").out


def test_a_new_host_key_waits_for_a_word(stranger: Place) -> None:
    print_ = fingerprint(stranger.sshd)
    said = cli("connect", "new", status=1)
    assert states(said.out, "new") == ["connecting", "host-key"]
    for part in (print_, "--accept-host-key", "act as you in JupyterLab", "log"):
        assert part in said.err
    (pod,) = cli("status", "new", "--json").json()["pods"]
    assert pod["host_key"]["fingerprint"] == print_
    assert print_ in cli("connect", "new", "--accept-host-key", f"SHA256:{'A' * 43}", status=1).err
    assert "SHA256:" in refused("connect", "new", "--accept-host-key", print_[7:], status=2)
    said = cli("connect", "new", "--accept-host-key", print_)
    assert states(said.out, "new")[-1] == "connected"
    cli("disconnect", "new")
    assert states(cli("connect", "new").out, "new")[-1] == "connected"


@pytest.mark.parametrize(("answer", "status"), [("yes", 0), ("no", 1), ("", 1)])
def test_on_a_terminal_it_asks(stranger: Place, answer: str, status: int) -> None:
    with Terminal("connect", "new") as terminal:
        terminal.expect("Trust it? [yes/no] ")
        assert fingerprint(stranger.sshd) in terminal.text
        terminal.type(answer)
        assert terminal.wait() == status, terminal.text
    assert ("new: connected" in terminal.text) is (status == 0)
    assert stranger.state("new") == ("connected" if status == 0 else "host-key")


def test_a_changed_host_key_is_refused(place: Place) -> None:
    place.sshd.stop()
    place.sshd.new_host_key()
    place.sshd.start()
    said = cli("connect", "pod", status=1)
    assert states(said.out, "pod") == ["connecting", "failed"]
    assert "host key" in said.err and "remove" in said.err
    accept = ["--accept-host-key", fingerprint(place.sshd)]
    assert cli("connect", "pod", *accept, status=1).out.endswith("failed\n")


def test_attach_prints_a_cell_from_its_first_line_and_follows(place: Place) -> None:
    place.connect()
    face = KernelFace(place.face, "pod")
    face.run("print('before')")
    cell = face.submit(SHOWN.format(n=100))
    face.until_text(cell, "\n3\n")
    follower = subprocess.Popen(
        [*CLI, "attach", cell[:8]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    out, err = follower.communicate(timeout=60)
    numbers = "".join(f"{i}\n" for i in range(100))
    rich = "<IPython.core.display.HTML object>\n"
    assert out == f"first line\n{rich}{numbers}42\n"
    assert (err, follower.returncode) == ("a warning\n", 0)
    # Later, in full, whole id or not; also when the pod is away.
    cli("disconnect", "pod")
    assert cli("attach", cell).out == out


def test_attach_to_a_cell_that_failed_or_is_unknown(place: Place) -> None:
    place.connect()
    face = KernelFace(place.face, "pod")
    cell = face.submit("print('so far')\n1 / 0")
    assert face.ended(cell)["outcome"] == "error"
    said = cli("attach", cell[:6].upper(), status=1)
    assert said.out == "so far\n"
    assert "ZeroDivisionError" in said.err and "the cell ended: error" in said.err
    other = ("0" if cell[0] != "0" else "1") * 8
    assert other in refused("attach", other, status=1)
    for bad in ("abc", "../../etc", "0" * 33, "ghijkl", ""):
        assert "not the id of a cell" in refused("attach", bad, status=2)


def test_kernels_are_listed_and_ended(place: Place) -> None:
    place.connect()
    face = KernelFace(place.face, "pod", notebook="/n/study.ipynb")
    face.run("1")
    (kernel,) = cli("kernels", "--json").json()["kernels"]
    assert (kernel["id"], kernel["pod"], kernel["alive"]) == (face.kernel, "pod", True)
    assert kernel["memory"] > 1 << 20 and kernel["age"] >= 0
    table = cli("kernels", "pod").out.splitlines()
    assert table[0].split()[:4] == ["KERNEL", "POD", "STATE", "AGE"]
    assert table[1].split()[:3] == [face.kernel[:8], "pod", "alive"] and "MB" in table[1]
    assert cli("shutdown-kernels", "pod").out == f"pod: kernel {face.kernel[:8]} has ended.\n"
    assert "no kernel runs" in cli("shutdown-kernels", "pod").out
    assert [k["alive"] for k in cli("kernels", "pod", "--json").json()["kernels"]] == [False]


def test_a_key_of_our_own(place: Place) -> None:
    place.connect()
    allowed = place.sshd.home / ".ssh" / "authorized_keys"
    before = allowed.read_text()
    public = cli("key", "pod").out.splitlines()[-1]
    assert public.startswith("ssh-ed25519 ") and public in allowed.read_text()
    private = place.daemon.folder / "keys" / "pod"
    assert private.stat().st_mode & 0o777 == 0o600
    assert "off pod" in cli("key", "pod", "--remove").out
    assert allowed.read_text() == before and not private.exists()


@pytest.mark.parametrize("reached", [True, False])
def test_a_key_on_a_pod_that_is_removed(place: Place, reached: bool) -> None:
    place.connect()
    allowed = place.sshd.home / ".ssh" / "authorized_keys"
    public = cli("key", "pod").out.splitlines()[-1]
    if not reached:
        cli("disconnect", "pod")
    said = cli("remove", "pod").out
    assert (public in allowed.read_text()) is (public in said) is (not reached)
    assert ("~/.ssh/authorized_keys" in said) is (not reached)
    assert not (place.daemon.folder / "keys" / "pod").exists()


def test_log_and_doctor(place: Place) -> None:
    place.connect()
    KernelFace(place.face, "pod").run("1")
    assert "connected" in cli("log", "pod").out
    assert "ready with" in cli("log").out
    said = cli("doctor", "--json").json()
    assert said["laptop"]["folder"] == str(place.daemon.folder)
    assert said["laptop"]["mirrors"][0]["bytes"] > 0
    assert said["pods"]["pod"]["kernels"][0]["alive"]
    text = cli("doctor").out
    assert str(place.daemon.folder) in text and "mirrors:" in text and "kernels:" in text


def test_the_daemon_starts_stops_and_is_asked(place: Place) -> None:
    place.connect()
    running = cli("daemon", "status").out
    assert f"process {place.daemon.pid}" in running
    again = cli("daemon", "start").out, cli("daemon").out  # it runs already
    assert {said.split(", for ")[0] for said in again} == {running.split(", for ")[0]}
    assert "run on" in cli("daemon", "stop").out
    assert "No daemon runs" in cli("daemon", "status", status=1).out
    assert "No daemon runs" in cli("daemon", "stop").out
    assert "The daemon runs" in cli("daemon", "start").out
    # What was wanted is taken up again.
    place.until_state("connected")
