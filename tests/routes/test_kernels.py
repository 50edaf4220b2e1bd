"""Kernels and executions over REST: on a real pod, with a notebook's own path."""

from __future__ import annotations

import uuid

import psutil

from jupyter_remote_gpu.routes.document import document
from tests.routes.cells import SLEEP, submit
from tests.routes.inside import InsideServer
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.place import Place


def test_an_interrupt_is_for_its_own_cell(connected: InsideServer, cell: KernelFace) -> None:
    first, second = submit(cell, "1"), submit(cell, SLEEP)
    cell.until_text(second, "begun")
    assert connected.ask("POST", f"/executions/{first}/interrupt", status=202) == {"done": False}
    assert connected.ask("GET", f"/executions/{second}")["state"] == "running"
    assert connected.ask("POST", f"/executions/{second}/interrupt", status=202) == {"done": True}
    assert cell.ended(second)["outcome"] == "error"


def test_an_interrupt_during_a_cut_is_done_on_return(
    connected: InsideServer, cell: KernelFace, place: Place
) -> None:
    execution = submit(cell, SLEEP)
    cell.until_text(execution, "begun")
    place.proxy.cut()
    place.until_state("reconnecting")
    assert connected.ask("POST", f"/executions/{execution}/interrupt", status=202) == {"done": None}
    place.proxy.heal()
    assert cell.ended(execution)["ename"] == "KeyboardInterrupt"


def test_nothing_is_promised_where_the_pod_was_let_go(
    connected: InsideServer, cell: KernelFace, place: Place
) -> None:
    execution = submit(cell, SLEEP)
    cell.until_text(execution, "begun")
    connected.ask("DELETE", "/pods/pod/connection")
    path = f"/executions/{execution}/interrupt"
    assert "Connect it" in connected.refused("POST", path, status=409, code="not-connected")
    place.connect()
    assert connected.ask("GET", f"/executions/{execution}")["state"] == "running"
    assert connected.ask("POST", path, status=202) == {"done": True}


def test_a_restart_waits_for_the_end_and_keeps_the_notebook(
    connected: InsideServer, place: Place, notebook: str
) -> None:
    local = uuid.uuid4().hex
    old = KernelFace(place.face, "pod", notebook=notebook, local_kernel=local, folder="/some/where")
    assert old.run("x = 1")["outcome"] == "ok"
    info = place.keeper_info(old.kernel)
    told = connected.ask("POST", f"/pods/pod/kernels/{old.kernel}/restart")
    assert not psutil.pid_exists(info["pid"]), "the fresh one began before the old one had ended"
    assert told["kernel"] != old.kernel
    # Whoever comes by its path, or as the same local kernel, finds the fresh one.
    for who in (
        {"local_kernel": local, "notebook": None},
        {"local_kernel": "other", "notebook": notebook},
    ):
        found = KernelFace(place.face, "pod", **who)
        assert (found.kernel, found.opened["joined"]) == (told["kernel"], True)
        found.close()
    fresh = KernelFace(place.face, "pod", notebook=notebook, local_kernel=local)
    assert fresh.run("x")["ename"] == "NameError"
    # In the same working folder.
    assert place.keeper_info(told["kernel"])["cwd"] == info["cwd"]
    rows = {k["id"]: k for k in connected.ask("GET", "/kernels?pod=pod")["kernels"]}
    assert rows[told["kernel"]]["alive"] and not rows[old.kernel]["alive"]
    assert rows[told["kernel"]]["notebook"] == notebook
    again = f"/pods/pod/kernels/{old.kernel}/restart"
    assert "stop it" in connected.refused("POST", again, status=409, code="conflict")
    old.close()
    fresh.close()


def test_a_kernel_without_a_notebook_is_not_restarted(
    connected: InsideServer, place: Place
) -> None:
    face = KernelFace(place.face, "pod", notebook=None, local_kernel="terminal")
    path = f"/pods/pod/kernels/{face.kernel}"
    connected.refused("POST", f"{path}/restart", status=409, code="conflict")
    assert place.keeper_info(face.kernel)["pid"]
    assert face.run("1")["outcome"] == "ok"
    connected.ask("DELETE", path, status=204)
    face.until(lambda: any(r.type == "died" for r in face.records), "the kernel's end")
    face.close()


def test_a_cell_that_waits_for_its_opening_gets_the_restarted_kernel(
    connected: InsideServer, place: Place, notebook: str
) -> None:
    """An opening that comes in the middle of a restart must not start a third kernel."""
    local = uuid.uuid4().hex
    old = KernelFace(place.face, "pod", notebook=notebook, local_kernel=local)

    assert old.run("import atexit, time; atexit.register(time.sleep, 2)")["outcome"] == "ok"
    restarting = place.face.ask("kernel.restart", timeout=60, pod="pod", kernel=old.kernel)
    place.face.request("snapshot")  # answered in turn: the old one was told to end by now
    where = {"notebook": notebook, "local_kernel": local, "folder": "/n", "fresh": False}
    opened = place.face.request("kernel.open", timeout=60, pod="pod", **where)
    restarted = restarting.result(60)
    assert opened["kernel"] == restarted["kernel"] != old.kernel
    old.close()


def test_kernels_of_a_pod_that_cannot_be_asked_are_told_all_the_same(
    connected: InsideServer, cell: KernelFace, place: Place
) -> None:
    rows = {k["id"]: k for k in connected.ask("GET", "/kernels")["kernels"]}
    assert rows[cell.kernel]["listed"] and rows[cell.kernel]["memory"] > 1_000_000
    connected.ask("DELETE", "/pods/pod/connection")
    rows = {k["id"]: k for k in connected.ask("GET", "/kernels")["kernels"]}
    assert rows[cell.kernel]["stale"]
    until(lambda: place.state() == "disconnected", "the end of the link")


def test_every_operation_answers_as_promised(
    connected: InsideServer, cell: KernelFace, place: Place
) -> None:
    """What `ask` held against the document above and here is all of it, but for the demo."""
    execution = submit(cell, "1", notebook="/n/a.ipynb")
    cell.ended(execution)
    for path in (
        "/about",
        "/snapshot",
        "/pods",
        "/pods/pod",
        "/pods/pod/log",
        "/pods/pod/refused-keys",
        "/hosts",
        "/kernels",
    ):
        connected.ask("GET", path)
    connected.ask("GET", "/executions?notebook=a.ipynb")
    connected.ask("GET", f"/executions/{execution}")
    connected.ask("GET", f"/executions/{execution}/outputs")
    connected.ask("POST", f"/executions/{execution}/interrupt", {}, 202)
    connected.ask(
        "POST", "/pods", {"ssh": "me@203.0.113.7", "name": "n", "python": "/usr/bin/python3"}, 201
    )
    connected.ask("PUT", "/pods/n/connection", {}, 202)
    connected.ask("DELETE", "/pods/n/connection")
    connected.ask("DELETE", "/pods/n")
    other = KernelFace(place.face, "pod", notebook="/n/r.ipynb", local_kernel="r")
    fresh = connected.ask("POST", f"/pods/pod/kernels/{other.kernel}/restart")["kernel"]
    connected.ask("DELETE", f"/pods/pod/kernels/{fresh}", status=204)
    other.close()
    wanted = {
        (p, m) for p, found in document()["paths"].items() for m in found if m != "parameters"
    }
    assert wanted - connected.seen == {("/demo", "post")}
