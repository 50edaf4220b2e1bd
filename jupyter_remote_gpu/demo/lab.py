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
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..errors import RemoteGPUError
from ..files import read
from .pod import NAME, DemoPod, until_told

__all__ = ["main"]

NOTEBOOK = "lecturers.ipynb"
_START_SECONDS = 90.0
_GRACE_SECONDS = 10.0
_STOP_SECONDS = 40.0
_STEADY_SECONDS = 5.0
"""One that is killed sooner would be killed again: it is not started anew."""
_SIGNALLED = 128
"""Above it an exit status says that a signal was the end."""
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
    # `python`, `jupyter` and `jupyter remote-gpu` in Lab's terminals are this environment's.
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    settings = folder / "config/lab/user-settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(_QUIET))
    notebooks = folder / "notebooks"
    notebooks.mkdir(exist_ok=True)
    if not (notebooks / NOTEBOOK).exists():
        shutil.copyfile(Path(__file__).with_name(NOTEBOOK), notebooks / NOTEBOOK)
        _sign(notebooks / NOTEBOOK, folder / "data")
    return notebooks


def _sign(notebook: Path, data: Path) -> None:
    """Have it trusted, as JupyterLab does with a notebook that is made in it.

    Else the bars of a cell that completed itself before anything was saved would be text.
    """
    # A second of imports, at the first start only.
    import nbformat
    from nbformat.sign import NotebookNotary

    notary: Any = NotebookNotary(data_dir=str(data))  # type: ignore[no-untyped-call]
    notary.sign(nbformat.read(notebook, as_version=4))  # type: ignore[no-untyped-call]


def lab_command(notebooks: Path, port: int | None = None) -> list[str]:
    """The command line of JupyterLab. The browser is the user's: it is no child of ours.

    Parameters
    ----------
    port : int, optional
        Of the one before, whose pages look for it there.
    """
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={notebooks}", "--no-browser"]
    command.append(f"--LabApp.default_url=/lab/tree/{NOTEBOOK}")
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if os.getuid() == 0:
        command.append("--allow-root")
    return command


def has_display() -> bool:
    """Whether a browser can be opened for the user."""
    if sys.platform == "darwin":
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_browser(page: Path, environment: dict[str, str]) -> None:
    """Show `page` in the user's browser, with the user's own environment."""
    command = [sys.executable, "-m", "webbrowser", page.as_uri()]
    # In a session of its own, and nobody's to end: Ctrl-C here is not for the browser.
    subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        start_new_session=True,
    )


async def _demo(folder: Path, python: str | None) -> int:
    begin = time.monotonic()
    before = dict(os.environ)
    notebooks = prepare(folder)
    log, token = folder / "lab.log", secrets.token_hex(24)
    log.unlink(missing_ok=True)
    async with DemoPod(python) as pod:
        print(f"The demo pod is on: {pod.address}; its kernels run in {pod.python}")
        port = None
        while True:
            async with _lab(lab_command(notebooks, port), log, token) as (lab, url, page):
                ready = time.monotonic()
                if port is None:
                    if has_display():
                        open_browser(page, before)
                    _explain(url, ready - begin)
                else:
                    print(f"JupyterLab is there again; the pod was on:\n\n    {url}\n", flush=True)
                await _first(pod.watch(), lab.wait())
                steady = time.monotonic() - ready > _STEADY_SECONDS
            # As a rental does, the pod outlives a server that is killed.
            if not steady or (lab.returncode or 0) <= _SIGNALLED:
                break
            port = urlsplit(url).port
            print("JupyterLab was killed. It is started again; what runs on the pod runs on.")
    print("JupyterLab has ended, and the demo pod with it.", flush=True)
    return 0


def _explain(url: str, seconds: float) -> None:
    jupyter = Path(sys.executable).with_name("jupyter")
    print(f"JupyterLab is ready after {seconds:.0f} s:\n\n    {url}\n")
    print("Run the cells. While the model samples, in another terminal:\n")
    print(f"    {jupyter} remote-gpu demo --cut 60\n")
    print("Ctrl-C here ends JupyterLab and the pod.", flush=True)


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
async def _lab(
    command: list[str], log: Path, token: str
) -> AsyncIterator[tuple[asyncio.subprocess.Process, str, Path]]:
    """JupyterLab, its address with the token, and the page that leads there.

    Its warden ends it and this folder's daemon (not the user's own) with us, also if we are
    killed. It has no mark: what the user starts from Lab, a browser say, is not ours to end.
    """
    runtime = Path(os.environ["JUPYTER_RUNTIME_DIR"])
    for stale in runtime.glob("jpserver-*"):
        stale.unlink()
    stop = [sys.executable, "-m", "jupyter_remote_gpu.cli", "daemon", "stop"]
    warden = str(Path(__file__).with_name("warden.py"))
    with open(log, "ab") as out:
        lab = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", warden, "--grace", str(_GRACE_SECONDS)),
            *("--after", json.dumps(stop), "--", *command),
            stdin=asyncio.subprocess.PIPE,
            stdout=out,
            stderr=out,
            env={**os.environ, "JUPYTER_TOKEN": token},
            start_new_session=True,
        )
    assert lab.stdin is not None
    try:
        yield lab, *await _address(lab, runtime, log)
    finally:
        lab.stdin.close()
        try:
            await asyncio.wait_for(lab.wait(), _STOP_SECONDS)
        except TimeoutError:
            os.killpg(lab.pid, signal.SIGKILL)
            await lab.wait()


async def _address(lab: asyncio.subprocess.Process, runtime: Path, log: Path) -> tuple[str, Path]:
    """Wait until the server has written down where it is.

    Raises
    ------
    RemoteGPUError
        If it ends or takes too long; with the end of its log.
    """
    deadline = time.monotonic() + _START_SECONDS
    while lab.returncode is None and time.monotonic() < deadline:
        for told in runtime.glob("jpserver-*.json"):
            info, page = read(told), told.with_name(f"{told.stem}-open.html")
            if info.get("url") and page.exists():
                return f"{info['url']}lab/tree/{NOTEBOOK}?token={info.get('token', '')}", page
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
