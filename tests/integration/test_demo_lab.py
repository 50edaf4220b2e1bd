"""``make demo``: the pod, JupyterLab and the notebook, together and to their end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import psutil
import pytest

from jupyter_remote_gpu.demo.lab import NOTEBOOK
from tests.support.command import cli
from tests.support.daemon import ROOT, until
from tests.support.nbclient import client_of

LAB_SECONDS = 90.0
NOTEBOOK_SECONDS = 420


BROWSER = """\
#!/bin/sh
echo $$ > {folder}/browser.new && mv {folder}/browser.new {folder}/browser.pid
sleep 300 # "$1"
"""


class Demo:
    """What ``make demo`` runs, with a folder of its own."""

    def __init__(self, folder: Path, python: str) -> None:
        self.folder = folder / "demo"
        self.out = folder / "out"
        self._browser = folder / "browser"
        self._browser.write_text(BROWSER.format(folder=folder))
        self._browser.chmod(0o755)
        more = {"PYTHONPATH": str(ROOT), "XDG_RUNTIME_DIR": str(folder)}
        more |= {"DISPLAY": ":99", "BROWSER": f"{self._browser} %s &"}
        with open(self.out, "wb") as out:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "jupyter_remote_gpu.demo.lab"),
                    *("--folder", str(self.folder), "--pod-python", python),
                ],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env={**os.environ, **more},
                start_new_session=True,
            )

    @property
    def marker(self) -> str:
        return str(self.folder / "data" / "remote-gpu" / "demo")

    def left(self) -> list[psutil.Process]:
        """JupyterLab, its kernels, the daemon and all of the pod, as far as they live.

        What they are is in their `info`: they may end at any time.
        """
        mine = {"JUPYTER_DATA_DIR": str(self.folder / "data"), "JRG_DEMO_POD": self.marker}
        return [
            process
            for process in psutil.process_iter(["name", "cmdline", "environ"])
            if any((process.info["environ"] or {}).get(k) == v for k, v in mine.items())
        ]

    def said(self) -> str:
        return self.out.read_text("utf-8")

    def address(self) -> str:
        """JupyterLab's, with its token, once it is ready."""

        def find() -> str | None:
            assert self.process.poll() is None, self.said()
            found = re.search(r"http://\S+", self.said())
            return found.group() if found and "Ctrl-C" in self.said() else None

        return str(until(find, "JupyterLab", LAB_SECONDS))

    def browser(self) -> psutil.Process:
        """The browser that was opened; it goes on for five minutes."""
        path = self._browser.with_name("browser.pid")
        return psutil.Process(int(until(lambda: path.exists() and path.read_text(), "a browser")))

    def close(self) -> int:
        """Ctrl-C."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(LAB_SECONDS)


@pytest.fixture
def demo(short_tmp: Path, pod_python: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    running = Demo(short_tmp, pod_python)
    for name, part in (("JUPYTER_DATA_DIR", "data"), ("IPYTHONDIR", "ipython")):
        monkeypatch.setenv(name, str(running.folder / part))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_tmp))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    yield running
    running.close()
    for process in (*(b := running.browser()).children(), b):
        process.kill()


def test_lab_comes_and_goes_with_the_pod(demo: Demo) -> None:
    address = demo.address()
    place, _, token = address.partition("?token=")
    root = place.split("/lab/")[0]
    question = urllib.request.Request(
        f"{root}/api/contents/{NOTEBOOK}", headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(question, timeout=20) as answer:
        cells = json.load(answer)["content"]["cells"]
    # What a cell completes itself with is shown as what ran here is: bars, not their text.
    assert {c["metadata"]["trusted"] for c in cells if c["cell_type"] == "code"} == {True}
    (pod,) = cli("status", "--json").json()["pods"]
    assert (pod["name"], pod["state"]) == ("demo", "disconnected")
    # In a terminal that knows nothing of this folder the demo is found all the same.
    assert "away until" in cli("demo", "--cut", "0.1").out
    # Whoever starts an editor or tmux from Lab keeps it: nothing but the pod has the mark.
    assert [p for p in demo.left() if "--no-browser" in p.info["cmdline"]]
    marks = {
        p.info["environ"].get("JRG_DEMO_POD") for p in demo.left() if "sshd" not in p.info["name"]
    }
    assert marks == {None}
    assert demo.close() == 0
    until(lambda: not demo.left(), "the end of all", 15)
    assert "Traceback" not in demo.said()
    assert cli("daemon", status=1).out.startswith("No daemon runs")


def test_a_server_that_is_killed_comes_again_and_the_pod_stays(demo: Demo) -> None:
    address = demo.address()
    sshd = {p.pid for p in demo.left() if "sshd" in p.info["name"]}
    (server,) = (p for p in demo.left() if "jupyterlab" in p.info["cmdline"][:3])
    # One that ends at once would end again: only a steady one is started anew.
    until(lambda: time.time() - server.create_time() > 15, "a while", 30)
    server.kill()
    until(lambda: "is there again" in demo.said(), "another server", LAB_SECONDS)
    assert demo.said().count(address) == 2, "its pages would not find it"
    url = address.replace("/lab/tree/", "/api/contents/")
    with urllib.request.urlopen(url, timeout=20) as answer:
        assert answer.status == 200
    assert {p.pid for p in demo.left() if "sshd" in p.info["name"]} == sshd
    assert demo.close() == 0
    until(lambda: not demo.left(), "the end of all", 15)


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_it_is_killed(demo: Demo, sig: signal.Signals) -> None:
    demo.address()
    browser = demo.browser()
    address, token = browser.cmdline()[-1], demo.address().partition("?token=")[2]
    assert token in Path(address.removeprefix("file://")).read_text()
    demo.process.send_signal(sig)
    demo.process.wait(LAB_SECONDS)
    until(lambda: not demo.left(), "the end of JupyterLab, the daemon and the pod", 30)
    # The user's own browser, with her other tabs, and as she would have started it herself.
    assert browser.is_running() and browser.status() != psutil.STATUS_ZOMBIE
    assert browser.environ().get("JUPYTER_DATA_DIR") != str(demo.folder / "data")


@pytest.mark.long
@pytest.mark.xdist_group("sampling")
def test_its_notebook_runs_to_the_end_through_a_cut(demo: Demo) -> None:
    demo.address()
    notebook = nbformat.read(demo.folder / "notebooks" / NOTEBOOK, as_version=4)
    client = client_of(notebook, demo.folder, timeout=NOTEBOOK_SECONDS)
    sampling = next(i for i, c in enumerate(notebook.cells) if "pm.sample" in c.source)
    cut = []

    def started(cell: object, cell_index: int) -> None:
        if cell_index == sampling:
            cut.append(subprocess.Popen([sys.executable, "-c", CUT], cwd="/"))

    client.on_cell_execute = started
    client.execute()
    assert cut.pop().wait(30) == 0
    *_, plot, status = (c for c in notebook.cells if c.cell_type == "code")
    kinds = [set(o.get("data", {})) for o in plot.outputs]
    assert any("image/png" in k for k in kinds) and any("text/html" in k for k in kinds)
    assert "connected" in status.outputs[0].text


# Waits until the sampler runs, then takes the network away for 20 s.
CUT = """
import json, subprocess, sys, time
def cli(*words):
    words = [sys.executable, "-m", "jupyter_remote_gpu.cli", *words]
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=30).stdout
end = time.monotonic() + 25
def running():
    (pod,) = json.loads(cli("status", "--json"))["pods"]
    return any(e["state"] == "running" for k in pod["kernels"] for e in k["executions"])
while not running():
    assert time.monotonic() < end
    time.sleep(0.2)
cli("demo", "--cut", "20")
"""
