"""The program that the fault tests' cells run, and what it must show.

What it must show is not written down: the same program runs in a plain kernel, without
any of our processes, and its messages go through the same fold (`client/outputs.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import zmq
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

from jupyter_remote_gpu.client.outputs import fold
from jupyter_remote_gpu.wire.records import Record
from tests.support.magic import Log

Message = tuple[str, dict[str, Any]]
EXECUTION = "e" * 32
PATIENCE = 60.0
_HIDDEN = ("status", "execute_input")

_PROGRAM = """\
import sys, time
from IPython.display import HTML, clear_output, display
def mixed(n, pause):
    bar = display("step 0", display_id="bar")
    for i in range(n):
        print("out", i, flush=True)
        if i % 5 == 1:
            print("err", i, file=sys.stderr, flush=True)
        elif i % 5 == 2:
            display(HTML(f"<b>{i}</b>"))
        elif i % 5 == 3:
            bar.update(f"step {i}")
        if i in (n // 6, n // 3):
            clear_output(wait=i == n // 3)
            bar = display(f"again {i}", display_id="bar")
        time.sleep(pause)
"""


def mixed(n: int, pause: float, then: str = "") -> str:
    """A cell of `n` rounds, `pause` seconds each, and about 1.6 messages a round."""
    return f"{_PROGRAM}mixed({n}, {pause})\n{then}"


def spoken(messages: Iterable[Message]) -> list[list[Any]]:
    """What was shown, in order: adjacent texts of a stream joined, without counts."""
    out: list[list[Any]] = []
    for kind, content in messages:
        if kind in _HIDDEN:
            continue
        if kind == "stream" and out and out[-1][:2] == [kind, content["name"]]:
            out[-1][2] += content["text"]
        elif kind == "stream":
            out.append([kind, content["name"], content["text"]])
        else:
            out.append([kind, {k: v for k, v in content.items() if k != "execution_count"}])
    return out


def of(records: Iterable[Record], execution: str) -> list[Message]:
    """The messages of a cell, as its kernel sent them."""
    mine = (r for r in records if r.execution == execution and r.channel == "iopub")
    return [(r.type, r.content) for r in mine]


def outputs(messages: Iterable[Message]) -> list[Any]:
    """The fold of a cell's messages."""
    log = Log()
    records = [log.iopub(kind, content, EXECUTION) for kind, content in messages]
    return fold(records, EXECUTION, count=1).outputs


class Plain:
    """What a plain kernel makes of a cell; asked once for each."""

    def __init__(self, python: str) -> None:
        self._python = python
        self.messages = functools.cache(self._messages)

    def _messages(self, code: str) -> list[Message]:
        manager = KernelManager()
        argv = [self._python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        manager._kernel_spec = KernelSpec(argv=argv, display_name="plain", language="python")
        manager.start_kernel()
        client = manager.client()
        # Else what is printed at full speed gets lost on its way to a reader that is busy.
        client.context.setsockopt(zmq.RCVHWM, 0)
        client.start_channels()
        found: list[Message] = []
        try:
            client.wait_for_ready(timeout=PATIENCE)
            reply = client.execute_interactive(
                code,
                timeout=PATIENCE,
                output_hook=lambda m: found.append((m["msg_type"], m["content"])),
            )
            assert reply["content"]["status"] == "ok", reply["content"]
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
        return found

    def check(
        self, messages: Iterable[Message], n: int, then: str = "", *, paced: bool = False
    ) -> None:
        """Assert that `messages` of a mixed cell are those of a plain kernel, in its order.

        `paced`: a notebook that catches up is spared updates that are superseded (rule 8).
        """
        got, expected = list(messages), self.messages(mixed(n, 0, then))
        assert outputs(got) == outputs(expected), "the outputs differ"
        said, must = (
            spoken(m for m in side if not (paced and m[0] == "update_display_data"))
            for side in (got, expected)
        )
        for at, (mine, theirs) in enumerate(zip(said, must, strict=False)):
            assert mine == theirs, f"message {at}: {mine!r:.200} for {theirs!r:.200}"
        assert len(said) == len(must), f"{len(said)} messages for {len(must)}"


def without_notices(messages: Iterable[Message]) -> list[Message]:
    """Without what `%%gpu` itself says while the link is down."""

    def ours(content: dict[str, Any]) -> bool:
        return str((content.get("transient") or {}).get("display_id")).startswith("jrg-")

    return [(kind, content) for kind, content in messages if not ours(content)]
