"""The daemon with a real sshd, a real keeper and a real kernel behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_remote_gpu.errors import NotConnected
from tests.support.face import KernelFace
from tests.support.place import Place, whole_place
from tests.support.proxy import UP

COUNT = "import time\nfor i in range({n}):\n    print(i, flush=True)\n    time.sleep({pause})"


def lines(n: int) -> str:
    return "".join(f"{i}\n" for i in range(n))


@pytest.fixture
def connected(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with whole_place(short_tmp, pod_python, monkeypatch) as place:
        place.connect()
        yield place


def test_a_cell_runs_and_its_notebook_finds_the_kernel_again(connected: Place) -> None:
    one = KernelFace(connected.face, "pod", local_kernel="local-1")
    assert not one.opened["joined"]
    assert one.run("x = 6; print('hello'); x * 7")["outcome"] == "ok"
    again = KernelFace(connected.face, "pod", notebook="/n/renamed.ipynb", local_kernel="local-1")
    assert (again.kernel, again.opened["joined"]) == (one.kernel, True)
    # After a restart of the local kernel only the name is left, and that is the new one.
    third = KernelFace(connected.face, "pod", notebook="/n/renamed.ipynb", local_kernel="local-2")
    assert third.kernel == one.kernel
    other = KernelFace(connected.face, "pod", notebook="/n/a.ipynb", local_kernel="local-3")
    assert other.kernel != one.kernel
    fresh = KernelFace(
        connected.face, "pod", notebook="/n/renamed.ipynb", local_kernel="local-2", fresh=True
    )
    assert fresh.kernel not in (one.kernel, other.kernel)
    listed = connected.face.request("kernel.list", pod="pod")["kernels"]
    assert {k["id"] for k in listed if k["alive"]} == {one.kernel, other.kernel, fresh.kernel}
    assert all(k["memory"] for k in listed)


def test_the_mirror_has_the_journals_bytes(connected: Place) -> None:
    face = KernelFace(connected.face, "pod")
    assert face.run("print('x' * (3 << 20)); 1 / 0")["outcome"] == "error"
    assert face.run(COUNT.format(n=500, pause=0))["outcome"] == "ok"
    last = face.records[-1].last

    def bytes_in(folder: Path) -> bytes:
        return b"".join(p.read_bytes() for p in sorted(folder.glob("*.seg")))

    journal = bytes_in(connected.pod_kernel(face.kernel) / "journal")
    mirror = bytes_in(connected.daemon.folder / "mirrors" / face.kernel / "log")
    assert mirror == journal[: len(mirror)]
    assert len(mirror) > 3 << 20
    assert [r.last for r in face.records] == list(range(1, last + 1))


@pytest.mark.parametrize("how", ["cut", "half-open", "dead one way"])
def test_a_link_that_breaks_in_mid_cell_loses_and_doubles_nothing(
    connected: Place, how: str
) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit(COUNT.format(n=100, pause=0.05))
    face.until_text(cell, "10\n")
    if how == "cut":
        connected.proxy.cut()
    elif how == "half-open":
        connected.proxy.half_open()
    else:
        connected.proxy.dead(UP)
    connected.until_state("reconnecting")
    connected.proxy.heal(reset=how != "half-open")
    assert face.ended(cell)["outcome"] == "ok"
    assert face.text(cell) == lines(100)
    face.in_order()
    face.control("link", state="reconnecting")


def test_a_daemon_killed_in_mid_cell_loses_and_doubles_nothing(connected: Place) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit(COUNT.format(n=60, pause=0.05))
    for part in ("10\n", "30\n"):
        face.until_text(cell, part)
        connected.daemon.kill()
    assert face.ended(cell)["outcome"] == "ok"
    assert face.text(cell) == lines(60)
    face.in_order()
    assert len(connected.daemon.processes()) == 1


def test_a_request_into_a_half_open_link_runs_once(connected: Place) -> None:
    face = KernelFace(connected.face, "pod")
    face.run("n = 0")
    connected.proxy.half_open()
    cells = [face.submit("n += 1; print(n)") for _ in range(3)]
    connected.until_state("reconnecting")
    cells.append(face.submit("n += 1; print(n)"))
    snapshot = connected.face.request("snapshot")
    assert snapshot["pods"][0]["waiting"] == 4
    connected.proxy.heal(reset=True)
    for number, cell in enumerate(cells, 1):
        face.ended(cell)
        assert face.text(cell) == f"{number}\n"
    face.in_order()


def test_an_interrupt_during_a_cut_is_sent_on_return(connected: Place) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit("print('begun', flush=True)\nimport time\ntime.sleep(60)")
    face.until_text(cell, "begun")
    connected.proxy.cut()
    connected.until_state("reconnecting")
    tag = face.channel.interrupt(cell)
    late = face.channel.interrupt(None)
    connected.proxy.heal()
    assert face.control("interrupted", tag=tag)["done"] is True
    assert face.ended(cell)["ename"] == "KeyboardInterrupt"
    face.control("interrupted", tag=late)
    assert face.run("print('goes on')")["outcome"] == "ok"


def test_while_disconnected_requests_are_rejected_and_the_mirror_is_read(
    connected: Place,
) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit("print('kept')")
    face.ended(cell)
    connected.face.request("pod.disconnect", name="pod")
    face.control("link", state="disconnected")
    face.submit("print('lost')")
    rejected = face.control("rejected")
    assert "Connect it: %gpu connect pod" in rejected["error"]["message"]
    with pytest.raises(NotConnected):
        KernelFace(connected.face, "pod")
    connected.face.request("pod.remove", name="pod")
    found = connected.face.request("execution.find", id=cell[:8])
    assert (found["kernel"], found["execution"]["outcome"]) == (face.kernel, "ok")
    reader = KernelFace(connected.face, "pod", opened=face.opened)
    reader.until_text(cell, "kept")


def test_a_daemon_killed_during_a_cut_takes_everything_up_again(connected: Place) -> None:
    face = KernelFace(connected.face, "pod")
    cell = face.submit(COUNT.format(n=40, pause=0.05))
    face.until_text(cell, "5\n")
    connected.proxy.cut()
    connected.until_state("reconnecting")
    waiting = face.submit("print('after')")
    connected.daemon.kill()
    connected.until_state("reconnecting")
    late = face.submit("print('later')")
    connected.proxy.heal()
    assert face.ended(late)["outcome"] == "ok"
    texts = [face.text(c) for c in (cell, waiting, late)]
    assert texts == [lines(40), "after\n", "later\n"]
    face.in_order()


def test_an_opening_waits_for_a_pod_that_reconnects(connected: Place) -> None:
    connected.proxy.cut()
    connected.until_state("reconnecting")
    threading.Timer(1.0, connected.proxy.heal).start()
    face = KernelFace(connected.face, "pod")
    assert face.run("1")["outcome"] == "ok"


def test_a_new_host_key_waits_for_the_users_word(connected: Place) -> None:
    words = connected.sshd.words(connected.proxy.port)
    connected.face.request("pod.add", name="two", ssh=words)
    connected.face.request("pod.connect", name="two")
    connected.until_state("host-key", "two")
    pods = connected.face.request("snapshot")["pods"]
    shown = next(p for p in pods if p["name"] == "two")["host_key"]["fingerprint"]
    with pytest.raises(NotConnected, match="host-key"):
        KernelFace(connected.face, "two")
    connected.face.request("pod.connect", name="two", accept_host_key="SHA256:" + "A" * 43)
    connected.until_state("host-key", "two")
    connected.face.request("pod.connect", name="two", accept_host_key=shown)
    connected.until_state("connected", "two")
    found = connected.face.request("doctor")
    assert found["pods"]["two"]["state"] == "connected"
    assert any(
        "connected" in line for line in connected.face.request("pod.log", name="two")["lines"]
    )
    connected.face.request("pod.remove", name="two")
    assert not (connected.daemon.folder / "known_hosts" / "two").exists()
