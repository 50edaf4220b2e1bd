"""When an execution was asked for: by the clock of who asked, for pods' clocks differ."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_remote_gpu.magic.execution import Execution
from jupyter_remote_gpu.magic.session import Session
from jupyter_remote_gpu.models import asked_at


def test_the_magic_tells_its_own_time() -> None:
    told: dict[str, Any] = {}
    remote: Any = SimpleNamespace(submit=lambda *args, **more: told.update(more["meta"]) or 1)
    shell = SimpleNamespace(displayhook=SimpleNamespace(prompt_count=3), kernel=None)
    session: Any = SimpleNamespace(shell=shell)
    before = time.time()
    execution = Execution("a" * 32, "m", 3, {})
    assert Session._submit(session, remote, execution, "x", {"metadata": {"cellId": "c"}}) == 1
    assert before <= told["asked"] <= time.time()
    assert (told["cell"], told["msg_id"], told["count"]) == ("c", "m", 3)


@pytest.mark.parametrize(
    ("execution", "at"),
    [
        ({"requested": 3600.0, "meta": {"asked": 5.0}}, 5.0),
        ({"requested": 3600.0, "meta": {}}, 3600.0),
        ({"requested": 7, "meta": {"asked": "5"}}, 7.0),
        ({"requested": 7, "meta": {"asked": True}}, 7.0),
        ({"requested": 7, "meta": {"asked": float("nan")}}, 7.0),
        ({"requested": None, "meta": None}, 0.0),
        ({}, 0.0),
    ],
)
def test_else_it_is_the_pods(execution: dict[str, Any], at: float) -> None:
    assert asked_at(execution) == at
