"""Who asks: the notebook, the cell and the local kernel that this process is."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

from .sink import running_kernel

__all__ = ["cell_count", "cell_request", "folder", "local_kernel", "notebook", "shutting_down"]


def notebook() -> str | None:
    """Path of the notebook, as Jupyter Server tells its kernels; None in a terminal."""
    return os.environ.get("JPY_SESSION_NAME") or None


def folder() -> str:
    """The working folder, absolute."""
    try:
        return os.getcwd()
    except FileNotFoundError:  # removed under us
        return str(Path.home())


def local_kernel(shell: Any) -> str | None:
    """The id of the local kernel: what its connection file is called; None in a terminal."""
    return None if running_kernel(shell) is None else _connection_id()


@functools.cache
def _connection_id() -> str | None:
    from ipykernel.connect import get_connection_file

    try:
        stem = Path(get_connection_file()).stem
    except RuntimeError:  # a kernel inside another application has no file of its own
        return None
    return stem.removeprefix("kernel-")


def cell_count(shell: Any) -> int:
    """The number that the local kernel gives what this cell returns (``Out[n]``).

    The shell's own counter is one ahead during a cell in newer versions of IPython.
    """
    return int(shell.displayhook.prompt_count)


def cell_request(shell: Any) -> dict[str, Any]:
    """The local `execute_request` that runs now: header, metadata, content (may be empty)."""
    kernel = running_kernel(shell)
    if kernel is None:
        return {}
    parent = kernel.get_parent()
    return parent if isinstance(parent, dict) else {}


def shutting_down(shell: Any) -> bool:
    """Whether the local kernel was told to end (restart, shut down, Jupyter's own end)."""
    kernel = running_kernel(shell)
    if kernel is None:
        return False
    # The request is seen while it is worked on, the message from then on to the end.
    request = kernel.get_parent("control") or {}
    kind = (request.get("header") or {}).get("msg_type")
    return kind == "shutdown_request" or kernel._shutdown_message is not None
