"""The demo pod as a child of the Jupyter server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from typing import Any

from ..client.spawn import daemon_command
from ..errors import Conflict, PodError, RemoteGPUError, error_from_json

__all__ = ["Demo"]

START_SECONDS, STOP_SECONDS = 60.0, 10.0
MAX_LINE = 1 << 16
_NOT_STARTED = (
    "The demo pod could not be started. Type `jupyter remote-gpu demo` in a terminal: it says why."
)


class Demo:
    """``jupyter remote-gpu demo`` with this Python; it ends with us, however we end."""

    python = sys.executable

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._starting = False

    async def start(self) -> str:
        """Start it and wait until its pod is registered; the pod's name.

        Raises
        ------
        Conflict
            If one runs, ours or another, or a pod of its name is another one.
        PodError
            If this machine cannot have one; the sentence says what is missing.
        """
        if self._starting or (self._process is not None and self._process.returncode is None):
            raise Conflict("The demo pod runs already: connect to it.")
        self._starting = True
        try:
            _, env = await asyncio.to_thread(daemon_command)
            process = self._process = await asyncio.create_subprocess_exec(
                *(self.python, "-m", "jupyter_remote_gpu.cli", "demo", "--json"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                cwd="/",  # which package is meant decides the path, not the working folder
                env=env,
                limit=MAX_LINE,
                start_new_session=True,  # Ctrl-C is for the server, which then ends it
            )
            try:
                async with asyncio.timeout(START_SECONDS):
                    return await _ready(process)
            except TimeoutError:
                raise PodError(_NOT_STARTED, code="demo") from None
        except BaseException:
            await self.stop(STOP_SECONDS)
            raise
        finally:
            self._starting = False

    async def stop(self, seconds: float) -> None:
        """End it; one that has not ended after so many seconds is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _ready(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await process.stdout.readline()
    try:
        told: dict[str, Any] = json.loads(line)
        if "error" not in told:
            return str(told["ready"]["name"])
    except (ValueError, KeyError, TypeError):  # it crashed: its traceback is in the server's log
        raise PodError(_NOT_STARTED, code="demo") from None
    error = error_from_json(told["error"])
    if type(error) is RemoteGPUError:
        raise PodError(error.message, code="demo", details=error.details)
    raise error
