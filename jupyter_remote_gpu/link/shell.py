"""Shell scripts of ours on the pod, whatever its user's login shell is."""

from __future__ import annotations

import base64

import asyncssh

from ..errors import LinkError, TransportError, plain
from .channel import Process, Stderr

__all__ = ["line", "run"]

MAX_OUTPUT = 1 << 20


def line(script: str) -> str:
    """What is executed on the pod for `script`."""
    text = base64.b64encode(script.encode()).decode("ascii")
    # Without base64 there the script must not be taken for an empty one that succeeds.
    return f'exec sh -c \'s=$(printf %s "$1" | base64 -d) && eval "$s"\' jrg {text}'


async def run(process: Process, stdin: bytes) -> str:
    """See the script of `line` through; its standard output.

    Raises
    ------
    LinkError
        If it fails, with its own words, or prints more than `MAX_OUTPUT` bytes.
    TransportError
        If the link was lost.
    """
    stderr = Stderr(process)
    output = bytearray()
    try:
        process.stdin.write(stdin)
        process.stdin.write_eof()
        while data := await process.stdout.read(65536):
            output += data
            if len(output) > MAX_OUTPUT:
                raise LinkError("A command on the pod prints without end.", code="command")
        await process.wait_closed()
        await stderr.ended()
    except (asyncssh.Error, OSError) as e:
        raise TransportError(f"The link to the pod was lost ({plain(str(e), line=True)}).") from e
    finally:
        process.close()
        await stderr.close()
    if process.exit_status is None:
        raise TransportError("The link to the pod was lost.")
    if process.exit_status != 0:
        words = plain(stderr.text.strip()) or f"it ended with status {process.exit_status}"
        raise LinkError(f"A command on the pod failed: {words}", code="command")
    return output.decode("utf-8", "replace")
