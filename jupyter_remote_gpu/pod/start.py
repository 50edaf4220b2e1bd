"""``start``: begins a kernel with its keeper, detached from the ssh session."""

from __future__ import annotations

import contextlib
import json
import os
import select
import time
from pathlib import Path
from typing import Any

from .. import files
from ..errors import PodError
from . import paths
from .cleaning import clean

START_SECONDS = 50.0
"""A cold environment on a network disk takes long; the laptop waits 60 s."""


def start(spec: dict[str, Any]) -> dict[str, Any]:
    """Start kernel ``spec["kernel"]``, or find it running already (a start sent twice).

    Parameters
    ----------
    spec : dict
        ``kernel`` (id), ``spec`` (``argv``, ``env``, ``display_name``, ``interrupt_mode``,
        ``python``), ``folder`` (name of the working folder), ``binding``,
        ``limits`` (``journal_bytes``, ``idle_seconds``).

    Returns
    -------
    dict
        ``kernel``, ``identity``, ``cwd``, ``started``, ``display_name``.

    Raises
    ------
    PodError
        If the keeper or the kernel's program cannot be started; with their last words.
    """
    kernel = str(spec.get("kernel"))
    folder = paths.kernel_folder(kernel)
    kernelspec = dict(spec.get("spec") or {})
    argv = [str(a) for a in kernelspec.get("argv") or []]
    if not argv:
        raise PodError("the kernelspec has no argv", code="bad-input")
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        info = files.read(folder / "kernel.json")
        if info:
            return _described(info)
    kernelspec.update(
        limits=spec.get("limits") or {},
        argv=argv,
        cwd=str(working_folder(spec.get("folder"))),
        binding=spec.get("binding") or {},
    )
    files.dump(folder / "spec.json", kernelspec)
    clean()
    python = str(kernelspec.get("python") or argv[0])
    said = _spawn(python, folder)
    if said == paths.OTHER_KEEPER and _other_has_begun(folder):
        said = "ok"
    if said != "ok":
        log = _tail(folder / "keeper.log")
        raise PodError(
            f"The kernel could not be started with {python}: {said or 'its keeper ended at once'}."
            + (f"\n{log}" if log else ""),
            code="start-failed",
        )
    return _described(files.read(folder / "kernel.json"))


def _other_has_begun(folder: Path) -> bool:
    """Wait for the keeper of the same start, sent before; False if it has ended or hangs."""
    end = time.monotonic() + START_SECONDS
    lock = paths.FolderLock(folder)
    while not files.read(folder / "kernel.json"):
        if lock.acquire() or time.monotonic() > end:
            lock.release()
            return False
        time.sleep(0.02)
    return True


def _described(info: dict[str, Any]) -> dict[str, Any]:
    return {k: info.get(k) for k in ("kernel", "identity", "cwd", "started", "display_name")}


def working_folder(name: object) -> Path:
    """The pod's twin of a notebook folder; made if missing.

    ``/workspace/<name>`` where that can be written, else ``~/jupyter-remote-gpu/<name>``.
    """
    text = str(name or "default")
    if "/" in text or text.startswith(".") or len(text) > 200 or "\0" in text:
        raise PodError(f"{text!r:.80} cannot be the name of a working folder", code="bad-input")
    workspace = Path("/workspace")
    if os.access(workspace, os.W_OK | os.X_OK) and workspace.is_dir():
        base = workspace
    else:
        base = Path.home() / "jupyter-remote-gpu"
    folder = base / text
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _spawn(python: str, folder: Path) -> str:
    """Run the keeper in a session of its own; what it says about its beginning."""
    receive, send = os.pipe()
    os.set_inheritable(send, True)
    spec = json.dumps({"folder": str(folder), "notify": send})
    argv = [*_scope(), python, paths.archive_path(), "keeper", spec]
    child = os.fork()
    if child == 0:
        # An exec channel ends only when nobody holds its streams: all three are replaced.
        try:
            os.setsid()
            if os.fork():
                os._exit(0)
            log = os.open(folder / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir("/")
            os.execvp(argv[0], argv)
        except OSError as e:
            with contextlib.suppress(OSError):
                os.write(send, f"{argv[0]}: {e.strerror}\n".encode())
        finally:
            os._exit(127)
    os.close(send)
    os.waitpid(child, 0)
    data = b""
    end = time.monotonic() + START_SECONDS
    while b"\n" not in data:
        ready, _, _ = select.select([receive], [], [], max(0.0, end - time.monotonic()))
        if not ready:
            raise PodError(
                f"The keeper gave no sign of life for {START_SECONDS:.0f} s; its log is "
                f"{folder / 'keeper.log'} on the pod.",
                code="start-failed",
            )
        piece = os.read(receive, 4096)
        if not piece:
            break
        data += piece
    os.close(receive)
    return data.decode("utf-8", "replace").partition("\n")[0]


def _scope() -> list[str]:
    """What to put in front where logind would end our processes at the end of the session."""
    from . import logind

    if logind.kills_user_processes() and logind.lingers():
        return ["systemd-run", "--user", "--scope", "--quiet", "--"]
    return []


def _tail(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")[-2000:].strip()
    except OSError as e:
        return f"({path}: {e.strerror})"
