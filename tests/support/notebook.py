"""A notebook's side of a real ipykernel: cells, what they show, answers, the Stop button."""

from __future__ import annotations

import queue
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.manager import KernelManager

PATIENCE = 60.0
"""Seconds after which a test that waits fails."""
_HIDDEN = ("status", "execute_input")


@dataclass
class Cell:
    """What came of one cell.

    Attributes
    ----------
    shown : list of (msg_type, content)
        Its iopub messages in order, without status and execute_input.
    reply : dict
    asked : list of dict
        Contents of its input requests.
    """

    shown: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)

    def text(self, name: str = "stdout") -> str:
        return "".join(c["text"] for k, c in self.shown if k == "stream" and c["name"] == name)

    def all(self, kind: str) -> list[dict[str, Any]]:
        return [c for k, c in self.shown if k == kind]

    @property
    def result(self) -> str | None:
        """``text/plain`` of what the cell returned."""
        found = self.all("execute_result")
        return None if not found else str(found[0]["data"]["text/plain"])


class LocalKernel:
    """A real ipykernel with the extension loaded, and its one front end.

    Parameters
    ----------
    env : dict
        Environment of the kernel's process.
    """

    def __init__(self, env: dict[str, str], folder: Path, path: str = "/nb/a.ipynb") -> None:
        self._env = {**env, "JPY_SESSION_NAME": path}
        self._folder = folder
        self.others: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        self.manager = KernelManager(kernel_name="python3")
        assert self.manager.kernel_spec is not None
        self.manager.kernel_spec.argv[0] = sys.executable
        self.manager.start_kernel(env=self._env, cwd=str(self._folder))
        self._connect()

    def _connect(self) -> None:
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=PATIENCE)
        loaded = self.run("%load_ext jupyter_remote_gpu")
        assert loaded.reply["status"] == "ok", loaded

    def close(self) -> None:
        self.shut_down(now=True)

    def shut_down(self, *, now: bool = False) -> None:
        """End it as Jupyter does: asked to, or with `now` killed."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=now)

    def restart(self) -> None:
        """Another kernel with another id: killed and begun again."""
        self.close()
        self.start()

    def restart_here(self, *, now: bool = False) -> None:
        """Jupyter's Restart: another process behind the same id."""
        self.client.stop_channels()
        self.manager.restart_kernel(now=now)
        self._connect()

    def stop(self) -> None:
        """The Stop button."""
        self.manager.interrupt_kernel()

    def run(
        self,
        code: str,
        *,
        answer: Callable[[dict[str, Any]], str] | None = None,
        on: Callable[[str, dict[str, Any]], None] | None = None,
        patience: float = PATIENCE,
    ) -> Cell:
        """Run a cell to its end.

        Parameters
        ----------
        answer : callable, optional
            Answers input requests; without it the front end allows none.
        on : callable, optional
            Called with each message that the cell shows.
        patience : float
            Seconds after which a cell that has not ended fails the test.
        """
        cell, idle = Cell(), False
        msg_id = self.client.execute(code, allow_stdin=answer is not None)
        end = time.monotonic() + patience
        while not (idle and cell.reply):
            assert time.monotonic() < end, f"the cell did not end; it showed {cell.shown[-5:]}"
            for message in self._ready(self.client.stdin_channel, 0):
                assert answer is not None
                cell.asked.append(message["content"])
                self.client.input(answer(message["content"]))
            for message in self._ready(self.client.shell_channel, 0):
                if message["parent_header"].get("msg_id") == msg_id:
                    cell.reply = message["content"]
            for message in self._ready(self.client.iopub_channel, 0.02):
                kind, content = message["msg_type"], message["content"]
                if message["parent_header"].get("msg_id") != msg_id:
                    self.others.append(message)
                elif kind == "status":
                    idle = idle or content["execution_state"] == "idle"
                elif kind not in _HIDDEN:
                    cell.shown.append((kind, content))
                    if on is not None:
                        on(kind, content)
        return cell

    def message(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first message outside of cells that fits."""
        end = time.monotonic() + PATIENCE
        while not (found := [m for m in self.others if fits(m)]):
            assert time.monotonic() < end, "the message did not come"
            self.others += self._ready(self.client.iopub_channel, 0.1)
        return found[0]

    def send_comm(self, comm_id: str, data: dict[str, Any]) -> str:
        """What a front end sends for a widget; its msg_id."""
        content = {"comm_id": comm_id, "data": data}
        message = self.client.session.msg("comm_msg", content)
        self.client.shell_channel.send(message)
        return str(message["header"]["msg_id"])

    @staticmethod
    def _ready(channel: Any, timeout: float) -> list[dict[str, Any]]:
        out = []
        try:
            out.append(channel.get_msg(timeout=timeout))
            while True:
                out.append(channel.get_msg(timeout=0))
        except queue.Empty:
            return out
