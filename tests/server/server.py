"""A real Jupyter Server with folders of its own and every limit at its default."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import psutil

from tests.support.daemon import until
from tests.support.login import free_port

START_SECONDS = 60.0
REST_SECONDS = 60.0
_HIDDEN = (
    *("COLUMNS", "LINES", "JUPYTER_TOKEN", "JPY_SESSION_NAME", "JPY_API_TOKEN"),
    *("CI", "PYTEST_XDIST_WORKER"),  # numpyro shows no bars where it sees one of them
)


class JupyterServer:
    """Use it with ``with``; its kernels are ended with it.

    Parameters
    ----------
    folder : Path
        Taken as it is; has its configuration, runtime files and notebooks.
    env : dict
        What names the daemon, and the data folder in which `kernelspec` writes.

    Attributes
    ----------
    url : str
        Without a slash at its end.
    token : str
    notebooks : Path
        The root of its contents.
    home : Path
        Home folder of its kernels: empty, as that of the tests' pod.
    options : list of str
        More of its command line.
    """

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self.folder, self.token, self.url = folder, uuid.uuid4().hex, ""
        self.options: list[str] = []
        self.notebooks, self._runtime = folder / "notebooks", folder / "runtime"
        self._data, self._log = Path(env["JUPYTER_DATA_DIR"]), folder / "server.log"
        self.home = folder / "home"
        for path in (self.notebooks, self._runtime, self.home, folder / "config"):
            path.mkdir(mode=0o700, parents=True)
        self._env = {k: v for k, v in os.environ.items() if k not in _HIDDEN} | env
        self._env |= {
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "JUPYTER_NO_CONFIG": "1",  # this environment's (JupyterLab and others) is not needed
            "HOME": str(self.home),
        }

    def kernelspec(self, name: str, python: str) -> None:
        """Let it start ipykernels of `python` under `name`."""
        folder = self._data / "kernels" / name
        folder.mkdir(parents=True)
        argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": argv, "display_name": name, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))

    def __enter__(self) -> JupyterServer:
        command = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"]
        command += [f"--IdentityProvider.token={self.token}", "--ServerApp.ip=127.0.0.1"]
        # Servers that begin at once would take turns with the default port.
        command += [f"--ServerApp.port={free_port()}", "--ServerApp.port_retries=0"]
        command += [f"--ServerApp.root_dir={self.notebooks}", *self.options]
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen(
                command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=str(self.notebooks),
                start_new_session=True,
            )
        try:
            until(self._listens, f"the server ({self._log})", START_SECONDS)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def log(self) -> str:
        """What it has said."""
        return self._log.read_text("utf-8", "replace")

    def rest(self, method: str, path: str, body: Any = None) -> Any:
        """One request below ``/api/``; its answer as JSON, None if it has none."""
        request = urllib.request.Request(
            f"{self.url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"token {self.token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=REST_SECONDS) as answer:
                text = answer.read()
        except urllib.error.HTTPError as e:
            with e:
                raise AssertionError(f"{method} {path}: {e.code} {e.read()[:500]!r}") from e
        return json.loads(text) if text else None

    def _listens(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            info = json.loads((self._runtime / f"jpserver-{self._process.pid}.json").read_bytes())
            self.url = str(info["url"]).rstrip("/")
            self.rest("GET", "status")
        except (FileNotFoundError, json.JSONDecodeError, urllib.error.URLError):
            return False
        return True

    def _stop(self) -> None:
        """As Ctrl-C does, then whatever is left of it."""
        family = [psutil.Process(self._process.pid)] if self._process.poll() is None else []
        family += [child for top in family for child in top.children(recursive=True)]
        self._process.terminate()
        try:
            self._process.wait(START_SECONDS)
        finally:
            for process in family:
                if process.is_running():
                    process.kill()
            self._process.wait(START_SECONDS)
