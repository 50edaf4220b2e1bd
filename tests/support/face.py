"""A face for tests: opens a kernel through the daemon, runs cells, keeps all that comes."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

from jupyter_remote_gpu.client.threaded import Face
from jupyter_remote_gpu.wire.records import Record

PATIENCE = 40.0
"""Seconds after which a test that waits fails."""


class KernelFace:
    """One channel to one kernel.

    Parameters
    ----------
    opened : dict, optional
        The answer of an earlier ``kernel.open``: nothing is asked of the pod.

    Attributes
    ----------
    opened : dict
        The answer of ``kernel.open``.
    records, controls : list
        All that has come so far.
    """

    def __init__(
        self,
        face: Face,
        pod: str,
        *,
        cursor: int = 0,
        opened: dict[str, Any] | None = None,
        **where: Any,
    ) -> None:
        self.face = face
        args: dict[str, Any] = {"notebook": "/n/a.ipynb", "folder": "/n", "fresh": False, **where}
        self.opened = opened or face.request(
            "kernel.open", timeout=60, pod=pod, client=face.client, **args
        )
        self.kernel = str(self.opened["kernel"])
        self.records: list[Record] = []
        self.controls: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self.channel = face.open_channel(
            pod=pod,
            kernel=self.kernel,
            identity=self.opened["identity"],
            cursor=cursor,
            on_batch=self._batch,
            on_control=self._control,
        )

    async def _batch(self, records: list[Record]) -> None:
        with self._news:
            self.records += records
            self._news.notify_all()

    async def _control(self, message: dict[str, Any]) -> None:
        with self._news:
            self.controls.append(message)
            self._news.notify_all()

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
        """Wait until `condition` gives something true, and return that."""
        deadline = time.monotonic() + patience
        with self._news:
            while True:
                value = condition()
                if value:
                    return value
                if self.channel.done.done():
                    self.channel.done.result()
                left = deadline - time.monotonic()
                assert left > 0, f"{what}: not within {patience:g} s; {self.controls[-3:]}"
                self._news.wait(min(left, 0.2))

    def submit(self, code: str) -> str:
        """Hand a cell over; its execution's id."""
        execution = uuid.uuid4().hex
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
        }
        self.channel.submit(
            "execute_request", content, msg_id=uuid.uuid4().hex, execution=execution
        )
        return execution

    def of(self, execution: str) -> list[Record]:
        """The records of a cell."""
        return [r for r in self.records if r.execution == execution]

    def ended(self, execution: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait for the end of a cell; its ``ended``."""

        def find() -> dict[str, Any] | None:
            for record in reversed(self.records):
                if record.type == "ended" and record.execution == execution:
                    return record.content
            return None

        found: dict[str, Any] = self.until(find, "the cell's end", patience)
        return found

    def run(self, code: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Run a cell to its end."""
        return self.ended(self.submit(code), patience)

    def text(self, execution: str) -> str:
        """What a cell has printed so far."""
        with self._news:
            streams = [r for r in self.of(execution) if r.type == "stream"]
        return "".join(str(r.content["text"]) for r in streams)

    def until_text(self, execution: str, part: str) -> None:
        """Wait until a cell has printed `part`."""
        self.until(lambda: part in self.text(execution), f"the text {part!r}")

    def control(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Wait for a control message of that type with those fields."""

        def find() -> dict[str, Any] | None:
            for message in self.controls:
                if message["type"] == kind and all(message.get(k) == v for k, v in fields.items()):
                    return message
            return None

        found: dict[str, Any] = self.until(find, f"the control message {kind} {fields}")
        return found

    def in_order(self) -> None:
        """Assert that every record came once and in order."""
        numbers = [(r.first, r.last) for r in self.records]
        for (_, last), (first, _) in itertools.pairwise(numbers):
            assert first == last + 1, numbers

    def close(self) -> None:
        self.channel.close()
