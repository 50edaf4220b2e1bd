"""``outputs NOTEBOOK``, with a daemon's answers that a test makes up."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.cli import main, opened, outputs
from jupyter_remote_gpu.client import refill
from jupyter_remote_gpu.client.refill import Completed
from jupyter_remote_gpu.errors import DaemonError, NotFound

Json = dict[str, Any]
WIDGETS = "application/vnd.jupyter.widget-state+json"


class Mirror:
    """What the daemon would know; the notebook has the cells ``c0``, ``c1`` and so on."""

    def __init__(self, path: Path) -> None:
        self.path, self.told = path, path
        self.executions: list[Json] = []
        self.elsewhere: dict[str, Json] = {}
        self.done: dict[str, Completed | Exception] = {}
        self.asked: list[str] = []
        self.open: list[tuple[list[str], list[str]]] = []
        self.write(1)

    def write(self, cells: int) -> None:
        made = [
            {
                "cell_type": "code",
                "id": f"c{n}",
                "source": f"%%gpu\nx{n}",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for n in range(cells)
        ]
        value = {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        self.path.write_text(json.dumps(value))

    def ran(self, number: int, *shown: Json, outcome: str | None = "ok", **more: Any) -> None:
        name = f"{number}" * 32
        row = {
            "id": name,
            "requested": 10.0 - number,
            "started": 10.0,
            "ended": None if outcome is None else 20.0,
            "code": f"x{number}\n",
            "meta": {"cell": f"c{number}"},
            "outcome": outcome,
            "state": "running" if outcome is None else "ended",
        }
        self.executions.insert(0, row)
        done = {"code": f"x{number}\n", "outcome": outcome, "widgets": None, **more}
        self.done[name] = Completed(
            execution=row, outputs=list(shown), execution_count=number, cursor=9, first=1, **done
        )

    def set(self, **fields: Any) -> None:
        """Change the first cell."""
        value = self.read()
        value["cells"][0].update(fields)
        self.path.write_text(json.dumps(value))

    def read(self) -> Json:
        value: Json = json.loads(self.path.read_bytes())
        return value


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    mirror = Mirror(tmp_path / "n.ipynb")

    @contextlib.asynccontextmanager
    async def control() -> AsyncIterator[object]:
        yield object()

    async def executions_of(_: object, notebook: str) -> list[Json]:
        mirror.asked.append(notebook)
        return [e for e in mirror.executions if notebook == e.get("told", str(mirror.told))]

    async def find(_: object, execution: str) -> Json:
        if execution not in mirror.elsewhere:
            raise NotFound("nothing is known of it")
        return mirror.elsewhere[execution]

    async def completed(_: object, execution: str, kernels: object) -> Completed:
        await asyncio.sleep(0)
        found = mirror.done[execution]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(outputs, "control", control)
    monkeypatch.setattr(refill, "executions_of", executions_of)
    monkeypatch.setattr(refill, "find", find)
    monkeypatch.setattr(refill, "completed", completed)
    monkeypatch.setattr(
        opened, "opened_at", lambda _: mirror.open.pop(0) if mirror.open else ([], [])
    )
    return mirror


def stream(text: str) -> Json:
    return {"output_type": "stream", "name": "stdout", "text": text}


def test_one_cell_that_cannot_be_read_costs_no_other(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.write(3)
    for number in range(3):
        mirror.ran(number, stream("said\n"))
    mirror.done["1" * 32] = DaemonError("The log is away.")
    mirror.ran(2, {"output_type": "display_data", "data": {"text/plain": 5}, "metadata": {}})
    mirror.executions.pop(1)  # the earlier one of the same cell
    assert main(["outputs", str(mirror.path), "--write"]) == 1
    told = capsys.readouterr()
    assert "cell 2: The log is away." in told.err and "cell 3: " in told.err
    assert "1 cell filled in" in told.out and "no valid output" in told.out
    assert [c["outputs"] for c in mirror.read()["cells"]] == [
        [stream("said\n") | {"text": ["said\n"]}],
        [],
        [],
    ]


def test_the_whole_text_counts(mirror: Mirror, capsys: pytest.CaptureFixture[str]) -> None:
    """What is listed is cut, so it may be the beginning of what was run, or of the cell."""
    mirror.set(source="%%gpu\n" + "x" * 200)
    before = mirror.path.read_bytes()
    for length in (150, 250):
        mirror.executions.clear()
        mirror.ran(0, stream("said\n"), code="x" * length)
        mirror.executions[0]["code"] = "x" * 120
        assert main(["outputs", str(mirror.path), "--write"]) == 0
        assert "the text differs" in capsys.readouterr().out
        assert mirror.path.read_bytes() == before


def test_what_no_file_can_have(mirror: Mirror) -> None:
    nan = {"output_type": "display_data", "data": {"application/json": [float("nan"), 1.5]}}
    state = {"state": {"m": {"value": float("inf")}}, "version_major": 2}
    mirror.ran(0, stream("a\udcffb"), {**nan, "metadata": {}}, widgets={WIDGETS: state})
    assert main(["outputs", str(mirror.path), "--write"]) == 0
    made = mirror.read()
    assert made["cells"][0]["outputs"][0]["text"] == ["a\ufffdb"]
    assert made["cells"][0]["outputs"][1]["data"] == {"application/json": [None, 1.5]}
    assert made["metadata"]["widgets"][WIDGETS]["state"] == {"m": {"value": None}}


def test_of_a_widget_the_newest_cells_state_counts(mirror: Mirror) -> None:
    mirror.write(2)
    for number in (0, 1):  # cell 1 ran first
        state = {"state": {"m": number}, "version_major": 2}
        mirror.ran(number, widgets={WIDGETS: state})
    assert main(["outputs", str(mirror.path), "--write"]) == 0
    assert mirror.read()["metadata"]["widgets"][WIDGETS]["state"] == {"m": 0}


def test_what_is_right_already_is_only_marked(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.ran(0, outcome=None)
    mirror.set(execution_count=0)
    assert main(["outputs", str(mirror.path), "--write", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["written"] and told["cells"][0]["action"] == "mark"
    shows = {"execution": "0" * 32, "state": "partial", "asked": 10.0}
    assert mirror.read()["cells"][0]["metadata"] == {"remote_gpu": shows}
    assert main(["outputs", str(mirror.path), "--write", "--json"]) == 0
    assert not json.loads(capsys.readouterr().out)["written"]


def test_one_that_is_open_is_refused_also_in_the_end(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.ran(0, stream("said\n"))
    before = mirror.path.read_bytes()
    is_open = (["http://localhost/here/"], [])
    for looks in ([is_open], [([], []), is_open]):
        mirror.open = list(looks)
        assert main(["outputs", str(mirror.path), "--write"]) == 1
        told = capsys.readouterr()
        assert "is open at http://localhost/here/" in told.err and "--force" in told.err
        assert not told.out and mirror.path.read_bytes() == before and not mirror.open
    mirror.open = [is_open]
    assert main(["outputs", str(mirror.path)]) == 0  # it only tells
    assert main(["outputs", str(mirror.path), "--write", "--force"]) == 0
    assert mirror.open == [is_open] and mirror.path.read_bytes() != before


def test_a_server_that_cannot_be_asked_is_told_of(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.ran(0, stream("said\n"))
    mirror.open = [([], ["http://localhost/silent/"])]
    assert main(["outputs", str(mirror.path), "--write"]) == 0
    assert "http://localhost/silent/ could not be asked" in capsys.readouterr().err


def test_one_that_was_changed_while_the_log_was_read(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.ran(0, stream("said\n"))
    done = mirror.done["0" * 32]

    async def completed(*_: object) -> object:
        mirror.write(2)
        return done

    monkeypatch.setattr(refill, "completed", completed)
    assert main(["outputs", str(mirror.path), "--write", "--force"]) == 1
    assert "was changed meanwhile" in capsys.readouterr().err
    assert len(mirror.read()["cells"]) == 2 and not mirror.read()["cells"][0]["outputs"]


def test_the_paths_that_its_kernel_may_have_been_told(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.ran(0, stream("said\n"))
    folder = mirror.path.parent
    (folder / "by-folder").symlink_to(folder)
    (folder / "link.ipynb").symlink_to(mirror.path)
    monkeypatch.chdir(folder)
    for name, told in [
        ("n.ipynb", "n.ipynb"),
        ("by-folder/n.ipynb", "n.ipynb"),
        ("link.ipynb", "n.ipynb"),
        ("by-folder/link.ipynb", "link.ipynb"),
    ]:
        mirror.told = folder / told
        mirror.write(1)
        mirror.asked.clear()
        assert main(["outputs", name, "--write"]) == 0
        assert mirror.read()["cells"][0]["outputs"], name
        assert mirror.asked[0] == str(folder / name)


def test_what_ran_under_any_of_its_paths_counts(mirror: Mirror) -> None:
    link = mirror.path.parent / "link.ipynb"
    link.symlink_to(mirror.path)
    mirror.ran(0, stream("older\n"))
    older = mirror.executions[0]
    newer = older | {"id": "a" * 32, "requested": 20.0, "told": str(link)}
    older["told"] = str(mirror.path)
    mirror.executions.insert(0, newer)
    mirror.done["a" * 32] = Completed(newer, "x0", [stream("newer\n")], 1, "ok", 9, 1, None)
    for path in (link, mirror.path):
        assert main(["outputs", str(link), "--write", "--force"]) == 0
        assert mirror.read()["cells"][0]["outputs"][0]["text"] == ["newer\n"], path


@pytest.mark.parametrize(
    ("elsewhere", "action"),
    [(None, "offer"), (20.0, "leave"), (5.0, "fill")],
    ids=["unknown", "newer", "older"],
)
def test_what_another_notebook_ran_is_looked_for(
    mirror: Mirror, elsewhere: float | None, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.ran(0, stream("old\n"))
    mirror.set(metadata={"remote_gpu": {"execution": "f" * 32, "state": "complete"}})
    if elsewhere is not None:
        mirror.elsewhere["f" * 32] = {"meta": {"cell": "c0", "asked": elsewhere}}
    assert main(["outputs", str(mirror.path), "--write", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["cells"]
    assert row["action"] == action
    assert bool(mirror.read()["cells"][0]["outputs"]) == (action == "fill")


def test_one_that_was_renamed_before_its_end_goes_on(mirror: Mirror) -> None:
    mirror.ran(0, stream("all\n"))
    mirror.elsewhere["0" * 32] = mirror.executions.pop()
    mirror.set(metadata={"remote_gpu": {"execution": "0" * 32, "state": "partial"}})
    assert main(["outputs", str(mirror.path), "--write"]) == 0
    assert mirror.read()["cells"][0]["outputs"][0]["text"] == ["all\n"]


def test_a_trimmed_log_takes_nothing_away(
    mirror: Mirror, capsys: pytest.CaptureFixture[str]
) -> None:
    mirror.ran(0, stream("[9,000 messages are missing here]\nlast\n"), gaps=True)
    mirror.set(outputs=[stream("first\n" * 100)])
    before = mirror.path.read_bytes()
    assert main(["outputs", str(mirror.path), "--write"]) == 0
    assert "offered: the cell has more" in capsys.readouterr().out
    assert mirror.path.read_bytes() == before
    mirror.write(1)  # an empty cell takes what there is
    assert main(["outputs", str(mirror.path), "--write"]) == 0
    assert mirror.read()["cells"][0]["outputs"]
