"""``python ARCHIVE COMMAND``: the pod's commands, each a module of its own.

Modules load only when their command is called: a bridge must be up in milliseconds.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from typing import Any

from ..errors import PodError, RemoteGPUError, error_to_json

_NO_PLACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def answer(result: dict[str, Any]) -> None:
    """Print the one JSON line by which a command answers."""
    sys.stdout.write(json.dumps({"ok": True, **result}) + "\n")
    sys.stdout.flush()


def run(command: str, spec: dict[str, Any]) -> None:
    """Run `command`; its answer goes to standard output."""
    if command == "bridge":
        from .bridge import bridge

        answer({})
        bridge(0, 1)
    elif command == "start":
        from .start import start

        answer(start(spec))
        if spec.get("bridge"):
            from .bridge import bridge

            bridge(0, 1)
    elif command == "probe":
        from .probe import probe

        answer(probe(spec))
    elif command == "list":
        from .listing import list_kernels

        answer({"kernels": list_kernels()})
    elif command == "stop":
        from .listing import stop_kernel

        answer(stop_kernel(str(spec.get("kernel"))))
    elif command == "keeper":
        from .keeper import main as keeper

        keeper(spec)
    else:
        raise PodError(f"the pod knows no command {command!r:.40}", code="bad-input")


def main(command: str | None = None, spec: dict[str, Any] | None = None) -> None:
    """Run a command; a failure becomes an ``{"ok": false, …}`` line.

    Parameters
    ----------
    command, spec
        From the loader; else from the command line (the second word is JSON).
    """
    if command is None:
        command = sys.argv[1] if len(sys.argv) > 1 else ""
        spec = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}
    try:
        run(command, spec or {})
    except RemoteGPUError as e:
        _fail(e)
    except OSError as e:
        if command == "keeper":
            raise  # for its log: nobody reads an answer of it
        where = e.filename or os.environ.get("JRG_STATE", "the pod's disk")
        mend = " Make room there, or make it writable." if e.errno in _NO_PLACE else ""
        code = "no-place" if mend else PodError.code
        _fail(PodError(f"{where} on the pod: {e.strerror or e}.{mend}", code=code))


def _fail(error: RemoteGPUError) -> None:
    sys.stdout.write(json.dumps({"ok": False, "error": error_to_json(error)}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
