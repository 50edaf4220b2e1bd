"""What a notebook ran, and what its cells show."""

from __future__ import annotations

import asyncio
import os
from typing import Any
from urllib.parse import quote

import pytest

from jupyter_remote_gpu.routes import answers
from tests.routes.cells import SLEEP, submit
from tests.routes.inside import InsideServer
from tests.support.face import KernelFace

ID = "0" * 32


def test_what_a_notebook_ran(connected: InsideServer, cell: KernelFace, notebook: str) -> None:
    ids = []
    for i in range(3):
        code = f"print({i}); {i}" if i < 2 else SLEEP
        ids.append(submit(cell, code, notebook=notebook, cell=f"c{i}", count=i + 5))
    submit(cell, "0", notebook="/elsewhere/b.ipynb", cell="c9")
    cell.until_text(ids[2], "begun")
    found = connected.ask("GET", "/executions?notebook=sub%20folder/t%C3%A4glich.ipynb")
    ours = [e for e in found["executions"] if e["id"] in ids]
    assert [e["id"] for e in ours] == ids
    assert {e["meta"]["notebook"] for e in found["executions"]} == {notebook}
    assert [e["state"] for e in ours] == ["ended", "ended", "running"]
    assert {(e["pod"], e["kernel"]) for e in ours} == {("pod", cell.kernel)}
    one = connected.ask("GET", f"/executions/{ids[1]}")
    assert (one["meta"]["cell"], one["outcome"]) == ("c1", "ok")
    told = connected.ask("GET", f"/executions/{ids[1]}/outputs")
    assert told["outputs"][0] == {"output_type": "stream", "name": "stdout", "text": "1\n"}
    assert told["outputs"][1]["data"] == {"text/plain": "1"}
    assert (told["outcome"], told["execution"]["id"]) == ("ok", ids[1])
    assert told["first"] == one["first"] <= told["cursor"]
    running = connected.ask("GET", f"/executions/{ids[2]}/outputs")
    assert running["outcome"] is None
    assert running["outputs"][0]["text"] == "begun\n"
    assert connected.ask("POST", f"/executions/{ids[2]}/interrupt", status=202) == {"done": True}
    assert cell.ended(ids[2])["ename"] == "KeyboardInterrupt"
    assert connected.ask("GET", "/executions?notebook=other.ipynb") == {"executions": []}


def test_a_contents_path_leads_nowhere_else(connected: InsideServer) -> None:
    for path in ("../../etc/passwd", "/etc/passwd", "a\0b", "x" * 5000, os.sep):
        assert connected.ask("GET", f"/executions?notebook={quote(path)}") == {"executions": []}


def test_what_cannot_be_is_said(server: InsideServer) -> None:
    path = "/executions/0000/outputs"
    assert "not the id" in server.refused("GET", path, status=404, code="not-found")
    assert "notebook" in server.refused("GET", "/executions", status=400, code="bad-input")


def test_a_large_answer_leaves_room_for_others(
    server: InsideServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 MB in ten outputs: between them the loop has its turn."""
    outputs = [{"data": {"image/png": "x" * 5_000_000}} for _ in range(10)]
    told = {"outcome": None, "widgets": {"a": float("nan")}, "outputs": outputs}

    async def large(execution: str) -> tuple[dict[str, Any], str]:
        return dict(told), "1-None"

    turns, seen = 0, []

    def spy(value: Any, encode: Any = answers._encode) -> str:
        seen.append(turns)
        return str(encode(value))

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def beside() -> asyncio.Task[None]:
        return asyncio.create_task(count())

    monkeypatch.setattr(server.extension._manager, "outputs", large)
    monkeypatch.setattr(answers, "_encode", spy)
    counter = server.call(beside())
    token = {"Authorization": f"token {server.token}"}
    answer = server.raw("GET", f"/executions/{ID}/outputs", headers=token)
    server.loop.call_soon_threadsafe(counter.cancel)
    assert answer.json == {**told, "widgets": {"a": None}}
    assert answer.headers["Content-Type"] == "application/json"
    assert len(set(seen[1:])) == 10
