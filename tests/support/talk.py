"""Kernel messages as records, for tests of the fold and of compaction."""

from __future__ import annotations

import json
import random
from typing import Any

from jupyter_remote_gpu.client.comms import CommFold
from jupyter_remote_gpu.client.outputs import OutputFold
from jupyter_remote_gpu.wire.records import EPHEMERAL, Record, keeper_record

CELLS = {"a" * 32: "cell-a", "b" * 32: "cell-b"}
OUTPUT = {"_model_module": "@jupyter-widgets/output", "_model_name": "OutputModel"}


def dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


class Talk:
    """A kernel's side of a conversation, written down as its keeper would."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def say(
        self,
        kind: str,
        content: dict[str, Any],
        cell: str | None = "a" * 32,
        *,
        channel: str = "iopub",
        cls: str = "durable",
        buffers: tuple[bytes, ...] = (),
    ) -> None:
        n = len(self.records) + 1
        head = {"channel": channel, "type": kind, "class": cls, "execution": cell, "client": None}
        parent = {"msg_id": CELLS[cell]} if cell in CELLS else {"msg_id": "front-end"}
        parts = [dump({"msg_id": f"m{n}", "msg_type": kind}), dump(parent), b"{}", dump(content)]
        self.records.append(Record(n, n, head, [*parts, *buffers]))

    def note(self, kind: str, content: dict[str, Any], cell: str | None = None) -> None:
        n = len(self.records) + 1
        self.records.append(Record(n, n, *keeper_record(kind, content, execution=cell)))

    def stream(self, text: str, cell: str | None = "a" * 32, name: str = "stdout") -> None:
        self.say("stream", {"name": name, "text": text}, cell)

    def display(self, text: str, cell: str, display_id: str | None, update: bool = False) -> None:
        transient = {"display_id": display_id} if display_id else {}
        content = {"data": {"text/plain": text}, "metadata": {}, "transient": transient}
        self.say("update_display_data" if update else "display_data", content, cell)

    def comm(
        self,
        comm: str,
        state: dict[str, Any],
        cell: str | None,
        *,
        method: str = "update",
        paths: tuple[list[Any], ...] = (),
    ) -> None:
        data = {"method": method, "state": state, "buffer_paths": list(paths)}
        buffers = tuple(b"bytes of %d" % len(self.records) for _ in paths)
        self.say("comm_msg", {"comm_id": comm, "data": data}, cell, buffers=buffers)

    def open(self, comm: str, state: dict[str, Any], cell: str | None) -> None:
        data = {"state": state, "buffer_paths": []}
        content = {"comm_id": comm, "target_name": "jupyter.widget", "data": data}
        self.say("comm_open", content, cell)

    def clear(self, cell: str | None, wait: bool) -> None:
        self.say("clear_output", {"wait": wait}, cell)


class Shown:
    """Everything that a notebook shows of a log, whatever the form of its records."""

    def __init__(self) -> None:
        self.comms = CommFold()
        self.cells = {
            cell: OutputFold(cell, comms=self.comms, on_display=self._elsewhere) for cell in CELLS
        }

    def _elsewhere(self, display_id: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        for fold in self.cells.values():
            fold.update_display(display_id, data, metadata)

    def feed(self, records: list[Record]) -> Shown:
        for record in records:
            self.comms.feed(record)
            for fold in self.cells.values():
                fold.feed(record)
        return self

    def all(self) -> dict[str, Any]:
        return {
            "cells": {c: (f.outputs, f.execution_count, f.outcome) for c, f in self.cells.items()},
            "comms": {c.comm_id: (c.full_state(), c.buffers) for c in self.comms.comms.values()},
            "widgets": self.comms.widget_state(),
            "capturing": {m: self.comms.capturing(m) is not None for m in CELLS.values()},
        }


def random_talk(rng: random.Random, length: int) -> list[Record]:
    """Messages as kernels send them, and some as none would; the two cells overlap."""
    talk = Talk()
    cells = list(CELLS)
    for cell in cells:
        talk.note("request", {"msg_id": CELLS[cell]}, cell)
    for comm in ("out1", "out2"):
        if rng.random() < 0.8:
            talk.open(comm, {**OUTPUT, "outputs": [], "msg_id": ""}, cells[0])
    for comm in ("bar1", "bar2"):
        talk.open(comm, {"_model_name": "FloatProgressModel", "value": 0}, cells[0])
    weights = {
        _lines: 6,
        _update: 4,
        _bar: 6,
        _bracket: 5,
        _half: 1,
        _other: 3,
        _keeper: 1,
    }
    while len(talk.records) < length:
        act = rng.choices(list(weights), list(weights.values()))[0]
        act(talk, rng, rng.choice([*cells, cells[0], None if act is not _keeper else cells[1]]))
    for cell in cells:
        talk.note("ended", {"outcome": "ok"}, cell)
    return talk.records


def _lines(talk: Talk, rng: random.Random, cell: str | None) -> None:
    for _ in range(rng.randrange(1, 6)):
        text = rng.choice(["x", "é\r", "", "𝔘nicode\n", "lone \ud83d", "\ude00 half", "line\n"])
        talk.stream(text, cell, rng.choice(["stdout", "stdout", "stdout", "stderr"]))


def _update(talk: Talk, rng: random.Random, cell: str | None) -> None:
    display_id = rng.choice(["d1", "d2", None])
    update = display_id is not None and rng.random() < 0.8
    talk.display(f"shown {len(talk.records)}", cell or "a" * 32, display_id, update)


def _bar(talk: Talk, rng: random.Random, cell: str | None) -> None:
    comm, n = rng.choice(["bar1", "bar2", "stranger"]), len(talk.records)
    roll = rng.random()
    if roll < 0.6:
        state = dict.fromkeys(rng.sample(["value", "max", "style"], rng.randrange(1, 3)), n)
        talk.comm(comm, state, cell)
    elif roll < 0.7:
        talk.comm(comm, {"value": n, "pic": {}}, cell, paths=(["pic", "data"], ["raw"]))
    elif roll < 0.8:
        talk.comm(comm, {"value": n}, None, method="echo_update")
    elif roll < 0.9:
        content = {"comm_id": comm, "data": {"method": "custom", "content": {"n": n}}}
        talk.say("comm_msg", content, cell)
    elif roll < 0.93:
        talk.say("comm_close", {"comm_id": comm, "data": {}}, cell)
        talk.open(comm, {"_model_name": "FloatProgressModel", "value": n}, cell)
    else:
        talk.comm(rng.choice(["out1", "out2"]), {"outputs": []}, cell)


def _bracket(talk: Talk, rng: random.Random, cell: str | None, depth: int = 0) -> None:
    comm = rng.choice(["out1", "out2"])
    inside = rng.choice(list(CELLS)) if rng.random() < 0.1 else cell or "a" * 32
    talk.comm(comm, {"msg_id": CELLS[inside]}, cell)
    if rng.random() < 0.8:
        talk.clear(inside, rng.random() < 0.8)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        roll = rng.random()
        if roll < 0.5:
            talk.display(f"bar at {len(talk.records)}", inside, rng.choice([None] * 8 + ["d1"]))
        elif roll < 0.8:
            talk.stream(f"in {len(talk.records)}\n", inside)
        elif roll < 0.9 and depth < 2:
            _bracket(talk, rng, cell, depth + 1)
        else:
            rng.choice([_bar, _lines, _other, _keeper])(talk, rng, rng.choice(list(CELLS)))
    if rng.random() < 0.95:
        talk.comm(comm, {"msg_id": ""}, cell)


def _half(talk: Talk, rng: random.Random, cell: str | None) -> None:
    comm = rng.choice(["out1", "out2", "stranger"])
    talk.comm(comm, {"msg_id": rng.choice(["", *CELLS.values()])}, cell)


def _other(talk: Talk, rng: random.Random, cell: str | None) -> None:
    n = len(talk.records)
    kind = rng.choice(["clear", "result", "error", "reply", "status"])
    if kind == "clear":
        talk.clear(cell, rng.random() < 0.5)
    elif kind == "result":
        content = {"data": {"text/plain": str(n)}, "metadata": {}, "execution_count": n}
        talk.say("execute_result", content, cell)
    elif kind == "error":
        talk.say("error", {"ename": "E", "evalue": str(n), "traceback": ["t"]}, cell)
    elif kind == "reply":
        talk.say("complete_reply", {"matches": []}, None, channel="shell", cls=EPHEMERAL)
    else:
        talk.say("status", {"execution_state": "idle"}, cell)


def _keeper(talk: Talk, rng: random.Random, cell: str | None) -> None:
    if rng.random() < 0.5:
        content = {"messages": 3, "bytes": 70, "reason": "the disk was full"}
        talk.note("gap", content, rng.choice([None, cell]))
    else:
        talk.note("interrupt", {"done": True}, cell)
