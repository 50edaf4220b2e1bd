"""The server extension: where it meets Jupyter Server, and its end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from jupyter_events import EventLogger
from jupyter_server.extension.application import ExtensionApp
from traitlets import Float

from .handlers import urls
from .manager import Manager

__all__ = ["EVENT", "RemoteGPUApp"]

EVENT = "https://events.jupyter.org/jupyter_remote_gpu/snapshot/v1"
_SCHEMA = Path(__file__).parent / "event_schemas" / "snapshot" / "v1.yaml"


class RemoteGPUApp(ExtensionApp):
    """Pods in Jupyter Server: REST below ``/remote-gpu/``, and an event for each change."""

    name = "remote_gpu"
    description = "Run notebook cells on a rented GPU"

    idle_seconds = Float(
        120.0,
        min=1.0,
        help="When nobody has asked for so long and no pod is on, the daemon is let go of.",
    ).tag(config=True)

    stop_seconds = Float(
        8.0,
        min=0.0,
        help="How long the demo pod, if this server runs one, may take to end with the server.",
    ).tag(config=True)

    _manager: Manager | None = None

    _shown: object = None

    def initialize_settings(self) -> None:
        """Make the manager; nothing is asked of the daemon before the first request."""
        assert self.serverapp is not None
        kernels = self.serverapp.kernel_manager
        self._manager = Manager(self._told, self.idle_seconds, kernels.cwd_for_path)
        self._events.register_event_schema(_SCHEMA)

    def initialize_handlers(self) -> None:
        """Add the table of addresses."""
        assert self._manager is not None
        self.handlers.extend(urls(self._manager))

    async def stop_extension(self) -> None:
        """Let go of the daemon, and end the demo pod; links and kernels go on."""
        if self._manager is None:
            return
        try:
            async with asyncio.timeout(self.stop_seconds + 5.0):
                await self._manager.close(self.stop_seconds)
        except TimeoutError:
            self.log.warning("remote_gpu did not end in time")

    @property
    def _events(self) -> EventLogger:
        assert self.serverapp is not None and self.serverapp.event_logger is not None
        return self.serverapp.event_logger

    def _told(self, snapshot: dict[str, Any]) -> None:
        # While a cell prints, the daemon tells every 2 s how far its log goes: no page shows that.
        shown = _without_progress(snapshot)
        if shown == self._shown:
            return
        self._shown = shown
        pods = [{"pod": pod["name"], "state": pod["state"]} for pod in snapshot["pods"]]
        data = {"revision": snapshot["revision"], "pods": pods}
        self._events.emit(schema_id=EVENT, data=data)


def _without_progress(snapshot: dict[str, Any]) -> object:
    def of(item: dict[str, Any], *lists: str) -> dict[str, Any]:
        below = {name: [of(each, *lists[1:]) for each in item[name]] for name in lists[:1]}
        return {**item, "last": None, **below}

    return snapshot["daemon"], [of(pod, "kernels", "executions") for pod in snapshot["pods"]]
