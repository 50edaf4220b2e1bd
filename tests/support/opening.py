"""A face whose daemon opens kernels for a notebook."""

from __future__ import annotations

from typing import Any

from tests.support.magic import FakeChannel, FakeFace


class Pod(FakeFace):
    """A face whose daemon opens kernels 1111…, 2222… on the pod "a"."""

    def __init__(self, state: str = "connected") -> None:
        super().__init__({"name": "a", "state": state, "address": "me@a:22"})
        self.opened = 0
        self.answers["kernel.open"] = self.open
        self.channels: list[FakeChannel] = []

    def open(self, args: dict[str, Any]) -> dict[str, Any]:
        if args.get("start") is False:
            return {"pod": "a", "kernel": None, "joined": False}
        self.opened += 1
        return self.told(self.opened)

    def told(self, number: int, *, joined: bool = False) -> dict[str, Any]:
        answer = {"pod": "a", "kernel": str(number) * 32, "identity": "b" * 32, "started": 0}
        return {**answer, "last": 0, "joined": joined, "before": None}

    def open_channel(self, **keys: Any) -> FakeChannel:
        self.channel = FakeChannel()
        self.channels.append(self.channel)
        return super().open_channel(**keys)

    def ops(self) -> list[str]:
        return [op for op, _ in self.asked if op != "snapshot"]
