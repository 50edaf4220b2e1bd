"""The demo notebook shows the same by `%%gpu` as in a local kernel of the pod's Python."""

from __future__ import annotations

import asyncio
import copy
import os
import re
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.server.conftest import Laptop
from tests.server.frontend import Notebook
from tests.server.same import shown, widgets

CELL_SECONDS = 300.0
"""What the sampling cell may take on two cores; a minute on a quiet machine."""
_CLOCK = re.compile(r"\[[\d:]+(<|&lt;)[\d:?]+,\s+[\d.?]+(it/s|s/it)\]")
"""Elapsed, remaining, speed: ``[01:31<00:00, 45.51it/s]``."""


def _sources() -> list[str]:
    path = files("jupyter_remote_gpu.demo") / "lecturers.ipynb"
    notebook = nbformat.reads(path.read_text("utf-8"), as_version=4)
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def _fonts(python: str, home: Path) -> None:
    """Have matplotlib's list of fonts there: where it is not, matplotlib says so on stderr."""
    command = [python, "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env={**os.environ, "HOME": str(home)}, check=True, timeout=120)


def _timeless(value: Any) -> Any:
    """The times and the speed taken out of the bars of the sampler."""
    if isinstance(value, dict):
        return {k: _timeless(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_timeless(v) for v in value]
    if isinstance(value, str):
        return _CLOCK.sub("[TIMES]", value)
    return value


def _brief(cell: Any) -> list[str]:
    """A line for each output, short enough that pytest shows all of them."""
    return [
        " ".join((o["output_type"], o.get("name", ""), *o.get("data", {}), o.get("text", "")[-60:]))
        for o in cell["outputs"]
    ]


@pytest.mark.long
@pytest.mark.xdist_group("sampling")
def test_the_demo_notebook_shows_what_a_local_kernel_shows(laptop: Laptop, pod_python: str) -> None:
    sources = _sources()
    remote = [n for n, source in enumerate(sources) if source.startswith("%%gpu\n")]
    assert len(remote) >= 2
    _fonts(pod_python, laptop.place.sshd.home)
    _fonts(pod_python, laptop.server.home)

    async def run(notebook: Notebook, codes: list[str]) -> list[Any]:
        async with notebook:
            for code in codes:
                await notebook.ok(code, patience=CELL_SECONDS)
        cells = shown(notebook)
        # Of kernels that others have left on the pod the first cell tells.
        first = cells[remote[0]]["outputs"]
        first[:] = [o for o in first if not o.get("text", "").startswith("[gpu] this is a fresh")]
        return [_timeless(copy.deepcopy(cells[n])) for n in remote]

    async def main() -> None:
        here = laptop.notebook("here.ipynb", "plain")
        there = laptop.notebook("there.ipynb")
        plain = [
            s.removeprefix("%%gpu\n") if n in remote else "pass" for n, s in enumerate(sources)
        ]
        expected, got = await run(here, plain), await run(there, sources)
        for n, (ours, theirs) in enumerate(zip(got, expected, strict=True)):
            # Output by output: a difference is to be read in the report.
            assert (n, there.notices) == (n, [])
            assert _brief(ours) == _brief(theirs)
            for mine, plain_one in zip(ours["outputs"], theirs["outputs"], strict=True):
                assert mine == plain_one
            assert ours == theirs, sources[remote[n]]
        assert _timeless(widgets(there)) == _timeless(widgets(here))
        kinds = {key for cell in got for o in cell["outputs"] for key in o.get("data", {})}
        assert {"image/png", "text/html", "application/vnd.jupyter.widget-view+json"} <= kinds

    asyncio.run(main())
    assert "rate exceeded" not in laptop.server.log()
