"""Which cells of a notebook are filled from its executions, and with what."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from jupyter_remote_gpu.client.cell_text import longer, same_text
from jupyter_remote_gpu.client.matching import Decision, apply, decide
from jupyter_remote_gpu.client.refill import Completed

Json = dict[str, Any]
CASES = json.loads(Path(__file__).with_name("refill-rule.json").read_text("utf-8"))
WIDGETS = "application/vnd.jupyter.widget-state+json"


def cell(name: str | None = "c", text: str | list[str] = "%%gpu\nx", **shows: str) -> Json:
    made = {"cell_type": "code", "source": text, "metadata": {}, "outputs": []}
    made |= {"id": name} if name else {}
    made["metadata"] = {"remote_gpu": shows} if shows else {}
    return made


def ran(name: str, requested: float, of: str | None = "c", code: str = "x\n", **meta: Any) -> Json:
    return {"id": name, "requested": requested, "code": code, "meta": {"cell": of, **meta}}


def decided(cells: list[Json], *executions: Json) -> list[tuple[str, str, int | None, str | None]]:
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    before = copy.deepcopy((notebook, executions))
    made = decide(notebook, executions)
    assert (notebook, executions) == before
    return [(d.action, d.reason, d.index, d.execution and d.execution["id"]) for d in made]


def in_file(told: Json) -> Json:
    """A cell of the table, as a file has it."""
    made = cell(told["id"], told["source"], **told.get("shows", {}))
    if "began" in told:
        made["metadata"]["execution"] = {"iopub.execute_input": told["began"]}
    return made


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_rule(case: Json) -> None:
    """The same table is the front end's (`src/__tests__/refill-rule.spec.ts`)."""
    notebook = {
        "cells": [in_file(told) for told in case["cells"]],
        "metadata": {"remote_gpu": {"gone": case["gone"]}} if "gone" in case else {},
    }
    saved = case.get("saved", math.inf)
    made = decide(notebook, case["executions"], case.get("times", {}), saved)
    assert [[d.action, d.reason, d.index, d.execution and d.execution["id"]] for d in made] == case[
        "decisions"
    ]


def test_what_is_no_code_cell_takes_nothing() -> None:
    markdown = {"cell_type": "markdown", "id": "m", "source": "x", "metadata": {}}
    cells = [markdown, cell("a"), cell("b"), cell("c"), cell(None)]
    executions = [ran("1", 1, "a"), ran("3", 3, "c"), ran("2", 2, "c"), ran("4", 4, "m")]
    assert decided(cells, *executions) == [
        ("fill", "new", 1, "1"),
        ("leave", "none", 2, None),
        ("fill", "new", 3, "3"),
    ]


def test_metadata_that_is_none_of_ours() -> None:
    for metadata in ({"remote_gpu": "1"}, {"remote_gpu": {"execution": ["1"]}}, None):
        odd = {**cell(), "metadata": metadata}
        assert decided([odd], ran("1", 1)) == [("fill", "new", 0, "1")]


@pytest.mark.parametrize("words", ["--detach", "mypod --detach", "  --det pod"])
def test_a_detached_cell_keeps_its_handle(words: str) -> None:
    assert decided([cell(text=f"%%gpu {words}\nx")], ran("1", 1)) == [("leave", "detached", 0, "1")]
    text = cell(text=f"%%gpu pod\nx {words}")
    assert decided([text], ran("1", 1, code=f"x {words}"))[0][0] == "fill"


def test_the_text_must_be_what_ran() -> None:
    long = "y" * 120
    for text, code in [
        ("%%gpu\nx", "x"),
        ("%%gpu mypod  \nx\n\n", "x\n"),
        (["%%gpu\n", "x\n", "z"], "x\nz"),
        ("\n  %%gpu\nx", "x"),
        ("%%gpu", ""),
        (f"%%gpu\n{long}z", long),
    ]:
        assert decided([cell(text=text)], ran("1", 1, code=code)) == [("fill", "new", 0, "1")]
    for text, code in [
        ("%%gpu\nx", "xx"),
        ("%%gpu\nxx", "x"),
        ("x", "x"),  # it would run here now
        ("%%gpux\nx", "x"),
        ("%%gpu\n x", "x"),
        (f"%%gpu\n{long}z", long[1:]),
    ]:
        assert decided([cell(text=text)], ran("1", 1, code=code)) == [("offer", "text", 0, "1")]
    assert same_text(f"%%gpu\n{long}z", long) and not same_text(f"%%gpu\n{long}z", long, whole=True)


def completed(outcome: str | None, widgets: Json | None = None) -> Completed:
    outputs: list[Json] = [{"output_type": "stream", "name": "stdout", "text": "said\n"}]
    return Completed({"id": "1", "meta": {"asked": 5.5}}, "x\n", outputs, 7, outcome, 9, 3, widgets)


def states(**models: str) -> Json:
    value = {m: {"model_name": name} for m, name in models.items()}
    return {WIDGETS: {"version_major": 2, "version_minor": 0, "state": value}}


@pytest.mark.parametrize(("outcome", "state"), [("ok", "complete"), (None, "partial")])
def test_a_filled_cell(outcome: str | None, state: str) -> None:
    own = cell(execution="0", state="complete")
    own["metadata"] |= {"trusted": False, "tags": ["t"]}
    notebook = {"cells": [cell("a"), own], "metadata": {"kernelspec": {}}, "nbformat": 4}
    before = copy.deepcopy(notebook)
    made = apply(notebook, 1, completed(outcome))
    assert notebook == before
    shows = {"execution": "1", "state": state, "asked": 5.5}
    assert made["cells"][1] == {
        **own,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": "said\n"}],
        "execution_count": 7,
        "metadata": {"trusted": False, "tags": ["t"], "remote_gpu": shows},
    }
    assert made["cells"][0] is notebook["cells"][0]
    assert made["metadata"] == {"kernelspec": {}}


def test_widgets_are_merged() -> None:
    notebook = {"cells": [cell()], "metadata": {"widgets": {**states(a="A", b="B"), "x": 1}}}
    before = copy.deepcopy(notebook)
    made = apply(notebook, 0, completed("ok", states(b="new", c="C")))
    assert made["metadata"]["widgets"] == {**states(a="A", b="new", c="C"), "x": 1}
    assert notebook == before
    for odd in (None, [], {WIDGETS: None}, {WIDGETS: {"version_major": 1, "state": {"a": 1}}}):
        notebook["metadata"] = {"widgets": odd}
        assert apply(notebook, 0, completed("ok", states(c="C")))["metadata"]["widgets"] == (
            states(c="C")
        )


def test_which_outputs_are_longer() -> None:
    def text(value: Any) -> Json:
        return {"output_type": "stream", "name": "stdout", "text": value}

    shown = {"output_type": "display_data", "data": {}, "metadata": {}}
    assert longer([text(["a\n", "b\n"])], [text("a\n")])
    assert not longer([text("a\n")], [text(["a\n"])])
    assert longer([shown], [text("x" * 100)]) and not longer(None, [])


def test_a_decision_says_where() -> None:
    (made,) = decide({"cells": [cell()]}, [ran("1", 1)])
    assert made == Decision("fill", "new", 0, ran("1", 1))
