"""Kernels and executions over REST: on a real pod, with a notebook's own path."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from jupyter_remote_gpu.routes.document import document
from tests.routes.inside import InsideServer
from tests.support.daemon import until
from tests.support.face import KernelFace
from tests.support.place import Place

CONTENTS = "sub folder/täglich.ipynb"
SLEEP = "import time\nprint('begun', flush=True)\ntime.sleep(120)"


@pytest.fixture
def connected(server: InsideServer, place: Place) -> InsideServer:
    place.connect()
    return server


@pytest.fixture
def notebook(connected: InsideServer) -> str:
    """What Jupyter Server gives the kernel of `CONTENTS` as JPY_SESSION_NAME."""
    (connected.notebooks / "sub folder").mkdir(exist_ok=True)
    env = connected.app.session_manager.get_kernel_env(CONTENTS, CONTENTS.rpartition("/")[2])
    return str(env["JPY_SESSION_NAME"])


@pytest.fixture
def cell(place: Place, notebook: str) -> Iterator[KernelFace]:
    face = KernelFace(place.face, "pod", notebook=notebook, local_kernel=uuid.uuid4().hex)
    yield face
    face.close()


def submit(face: KernelFace, code: str, **meta: Any) -> str:
    execution = uuid.uuid4().hex
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    face.channel.submit(
        "execute_request", content, msg_id=uuid.uuid4().hex, execution=execution, meta=meta
    )
    return execution


def test_what_a_notebook_ran(connected: InsideServer, cell: KernelFace, notebook: str) -> None:
    ids = []
    for i in range(3):
        code = f"print({i}); {i}" if i < 2 else SLEEP
        ids.append(submit(cell, code, notebook=notebook, cell=f"c{i}", count=i + 5))
    submit(cell, "0", notebook="/elsewhere/b.ipynb", cell="c9")
    cell.until_text(ids[2], "begun")
    found = connected.ask("GET", "/executions?notebook=sub%20folder/t%C3%A4glich.ipynb")
    ours = [e for e in found["executions"] if e["id"] in ids]
    assert [e["id"] for e in ours] == ids
    assert {e["meta"]["notebook"] for e in found["executions"]} == {notebook}
    assert [e["state"] for e in ours] == ["ended", "ended", "running"]
    assert {(e["pod"], e["kernel"]) for e in ours} == {("pod", cell.kernel)}
    one = connected.ask("GET", f"/executions/{ids[1]}")
    assert (one["meta"]["cell"], one["outcome"]) == ("c1", "ok")
    told = connected.ask("GET", f"/executions/{ids[1]}/outputs")
    assert told["outputs"][0] == {"output_type": "stream", "name": "stdout", "text": "1\n"}
    assert told["outputs"][1]["data"] == {"text/plain": "1"}
    assert (told["outcome"], told["execution"]["id"]) == ("ok", ids[1])
    assert told["first"] == one["first"] <= told["cursor"]
    running = connected.ask("GET", f"/executions/{ids[2]}/outputs")
    assert running["outcome"] is None
    assert running["outputs"][0]["text"] == "begun\n"
    assert connected.ask("POST", f"/executions/{ids[2]}/interrupt", status=202) == {"done": True}
    assert cell.ended(ids[2])["ename"] == "KeyboardInterrupt"
    assert connected.ask("GET", "/executions?notebook=other.ipynb") == {"executions": []}


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


def test_kernels_of_a_pod_that_cannot_be_asked_are_told_all_the_same(
    connected: InsideServer, cell: KernelFace, place: Place
) -> None:
    rows = {k["id"]: k for k in connected.ask("GET", "/kernels")["kernels"]}
    assert rows[cell.kernel]["listed"] and rows[cell.kernel]["memory"] > 1_000_000
    connected.ask("DELETE", "/pods/pod/connection")
    rows = {k["id"]: k for k in connected.ask("GET", "/kernels")["kernels"]}
    assert rows[cell.kernel]["stale"]
    until(lambda: place.state() == "disconnected", "the end of the link")


def test_a_contents_path_leads_nowhere_else(connected: InsideServer) -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "a\0b", "x" * 5000, os.sep):
        assert connected.ask("GET", f"/executions?notebook={quote(path)}") == {"executions": []}
