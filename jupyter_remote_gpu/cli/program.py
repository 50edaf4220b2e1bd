"""From words to a command, and from errors to sentences and an exit status."""

from __future__ import annotations

import asyncio
import inspect
import io
import os
import sys
import traceback
from typing import Any

from ..errors import MAX_MESSAGE, BadInput, RemoteGPUError, plain
from .usage import UsageError, parse

__all__ = ["run"]


def run(argv: list[str]) -> int:
    """Run the command that `argv` asks for.

    Returns
    -------
    int
        0 done; 1 failed, with the reason on stderr; 2 wrong usage; 130 interrupted.
    """
    debug = "--debug" in argv
    _prepare_streams()
    try:
        try:
            arguments = parse(argv)
            return _call(arguments)
        finally:
            # Here, not at the interpreter's exit, where a closed pipe would print a traceback.
            sys.stdout.flush()
    except UsageError as e:
        _complain(str(e))
        return 2
    except BadInput as e:
        _trace(debug)
        _complain(e.message)
        return 2
    except RemoteGPUError as e:
        _trace(debug)
        _complain(e.message)
        return 1
    except KeyboardInterrupt:
        _complain("interrupted; what runs on pods goes on.")
        return 130
    except BrokenPipeError:
        # Whoever read us (`| head`) has enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if debug:
            raise
        _complain(
            f"this failed in a way that it should not: {type(e).__name__}: {e}\n"
            "Run the same with --debug and report what it prints."
        )
        return 1


def _call(arguments: Any) -> int:
    result = arguments.command(arguments)
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    return int(result or 0)


def _prepare_streams() -> None:
    if sys.stdin is None:  # closed (`<&-`): nobody is there to ask
        sys.stdin = open(os.devnull)  # noqa: SIM115 - to the end of the process
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell (`>&-`): what is printed is not wanted
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - to the end of the process
        elif isinstance(stream, io.TextIOWrapper):
            # A terminal that is not UTF-8, or half a character from a pod, ends no command.
            stream.reconfigure(errors="backslashreplace")


def _complain(text: str) -> None:
    print(f"jupyter remote-gpu: {plain(text, MAX_MESSAGE)}", file=sys.stderr, flush=True)


def _trace(debug: bool) -> None:
    if debug:
        traceback.print_exc()
