"""Run notebook cells on a rented GPU; a cell survives its link.

Importing the package costs nothing: the magics load on
``%load_ext jupyter_remote_gpu``.
"""

from __future__ import annotations

from typing import Any

from ._version import __version__

__all__ = ["__version__", "load_ipython_extension", "unload_ipython_extension"]


def load_ipython_extension(ipython: Any) -> None:
    """Register ``%%gpu`` and ``%gpu`` (called by ``%load_ext``)."""
    from .magic import load

    load(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """Let go of the daemon and of the comms (called by ``%unload_ext``)."""
    from .magic import unload

    unload(ipython)
