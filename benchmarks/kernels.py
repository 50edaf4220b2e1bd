"""A local ipykernel and its front end: what a cell says, and when."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import zmq
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager


class CellFailed(RuntimeError):
    """A cell of a benchmark ended with an error."""


@dataclass
class Answer:
    """What a cell said.

    Attributes
    ----------
    seconds : float
        From sending the request until both the reply and `idle` were there.
    sent : float
        Seconds since the epoch.
    """

    seconds: float = 0.0
    sent: float = 0.0
    texts: list[str] = field(default_factory=list)
    results: list[str] = field(default_factory=list)
    messages: int = 0

    @property
    def text(self) -> str:
        return "".join(self.texts)


OnText = Callable[[str], None]


def ask(
    client: BlockingKernelClient, code: str, timeout: float = 600, on_text: OnText | None = None
) -> Answer:
    """Run `code` as a front end does.

    Raises
    ------
    CellFailed
        If the cell fails, or takes longer than `timeout` seconds.
    """
    answer = Answer(sent=time.time())
    start = time.perf_counter()
    msg_id = client.execute(code, allow_stdin=False)
    poller = zmq.Poller()
    channels = {c.socket: c for c in (client.iopub_channel, client.shell_channel)}
    for sock in channels:
        poller.register(sock, zmq.POLLIN)
    idle, reply = False, None
    while not idle or reply is None:
        left = timeout - (time.perf_counter() - start)
        ready = poller.poll(round(max(0.0, left) * 1000))
        if not ready:
            raise CellFailed(f"not within {timeout:g} s: {code[:200]}\n{answer.text[-500:]}")
        for sock, _ in ready:
            msg = channels[sock].get_msg(timeout=0)
            if msg["parent_header"].get("msg_id") != msg_id:
                continue
            content, kind = msg["content"], msg["msg_type"]
            if kind == "execute_reply":
                reply = content
            elif kind == "status":
                idle = content["execution_state"] == "idle"
            else:
                _take(answer, kind, content, on_text)
    answer.seconds = time.perf_counter() - start
    if reply["status"] != "ok":
        words = f"{reply.get('ename')}: {reply.get('evalue')}"
        raise CellFailed(f"{words}\nin: {code[:200]}\nafter: {answer.text[-500:]}")
    return answer


def _take(answer: Answer, kind: str, content: dict[str, Any], on_text: OnText | None) -> None:
    answer.messages += 1
    if kind == "stream":
        answer.texts.append(content["text"])
        if on_text is not None:
            on_text(content["text"])
    elif kind == "execute_result":
        answer.results.append(content["data"].get("text/plain", ""))


class LocalKernel:
    """An ipykernel on this machine; use it with ``with``.

    Parameters
    ----------
    remote : str, optional
        Load the extension and connect this pod.
    python : str
        In which it runs.
    """

    def __init__(self, remote: str | None = None, python: str = sys.executable) -> None:
        self._remote = remote
        self.manager = KernelManager()
        argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        self.manager._kernel_spec = KernelSpec(argv=argv, display_name="bench", language="python")
        self.client: BlockingKernelClient

    def __enter__(self) -> LocalKernel:
        self.manager.start_kernel(
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ)
        )
        self.client = self.manager.blocking_client()
        try:
            self.client.start_channels()
            self.client.wait_for_ready(timeout=60)
            if self._remote is not None:
                self.run("%load_ext jupyter_remote_gpu")
                self.run(f"%gpu connect {self._remote}")
                self.gpu("None")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the kernel (the one on the pod goes on)."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.context.destroy(linger=0)

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)  # type: ignore[union-attr]

    def run(self, code: str, timeout: float = 600, on_text: OnText | None = None) -> Answer:
        """Run `code` in the local kernel; see `ask`."""
        return ask(self.client, code, timeout, on_text)

    def gpu(self, code: str, timeout: float = 600, on_text: OnText | None = None) -> Answer:
        """Run `code` on the pod."""
        return ask(self.client, f"%%gpu {self._remote or ''}\n{code}", timeout, on_text)
