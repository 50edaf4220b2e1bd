"""A notebook run by nbclient in a real kernel, with the messages that nbclient was given.

``python -m tests.support.recorded PYTHON`` makes ``tests/data/run.json.gz`` anew; PYTHON is that
of a pod, with PyMC and tqdm.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import gzip
import json
import sys
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient

from jupyter_remote_gpu.client.comms import CommFold
from jupyter_remote_gpu.client.outputs import OutputFold
from jupyter_remote_gpu.client.stream_text import StreamText
from jupyter_remote_gpu.wire.records import DURABLE, Record

FIXTURE = Path(__file__).parents[1] / "data" / "run.json.gz"

CELLS = [
    """
import sys, time
from IPython.display import clear_output, display, HTML, update_display
for i in range(40):
    print("line", i, flush=True)
    if i % 7 == 0:
        print("warning", i, file=sys.stderr, flush=True)
""",
    """
print("gone")
for i in range(5):
    clear_output(wait=True)
    print("step", i, end="\\r")
    display(HTML(f"<b>{i}</b>"))
h = display("first", display_id="shared")
display("second", display_id="shared")
for i in range(20):
    h.update(f"at {i}")
i
""",
    """
import ipywidgets as w
out = w.Output()
display(out)
with out:
    print("captured")
    display(HTML("<i>captured</i>"))
    1 / 0
print("below")
with out:
    clear_output(wait=True)
    print("captured later")
update_display("from the third cell", display_id="shared")
""",
    """
from tqdm.notebook import trange
for i in trange(60, desc="outer", mininterval=0):
    with out:
        clear_output(wait=True)
        print("progress", i)
picture = w.Image(value=b"not really a picture", format="png")
display(picture)
picture.value = b"another one"
gone = w.IntSlider()
gone.close()
""",
    """
import logging, warnings
warnings.simplefilter("ignore"); logging.disable(logging.CRITICAL)
from rich.progress import Progress
with Progress(auto_refresh=False) as progress:
    task = progress.add_task("rich", total=80)
    for i in range(80):
        progress.update(task, advance=1, refresh=True)
import pymc as pm
with pm.Model():
    pm.Normal("x")
    trace = pm.sample(draws=400, tune=200, chains=2, cores=1, random_seed=1)
print(trace.posterior.sizes["draw"])
""",
    "raise ValueError('as asked')",
]


class Recorder(NotebookClient):
    """Writes down each message of a cell before nbclient takes it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.messages: list[dict[str, Any]] = []

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        parts = [msg[k] for k in ("header", "parent_header", "metadata", "content")]
        texts = [json.dumps(p, default=str) for p in parts]
        buffers = [base64.b64encode(bytes(b)).decode() for b in msg["buffers"]]
        self.messages.append(
            {"type": msg["msg_type"], "cell": cell_index, "parts": texts, "buffers": buffers}
        )
        return super().process_message(msg, cell, cell_index)


def run(python: str, sources: list[str]) -> dict[str, Any]:
    """Run `sources` as cells; messages, and what nbclient made of them."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(s.strip()) for s in sources]
    )
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(argv=argv, display_name="test", language="python")
    client = Recorder(notebook, km=manager, allow_errors=True, timeout=120)
    # Only with `cleanup_kc` does nbclient end a kernel whose manager it was given.
    asyncio.run(client.async_execute(cleanup_kc=True))
    manager.context.destroy(linger=0)
    cells = [{"outputs": c.outputs, "execution_count": c.execution_count} for c in notebook.cells]
    result = {
        "messages": client.messages,
        "cells": cells,
        "widgets": notebook.metadata.get("widgets", {}),
    }
    # The kernel's own form, without nbformat's classes.
    return json.loads(json.dumps(result))  # type: ignore[no-any-return]


def execution_of(cell: int) -> str:
    return f"{cell:032x}"


def records_of(messages: list[dict[str, Any]]) -> list[Record]:
    """The messages as a keeper would have written them down."""
    progress = ("update_display_data", "clear_output", "comm_msg")
    records = []
    for n, message in enumerate(messages, 1):
        head = {
            "channel": "iopub",
            "type": message["type"],
            "class": "progress" if message["type"] in progress else DURABLE,
            "execution": execution_of(message["cell"]),
            "client": None,
        }
        parts = [p.encode() for p in message["parts"]]
        parts += [base64.b64decode(b) for b in message["buffers"]]
        records.append(Record(n, n, head, parts))
    return records


def joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """nbclient's outputs as front ends show them: of a bar of text its last frame.

    Adjacent texts of one stream are one.
    """
    result: list[dict[str, Any]] = []
    for output in outputs:
        newest = result[-1] if result else {}
        if newest.get("name") == output.get("name") and output["output_type"] == "stream":
            newest["text"] += output["text"]
        else:
            result.append(dict(output))
    for output in result:
        if output["output_type"] == "stream":
            output["text"] = StreamText(output["text"]).text
    return result


class Notebook:
    """Cells that share comms and display ids, as a face puts them together."""

    def __init__(self, count: int) -> None:
        self.comms = CommFold()
        self.cells = [
            OutputFold(execution_of(n), comms=self.comms, on_display=self._tell)
            for n in range(count)
        ]

    def _tell(self, *shown: Any) -> None:
        for cell in self.cells:
            cell.update_display(*shown)

    def feed(self, records: list[Record]) -> Notebook:
        for record in records:
            self.comms.feed(record)
            for cell in self.cells:
                cell.feed(record)
        return self

    def check(self, run: dict[str, Any]) -> None:
        """Equal to nbclient's, in which adjacent texts are joined and closed comms left out."""
        for mine, theirs in zip(self.cells, run["cells"], strict=True):
            assert mine.outputs == joined(theirs["outputs"])
            assert mine.execution_count == theirs["execution_count"]
        kind = "application/vnd.jupyter.widget-state+json"
        expected = copy.deepcopy(run["widgets"][kind])
        expected["state"] = {k: v for k, v in expected["state"].items() if k in self.comms.comms}
        for model in expected["state"].values():
            if "outputs" in model["state"]:
                model["state"]["outputs"] = joined(model["state"]["outputs"])
                model["state"]["msg_id"] = ""
        assert self.comms.widget_state()[kind] == expected


def main() -> None:
    result = run(sys.argv[1], CELLS)
    data = json.dumps(result, ensure_ascii=False).encode()
    FIXTURE.parent.mkdir(exist_ok=True)
    FIXTURE.write_bytes(gzip.compress(data, mtime=0))
    print(f"{len(result['messages'])} messages, {len(data)} bytes, {FIXTURE.stat().st_size} zipped")


if __name__ == "__main__":
    main()
