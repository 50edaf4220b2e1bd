"""`%%gpu`: a notebook cell that runs on a pod; loaded by ``%load_ext jupyter_remote_gpu``."""

from __future__ import annotations

import atexit
import logging
from typing import Any

__all__ = ["load", "unload"]

_ATTRIBUTE = "_jupyter_remote_gpu"


def load(shell: Any) -> None:
    """Register the magics in `shell`; loading twice is loading once."""
    from .magics import GPUMagics
    from .raised import install_quiet_traceback
    from .session import Session

    if getattr(shell, _ATTRIBUTE, None) is not None:
        return
    # What the client logs is not for the notebook: without a handler it would go to stderr.
    logging.getLogger("jupyter_remote_gpu").addHandler(logging.NullHandler())
    session = Session(shell)
    shell.register_magics(GPUMagics(shell, session))
    setattr(shell, _ATTRIBUTE, (session, install_quiet_traceback(shell)))
    atexit.register(session.close)


def unload(shell: Any) -> None:
    """Take the magics away, and let go of the daemon; kernels on pods go on."""
    from .raised import uninstall_quiet_traceback

    loaded = getattr(shell, _ATTRIBUTE, None)
    if loaded is None:
        return
    session, installed = loaded
    setattr(shell, _ATTRIBUTE, None)
    uninstall_quiet_traceback(shell, installed)
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("gpu", None)
    atexit.unregister(session.close)
    session.close(tell=True)
