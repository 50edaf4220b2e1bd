"""``make demo``: the demo pod and JupyterLab on a notebook that uses it, until Ctrl-C.

Everything lies in one folder: the notebook's copy, and the Jupyter folders, so that the
user's own stay as they are.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

from ..client.aio import Control
from ..client.paths import data_folder
from ..errors import RemoteGPUError
from ..files import read
from .pod import NAME, DemoPod, until_told

__all__ = ["main"]

NOTEBOOK = "lecturers.ipynb"
_START_SECONDS = 90.0
_STOP_SECONDS = 15.0
# No question about news on the first start, and no request to the outside.
_QUIET = {"fetchNews": "false", "checkForUpdates": False}


def prepare(folder: Path) -> Path:
    """Point Jupyter at `folder` for this process and its children; the notebook's folder."""
    for name, part in (
        ("JUPYTER_DATA_DIR", "data"),
        ("JUPYTER_CONFIG_DIR", "config"),
        ("JUPYTER_RUNTIME_DIR", "runtime"),
        ("IPYTHONDIR", "ipython"),
    ):
        os.environ[name] = str(folder / part)
        (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
    # Lab and its kernels are ended with the pod, should this process be killed.
    os.environ["JRG_DEMO_POD"] = str(data_folder() / "demo")
    # `python`, `jupyter` and `jupyter remote-gpu` in Lab's terminals are this environment's.
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    settings = folder / "config/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(_QUIET))
    notebooks = folder / "notebooks"
    notebooks.mkdir(exist_ok=True)
    if not (notebooks / NOTEBOOK).exists():
        shutil.copyfile(Path(__file__).with_name(NOTEBOOK), notebooks / NOTEBOOK)
    return notebooks


def lab_command(notebooks: Path) -> list[str]:
    """The command line of JupyterLab: as root it must be allowed, without a display no browser."""
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={notebooks}"]
    command.append(f"--LabApp.default_url=/lab/tree/{NOTEBOOK}")
    if os.getuid() == 0:
        command.append("--allow-root")
    if not has_display():
        command.append("--no-browser")
    return command


def has_display() -> bool:
    """Whether a browser can be opened for the user."""
    if sys.platform == "darwin":
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


async def _demo(folder: Path, python: str | None) -> int:
    begin = time.monotonic()
    notebooks = prepare(folder)
    async with _no_daemon_left(), DemoPod(python) as pod:
        print(f"The demo pod is on: {pod.address}; its kernels run in {pod.python}")
        async with _lab(lab_command(notebooks), folder / "lab.log") as (lab, url):
            jupyter = Path(sys.executable).with_name("jupyter")
            print(f"JupyterLab is ready after {time.monotonic() - begin:.0f} s:\n\n    {url}\n")
            print("Run the cells. While the model samples, in another terminal:\n")
            print(f"    {jupyter} remote-gpu demo --cut 60\n")
            print("Ctrl-C here ends JupyterLab and the pod.", flush=True)
            await _first(pod.watch(), lab.wait())
    print("JupyterLab has ended, and the demo pod with it.", flush=True)
    return 0


async def _first(*things: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of `things` is done; raise what it raises, cancel the others."""
    tasks = [asyncio.create_task(t) for t in things]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@contextlib.asynccontextmanager
async def _no_daemon_left() -> AsyncIterator[None]:
    """This folder's daemon ends with the demo; it is not the user's own."""
    try:
        yield
    finally:
        # None runs any more, or it is ending: both are what is wanted.
        with contextlib.suppress(RemoteGPUError):
            control = await Control.open(kind="demo", spawn=False)
            try:
                await control.request("daemon.stop", timeout=_STOP_SECONDS)
            finally:
                await control.close()


@contextlib.asynccontextmanager
async def _lab(
    command: list[str], log: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """JupyterLab in a session of its own (Ctrl-C is for us), and its address with the token."""
    with open(log, "wb") as out:
        lab = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield lab, await _address(lab, log)
    finally:
        if lab.returncode is None:
            lab.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(lab.wait(), _STOP_SECONDS)
            except TimeoutError:
                os.killpg(lab.pid, signal.SIGKILL)
                await lab.wait()


async def _address(lab: asyncio.subprocess.Process, log: Path) -> str:
    """Wait until the server has written down where it is.

    Raises
    ------
    RemoteGPUError
        If it ends or takes too long; with the end of its log.
    """
    told = Path(os.environ["JUPYTER_RUNTIME_DIR"]) / f"jpserver-{lab.pid}.json"
    deadline = time.monotonic() + _START_SECONDS
    while lab.returncode is None and time.monotonic() < deadline:
        info = read(told)
        if info.get("url"):
            return f"{info['url']}lab/tree/{NOTEBOOK}?token={info.get('token', '')}"
        await asyncio.sleep(0.1)
    words = log.read_text("utf-8", "replace")[-3000:]
    raise RemoteGPUError(f"JupyterLab did not start. The end of its log, {log}:\n{words}")


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="where everything lies")
    parser.add_argument("--pod-python", help=f"the Python of the pod '{NAME}'")
    args = parser.parse_args(argv)
    if importlib.util.find_spec("jupyterlab") is None:
        print("JupyterLab is missing: pip install 'jupyter-remote-gpu[lab]'", file=sys.stderr)
        return 1
    folder = Path(os.path.abspath(args.folder))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        return asyncio.run(until_told(_demo(folder, args.pod_python)))
    except RemoteGPUError as e:
        print(f"make demo: {e.message}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
