"""`jupyter remote-gpu outputs` beside a Jupyter Server: a notebook while it is open, and after."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import v4

from tests.server.conftest import Laptop
from tests.server.frontend import Notebook
from tests.support.command import cli, refused
from tests.support.daemon import until

# The first cell may tell of kernels that others have left.
OPENING = ["%load_ext jupyter_remote_gpu", "%gpu connect demo", "%%gpu\npass"]
SHOWN = "%%gpu\nfrom IPython.display import HTML\nprint('said')\nHTML('<b>1</b>')"
RUNNING = """%%gpu
import os, time
print('begun', flush=True)
while not os.path.exists({gate!r}):
    time.sleep(0.05)
print('over')
"""


async def _run_and_leave(notebook: Notebook, texts: dict[str, str]) -> Any:
    """Run the cells, the last one not to its end; what the first one showed live."""
    for code in OPENING:
        await notebook.ok(code)
    begun = asyncio.Event()
    names = list(texts)
    first = notebook.begin(texts[names[0]], cellId=names[0])
    await asyncio.wait_for(notebook._ended(first), 60)
    live = notebook.fold.nb.cells[-1]

    def heard(message: dict[str, Any]) -> None:
        if "begun" in str(message["content"].get("text")):
            begun.set()

    notebook.begin(texts[names[1]], heard, cellId=names[1])
    await asyncio.wait_for(begun.wait(), 60)
    return live


def test_a_notebook_whose_page_was_closed(
    laptop: Laptop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, gate = laptop.server, tmp_path / "gate"
    # Another laptop of these tests may be there, too.
    for name, value in laptop.place.daemon.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(server.folder / "runtime"))
    texts = {"shown": SHOWN, "long": RUNNING.format(gate=str(gate))}
    file = server.notebooks / "sub" / "study.ipynb"
    file.parent.mkdir()

    def cells() -> dict[str, Any]:
        found = nbformat.read(file, as_version=4)
        return {cell["id"]: cell for cell in found.cells}

    async def main() -> None:
        async with laptop.notebook("sub/study.ipynb", "laptop") as notebook:
            made = [v4.new_code_cell(text, id=name) for name, text in texts.items()]
            body = {"type": "notebook", "content": v4.new_notebook(cells=made)}
            await notebook._rest("PUT", f"contents/{notebook.path}", body)
            live = await _run_and_leave(notebook, texts)
            before = file.read_bytes()
            why = await asyncio.to_thread(refused, "outputs", str(file), "--write", status=1)
            assert f"is open at {server.url}" in why and "--force" in why
            assert "fill in" in (await asyncio.to_thread(cli, "outputs", str(file))).out
            assert file.read_bytes() == before
        # The page is closed, its local kernel waits for the cell.
        await asyncio.to_thread(until, lambda: not _connections(laptop), "the page is gone")
        await asyncio.to_thread(cli, "outputs", str(file), "--write")
        shown, running = cells()["shown"], cells()["long"]
        assert shown.outputs == live.outputs
        assert shown.execution_count == live.execution_count
        assert [o.text for o in running.outputs] == ["begun\n"]
        assert running.metadata["remote_gpu"]["state"] == "partial"
        gate.touch()
        await asyncio.to_thread(until, lambda: _ended(file), "the cell's end", 60)
        assert [o.text for o in cells()["long"].outputs] == ["begun\nover\n"]
        await notebook._rest("DELETE", f"kernels/{notebook.kernel}")

    asyncio.run(main())


def _connections(laptop: Laptop) -> int:
    return sum(s["kernel"]["connections"] for s in laptop.server.rest("GET", "sessions"))


def _ended(file: Path) -> bool:
    told = cli("outputs", str(file), "--write", "--json").json()
    return all(row["state"] == "ok" for row in told["cells"])
