"""What a kernel needs of its pod's link."""

from __future__ import annotations

from typing import Any, Protocol


class Bridge(Protocol):
    """A byte stream to a service on the pod, as `link` opens it."""

    info: dict[str, Any]

    @property
    def unsent(self) -> int:
        """Bytes that wait here until the pod takes more."""

    async def read(self, n: int = ...) -> bytes: ...
    def write(self, data: bytes) -> None: ...
    async def drain(self) -> None: ...
    async def close(self) -> None: ...


class Opener(Protocol):
    """The part of a pod's link that is needed here."""

    async def open_bridge(self, spec: dict[str, Any] | None = None) -> Bridge: ...
