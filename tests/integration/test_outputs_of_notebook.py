"""``jupyter remote-gpu outputs``: a saved notebook is completed from what really ran on a pod."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_remote_gpu.client.stream_text import StreamText
from tests.support.command import cli, refused
from tests.support.face import KernelFace
from tests.support.nbclient import client_of
from tests.support.place import Place, whole_place

CODES = {
    "said": "import sys\nprint('ä ✓')\nprint('warned', file=sys.stderr)\nprint('\\udcff')",
    "shown": (
        "from IPython.display import HTML, Markdown, display\n"
        "shown = display(HTML('<b>0</b>'), display_id='d')\n"
        "display(Markdown('# one\\ntwo'), metadata={'tags': [1]})\n"
        "shown.update(HTML('<b>1</b>'))\n6 * 7"
    ),
    "bars": "print('a\\rb', end='')",
    "cleared": (
        "from IPython.display import clear_output\n"
        "for i in range(3):\n    clear_output(wait=True)\n    print(i)"
    ),
    "failed": "print('so far')\n1 / 0",
    "silent": "x = 1",
}
RUNNING = """
import os, time
print('begun', flush=True)
while not os.path.exists({gate!r}):
    time.sleep(0.05)
print('over')
7
"""
BETWEEN = {
    "made": (
        "import ipywidgets as w\nfrom IPython.display import display\n"
        "bar, caught = w.IntProgress(max=9), w.Output()\ninner = w.Label('a')\n"
        "shown = display('first', display_id=True)"
    ),
    "drawn": "display(w.HBox([bar]), caught)\nbar.value = 3",
    "later": (
        "bar.value = 8\nwith caught:\n    print('caught')\n    display(inner)\n"
        "inner.value = 'b'\nshown.update('second')"
    ),
}
"""Each cell changes what one before it shows."""
REFERENCE = "IPY_MODEL_"
STATE = "application/vnd.jupyter.widget-state+json"
SLIDER = "import ipywidgets\nslider = ipywidgets.IntSlider(3)\nslider.value = 8\nslider"


@pytest.fixture(scope="module")
def place(pod_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    import tempfile

    with (
        tempfile.TemporaryDirectory(prefix="jrg-o") as short,
        pytest.MonkeyPatch.context() as patch,
        whole_place(Path(short), pod_python, patch) as whole,
    ):
        whole.connect()
        yield whole


class Saved:
    """A notebook on the disk, and the kernel on the pod that runs its cells."""

    def __init__(self, place: Place, path: Path) -> None:
        self.path = path
        self.local_kernel = uuid.uuid4().hex
        self.face = KernelFace(
            place.face, "pod", notebook=str(path), local_kernel=self.local_kernel
        )
        self.count = 10

    def run(self, cell: str, code: str, *, wait: bool = True) -> str:
        execution, self.count = uuid.uuid4().hex, self.count + 1
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        meta = {"notebook": str(self.path), "cell": cell, "count": self.count}
        meta |= {"asked": time.time(), "local_kernel": self.local_kernel}
        self.face.channel.submit(
            "execute_request", content, msg_id=uuid.uuid4().hex, execution=execution, meta=meta
        )
        if wait:
            self.face.ended(execution)
        return execution

    def write(self, *cells: tuple[str, str], **metadata: Any) -> None:
        """The file as it was saved before anything was known."""
        made = [
            nbformat.v4.new_code_cell(text, id=name, metadata={"tags": ["kept"]})
            for name, text in cells
        ]
        head = nbformat.v4.new_markdown_cell("# Täglich", id="head")
        notebook = nbformat.v4.new_notebook(cells=[head, *made], metadata=metadata)
        nbformat.write(notebook, self.path)

    def read(self) -> dict[str, Any]:
        """Its cells by their ids; it is valid."""
        notebook = nbformat.read(self.path, as_version=4)
        nbformat.validate(notebook)
        return {cell["id"]: cell for cell in notebook.cells}


@pytest.fixture
def saved(place: Place, tmp_path: Path) -> Iterator[Saved]:
    saved = Saved(place, tmp_path / "täglich.ipynb")
    yield saved
    saved.face.close()


def ran_here(codes: dict[str, str], folder: Path) -> Any:
    """What a local kernel and nbclient make of the same cells: a notebook."""
    cells = [nbformat.v4.new_code_cell(code, id=name) for name, code in codes.items()]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client_of(notebook, folder, allow_errors=True, timeout=60).execute()
    return notebook


def whole(value: Any, widgets: dict[str, Any]) -> Any:
    """`value` with widgets in the place of their ids, which are of chance."""
    if isinstance(value, list):
        return [whole(each, widgets) for each in value]
    if isinstance(value, dict):
        return {k: whole(widgets[v] if k == "model_id" else v, widgets) for k, v in value.items()}
    if isinstance(value, str) and value.startswith(REFERENCE):
        return whole(widgets[value.removeprefix(REFERENCE)], widgets)
    return value


def widgets_of(notebook: Any) -> dict[str, Any]:
    found: dict[str, Any] = notebook.metadata["widgets"][STATE]["state"]
    return found


def shown(notebook: Any, *cells: str) -> Any:
    """What cells show, with the states of their widgets."""
    told = [c.outputs for c in notebook.cells if c["id"] in cells]
    return whole(json.loads(json.dumps(told)), widgets_of(notebook))


def comparable(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without what differs from kernel to kernel: counts, and the traceback's words.

    Of a bar of text nbclient keeps all frames.
    """
    drop = ("execution_count", "traceback")
    made = [{k: v for k, v in output.items() if k not in drop} for output in outputs]
    return [o | {"text": StreamText(o["text"]).text} if "text" in o else o for o in made]


