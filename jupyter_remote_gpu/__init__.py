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


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the built front end lies (only a development install asks)."""
    return [{"src": "labextension", "dest": "jupyter-remote-gpu"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell Jupyter Server of the extension (not loaded before a server asks)."""
    from .routes.app import RemoteGPUApp

    return [{"module": "jupyter_remote_gpu", "app": RemoteGPUApp}]
