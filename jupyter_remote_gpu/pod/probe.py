"""``probe``: what the pod has, asked once when it is connected for the first time."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from ..errors import PodError
from . import logind, paths

_CHECK_SECONDS = 30.0
_LOW_DISK = 1 << 30
OLDEST = (3, 10)
"""The oldest Python in which a keeper runs."""

# Runs in the Python that is asked about, with its site-packages.
_SCRIPT = """
import json, sys
out = {"python": sys.executable, "version": "%d.%d.%d" % sys.version_info[:3], "specs": []}
for name in ("ipykernel", "zmq"):
    try:
        from importlib.metadata import version
        __import__(name)
        out[name] = version({"zmq": "pyzmq"}.get(name, name))
    except Exception as e:
        out[name] = None
        out["error"] = "%s: %s" % (type(e).__name__, e)
if out["ipykernel"] and len(sys.argv) > 1:
    from jupyter_client.kernelspec import KernelSpecManager
    found = KernelSpecManager().get_all_specs()
    for name in sorted(found, key=lambda n: (n != "python3", n)):
        spec = found[name]["spec"]
        out["specs"].append({"name": name, "display_name": spec.get("display_name", name),
            "argv": spec.get("argv", []), "env": spec.get("env", {}),
            "language": spec.get("language", ""),
            "interrupt_mode": spec.get("interrupt_mode", "signal")})
print("jrg-probe " + json.dumps(out))
"""


def probe(spec: dict[str, Any]) -> dict[str, Any]:
    """What the daemon needs to know before it starts kernels here.

    Parameters
    ----------
    spec : dict
        ``python``: the Python that the user named, or nothing for the host's own kernelspecs.

    Returns
    -------
    dict
        ``python``, ``version``, ``hostname``, ``state``, ``free`` (bytes), ``warnings``,
        ``kernelspecs``: a list of the one that is ready to be given to `start`.

    Raises
    ------
    PodError
        If no kernel can run here; with the command that mends it.
    """
    named = spec.get("python")
    python = str(named or sys.executable)
    found = _ask(python, kernelspecs=not named)
    if not found.get("ipykernel") or not found.get("zmq"):
        raise PodError(
            f"{python} on the pod has no working ipykernel ({found.get('error')}). On the pod, "
            f"run:  {python} -m pip install ipykernel  (where pip says that this environment is "
            "externally managed, give the Python of a virtual environment that has ipykernel with "
            "--python PATH).",
            code="no-ipykernel",
        )
    if _version(found) < OLDEST:
        raise PodError(
            f"{python} on the pod is Python {found['version']}; it must be 3.10 or newer: give "
            "another one with --python PATH.",
            code="no-python",
        )
    host = socket.gethostname()
    own = {
        "name": "python3",
        "display_name": f"Python {found['version']} ({host})",
        "argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "env": {},
        "interrupt_mode": "signal",
        "python": python,
        "ipykernel": found["ipykernel"],
    }
    usable = None if named else _usable(found)
    state = paths.state_folder()
    free = shutil.disk_usage(state).free
    return {
        "python": python,
        "version": found["version"],
        "hostname": host,
        "platform": platform.platform(),
        "state": str(state),
        "free": free,
        "kernelspecs": [usable or own],
        "warnings": _warnings(state, free),
    }


def _ask(python: str, kernelspecs: bool) -> dict[str, Any]:
    argv = [python, "-c", _SCRIPT, *(["specs"] if kernelspecs else [])]
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_CHECK_SECONDS,
            cwd="/",
            check=False,
        )
    except FileNotFoundError:
        raise PodError(
            f"There is no {python} on the pod: give the path of a Python there with --python.",
            code="no-python",
        ) from None
    except (OSError, subprocess.TimeoutExpired) as e:
        raise PodError(f"{python} on the pod cannot be run: {e}", code="no-python") from e
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith("jrg-probe "):
            answer: dict[str, Any] = json.loads(line.removeprefix("jrg-probe "))
            return answer
    words = done.stderr.decode("utf-8", "replace").strip()[-500:]
    raise PodError(f"{python} on the pod does not run Python code: {words}", code="no-python")


def _usable(found: dict[str, Any]) -> dict[str, Any] | None:
    """The host's first kernelspec of a Python that can run, with its keeper's Python.

    A Python too old for a keeper gets one in the Python that was asked.
    """
    for spec in found["specs"]:
        argv = [str(a) for a in spec["argv"]]
        if not argv or str(spec["language"]).lower() not in ("", "python"):
            continue
        program = argv[0]
        if program in ("python", "python3"):
            program = str(found["python"])
        elif not os.path.isabs(program):
            program = shutil.which(program) or program
        argv[0] = program
        spec = {**spec, "argv": argv, "python": found["python"], "ipykernel": found["ipykernel"]}
        if program != found["python"] and "ipykernel_launcher" in argv:
            try:
                other = _ask(program, kernelspecs=False)
            except PodError:
                continue  # left behind by an environment that was removed
            if not other.get("ipykernel") or not other.get("zmq"):
                continue
            spec["ipykernel"] = other["ipykernel"]
            if _version(other) >= OLDEST:
                spec["python"] = program
        elif shutil.which(program) is None:
            continue
        return spec
    return None


def _version(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(n) for n in str(found["version"]).split("."))


def _warnings(state: Path, free: int) -> list[str]:
    warnings = []
    if free < _LOW_DISK:
        warnings.append(
            f"The pod has only {free / 1e6:.0f} MB left where the journals lie ({state}): "
            "remove what is not needed there."
        )
    if logind.kills_user_processes() and not logind.lingers():
        warnings.append(
            "The pod ends your processes when you log out (KillUserProcesses), so a cell would "
            "not survive its link. On the pod, run:  loginctl enable-linger"
        )
    return warnings