def test_a_saved_notebook_is_completed(saved: Saved, tmp_path: Path) -> None:
    for name, code in CODES.items():
        saved.run(name, code + "\n")
    saved.write(*((name, f"%%gpu\n{code}") for name, code in CODES.items()))
    saved.path.chmod(0o640)
    before = saved.path.read_bytes()
    told = cli("outputs", str(saved.path))
    assert saved.path.read_bytes() == before
    assert told.out.count("fill in\n") == 0 and told.out.count("fill in ") == len(CODES), told.out
    assert "Nothing was written" in told.out and "import sys" in told.out

    assert f"{len(CODES)} cells filled in" in cli("outputs", str(saved.path), "--write").out
    cells, here = saved.read(), {c["id"]: c for c in ran_here(CODES, tmp_path).cells}
    assert cells["bars"].outputs[0]["text"] == "b"
    for name in CODES:
        assert comparable(cells[name].outputs) == comparable(here[name].outputs), name
        assert cells[name].metadata["remote_gpu"]["state"] == "complete"
        assert cells[name].metadata["tags"] == ["kept"]
    assert [cells[name].execution_count for name in CODES] == list(range(11, 17))
    assert cells["shown"].outputs[-1]["execution_count"] == 12
    # The form in which Jupyter saves, so that a later save changes nothing else.
    text = saved.path.read_text("utf-8")
    assert json.loads(text) == json.loads(nbformat.writes(nbformat.read(saved.path, 4)))
    assert text.startswith('{\n "cells": [\n  {\n') and text.endswith("}\n") and "ä ✓" in text
    assert saved.path.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == [saved.path.name]
    # Again: nothing is left to do, and nothing is touched.
    after = saved.path.stat()
    assert "nothing to fill in" in cli("outputs", str(saved.path), "--write").out
    assert saved.path.stat().st_mtime_ns == after.st_mtime_ns


