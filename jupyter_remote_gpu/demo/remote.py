"""How `demo --cut` reaches the demo that runs: a 0600 Unix socket, a JSON line each way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from ..client.paths import check_socket_folder, data_folder, socket_path
from ..errors import (
    BadInput,
    Conflict,
    DaemonError,
    NotFound,
    RemoteGPUError,
    error_from_json,
    error_to_json,
)
from ..files import dump, read
from .relay import Relay, check_seconds

__all__ = ["RemoteControl", "cut", "running_demos"]

_SECONDS = 5.0
_LINE = 4096
_ANSWER = 64 << 10


def demo_socket(*, make: bool = False) -> Path:
    """Where this data folder's demo has its socket, beside the daemon's."""
    if not make:
        # A terminal whose XDG_RUNTIME_DIR differs from the demo's finds it by this.
        recorded = read(_record()).get("socket")
        if isinstance(recorded, str) and os.path.lexists(recorded):
            return Path(recorded)
    return socket_path(make=make).with_suffix(".demo")


def _record() -> Path:
    return data_folder() / "demo" / "socket.json"


def running_demos() -> list[Path]:
    """Sockets of demos that answer: this data folder's first, then the user's others.

    `make demo` has a data folder of its own, and its user types in another terminal.
    """
    own = demo_socket()
    check_socket_folder(own.parent, make=False)
    name = f"jrg-{os.getuid()}"
    usual = [Path("/run/user", str(os.getuid()), name), Path("/tmp", name)]
    folders = dict.fromkeys([own.parent, socket_path().parent, *filter(_is_ours, usual)])
    others = [p for folder in folders for p in sorted(folder.glob("*.demo")) if p != own]
    return [p for p in (own, *others) if _answers(p)]


def _is_ours(folder: Path) -> bool:
    try:
        check_socket_folder(folder, make=False)
    except DaemonError:
        return False
    return True


def cut(seconds: float) -> dict[str, Any]:
    """Take the running demo pod's network away for `seconds`; ``{"until", "folder"}``.

    Raises
    ------
    NotFound
        If no demo runs.
    Conflict
        If several run and none belongs to this data folder.
    """
    seconds = check_seconds(seconds)
    found = running_demos()
    if not found:
        raise NotFound(
            "No demo pod runs. Start one with `jupyter remote-gpu demo` (or `make demo`) and leave "
            "it running, then cut its network from another terminal."
        )
    if len(found) > 1 and found[0] != demo_socket():
        folders = ", ".join(str(_ask(p, {"do": "hello"}).get("folder")) for p in found)
        raise Conflict(
            f"Several demo pods run ({folders}). Set JUPYTER_DATA_DIR to the data folder of the "
            "one that is meant."
        )
    told = _ask(found[0], {"do": "cut", "seconds": seconds})
    if not isinstance(told.get("until"), (int, float)):
        raise RemoteGPUError("The demo's answer cannot be read. End it and start it again.")
    return told


class RemoteControl:
    """Serves that socket for one relay.

    Parameters
    ----------
    relay : Relay
        Whose network is taken away.
    folder : Path
        The demo's folder, told to who asks.
    """

    def __init__(self, relay: Relay, folder: Path) -> None:
        self._relay = relay
        self._folder = folder
        self._server: asyncio.Server | None = None
        self._path = demo_socket(make=True)

    async def start(self) -> None:
        """Bind the socket (the demo's lock is held, so what lies there is stale)."""
        self._path.unlink(missing_ok=True)
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.bind(str(self._path))
        os.chmod(self._path, 0o600)  # its folder is 0700: nobody was let in before
        self._server = await asyncio.start_unix_server(self._serve, sock=s, limit=_LINE)
        dump(_record(), {"socket": str(self._path)})

    async def close(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._path.unlink(missing_ok=True)
            _record().unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                try:
                    reply = self._do(json.loads(await reader.readline()))
                except RemoteGPUError as e:
                    reply = {"error": error_to_json(e)}
                except (ValueError, RecursionError):
                    problem = BadInput("The demo was sent something that is not a line of JSON.")
                    reply = {"error": error_to_json(problem)}
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except (TimeoutError, OSError):
            pass  # who asked went away, or never asked
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _do(self, message: object) -> dict[str, Any]:
        if not isinstance(message, dict):
            raise BadInput("The demo was sent something that is not a JSON object.")
        what = message.get("do")
        told: dict[str, Any] = {"folder": str(self._folder)}
        if what == "hello":
            return told
        if what == "cut":
            return {**told, "until": self._relay.cut(check_seconds(message.get("seconds")))}
        raise BadInput(f"The demo does not know {what!r:.40}.")


def _answers(path: Path) -> bool:
    try:
        _ask(path, {"do": "hello"})
    except RemoteGPUError:
        return False
    return True


def _ask(path: Path, message: dict[str, Any]) -> dict[str, Any]:
    try:
        data = _exchange(path, json.dumps(message).encode() + b"\n")
    except OSError as e:
        raise _unanswered() from e
    try:
        reply = json.loads(data)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict):
        raise RemoteGPUError("The demo's answer cannot be read. End it and start it again.")
    if "error" in reply:
        raise error_from_json(reply["error"])
    return reply


def _exchange(path: Path, line: bytes) -> bytes:
    """Send a line and read one, of a bounded length and in a bounded time."""
    deadline = time.monotonic() + _SECONDS
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(_SECONDS)
        s.connect(str(path))
        s.sendall(line)
        data = b""
        while not data.endswith(b"\n"):
            piece = s.recv(_LINE)
            data += piece
            if not piece or len(data) > _ANSWER or time.monotonic() > deadline:
                raise _unanswered()
    return data


def _unanswered() -> RemoteGPUError:
    return RemoteGPUError("The demo did not answer. End it and start it again.")
