"""nbclient as the reference for what a notebook's cells become."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import zmq
import zmq.asyncio
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.session import Session
from nbclient import NotebookClient
from traitlets import default


class _Session(Session):
    """Wakes whoever receives when it has sent.

    jupyter_client sends by a shadow of the asyncio socket. That takes away the event by which the
    socket would have noticed a reply that came meanwhile: nbclient, which sends to an
    `ipywidgets.Output` in mid-cell, then waits for ever (seen once in 70 notebooks under load).
    """

    def send(self, stream: Any, *args: Any, **kwargs: Any) -> Any:
        sent = super().send(stream, *args, **kwargs)
        if isinstance(stream, zmq.asyncio.Socket):
            stream.get(zmq.EVENTS)  # type: ignore[unused-coroutine]
        return sent


class _Manager(AsyncKernelManager):
    @default("session")
    def _default_session(self) -> Session:
        return _Session(parent=self)


def client_of(notebook: Any, folder: Path, **settings: Any) -> NotebookClient:
    """What runs `notebook` in `folder`, in a local kernel."""
    return NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=_Manager,
        resources={"metadata": {"path": str(folder)}},
        **settings,
    )