def test_a_cell_that_runs_is_filled_as_far_as_it_is(saved: Saved, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    code = RUNNING.format(gate=str(gate))
    execution = saved.run("long", code, wait=False)
    saved.face.until_text(execution, "begun")
    saved.write(("long", f"%%gpu\n{code}"))
    told = cli("outputs", str(saved.path), "--write", "--json").json()
    assert told["written"] and told["notebook"] == str(saved.path)
    (row,) = told["cells"]
    assert (row["number"], row["action"], row["reason"]) == (2, "fill", "new")
    assert (row["state"], row["execution"]["id"]) == ("running", execution)
    cell = saved.read()["long"]
    assert cell.outputs == [{"output_type": "stream", "name": "stdout", "text": "begun\n"}]
    shows = cell.metadata["remote_gpu"]
    assert shows == {"execution": execution, "state": "partial", "asked": shows["asked"]}
    assert "still runs" in cli("outputs", str(saved.path), "--write").out
    gate.touch()
    assert saved.face.ended(execution)["outcome"] == "ok"
    cli("outputs", str(saved.path), "--write")
    cell = saved.read()["long"]
    assert [o.get("text") for o in cell.outputs] == ["begun\nover\n", None]
    assert cell.outputs[1]["data"] == {"text/plain": "7"}
    assert cell.metadata["remote_gpu"] == {**shows, "state": "complete"}


def test_widgets_are_there_in_their_last_state(saved: Saved) -> None:
    saved.run("slider", SLIDER)
    old = {"old": {"model_name": "M", "model_module": "m", "state": {}}}
    widgets = {STATE: {"version_major": 2, "version_minor": 0, "state": old}}
    saved.write(("slider", f"%%gpu\n{SLIDER}"), widgets=widgets)
    cli("outputs", str(saved.path), "--write")
    view = saved.read()["slider"].outputs[0]["data"]["application/vnd.jupyter.widget-view+json"]
    state = nbformat.read(saved.path, 4).metadata["widgets"][STATE]["state"]
    assert state[view["model_id"]]["state"]["value"] == 8
    assert state["old"] == old["old"]


@pytest.mark.parametrize("unfilled", [tuple(BETWEEN), ("drawn",), ("later",)])
def test_what_other_cells_changed_is_in_it(
    saved: Saved, tmp_path: Path, unfilled: tuple[str, ...]
) -> None:
    for name, code in BETWEEN.items():
        saved.run(name, code)
    saved.write(*((name, f"%%gpu\n{BETWEEN[name]}") for name in unfilled))
    cli("outputs", str(saved.path), "--write")
    mine, here = nbformat.read(saved.path, 4), ran_here(BETWEEN, tmp_path)
    assert shown(mine, *unfilled) == shown(here, *unfilled)
    # Of those that a cell changed and does not show too: another one shows them.
    theirs = [whole(w, widgets_of(here)) for w in widgets_of(here).values()]
    states = [whole(w, widgets_of(mine)) for w in widgets_of(mine).values()]
    assert all(state in theirs for state in states)
    assert {(s["model_name"], s["state"].get("value")) for s in states} >= {
        ("IntProgressModel", 8),
        ("LabelModel", "b"),
        ("OutputModel", None),
    }


def test_what_was_edited_or_deleted_is_offered(saved: Saved) -> None:
    edited, gone = saved.run("edited", "print(1)"), saved.run("gone", "print(2)")
    long = "x = 0\n" * 400
    saved.run("tail", long + "print(3)")
    saved.write(("edited", "%%gpu\nprint(11)"), ("tail", f"%%gpu\n{long}print(33)"))
    before = saved.path.read_bytes()
    told = cli("outputs", str(saved.path), "--write").out
    assert saved.path.read_bytes() == before
    assert told.count("the text differs") == 2 and told.count("its cell is gone") == 1
    for execution, said in ((edited, "1\n"), (gone, "2\n")):
        assert execution[:8] in told
        assert cli("attach", execution[:8]).out == said


def test_a_link_stays_and_a_notebook_that_was_moved_is_found(saved: Saved, tmp_path: Path) -> None:
    saved.run("c", "print(1)")
    saved.write(("c", "%%gpu\nprint(1)"))
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.ipynb"
    link.symlink_to(saved.path)
    cli("outputs", str(link), "--write")
    assert link.is_symlink() and saved.read()["c"].outputs[0]["text"] == "1\n"
    moved = tmp_path / "moved.ipynb"
    saved.write(("c", "%%gpu\nprint(1)"))
    saved.path.rename(moved)
    assert "--ran-as" in cli("outputs", str(moved)).out
    cli("outputs", str(moved), "--write", "--ran-as", str(saved.path))
    assert nbformat.read(moved, 4).cells[1].outputs[0]["text"] == "1\n"


def test_a_notebook_of_which_nothing_is_known(saved: Saved) -> None:
    saved.write(("c", "%%gpu\nprint(1)"))
    before = saved.path.read_bytes()
    assert "Nothing is known here" in cli("outputs", str(saved.path), "--write").out
    assert saved.path.read_bytes() == before
    assert cli("outputs", str(saved.path), "--json").json()["cells"] == []
    assert "no.ipynb" in refused("outputs", str(saved.path.with_name("no.ipynb")), status=1)
