"""``python -m jupyter_remote_gpu.daemon``: started by the first face that needs it."""

from __future__ import annotations

import argparse
import os
import sys


def run() -> int:
    """Parse arguments, detach when a face waits for us, and live."""
    parser = argparse.ArgumentParser(description="The laptop's daemon of jupyter-remote-gpu.")
    parser.add_argument("--ready-fd", type=int, help="detach, and tell this pipe when ready")
    ready = parser.parse_args().ready_fd
    if ready is not None:
        # The face reaps the parent at once, so the daemon never is a zombie of its.
        if os.fork():
            return 0
        os.setsid()
        os.set_inheritable(ready, False)
    from .app import main

    return main(ready)


if __name__ == "__main__":
    sys.exit(run())
