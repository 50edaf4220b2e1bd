"""Shell scripts of ours on the pod, whatever its user's login shell is."""

from __future__ import annotations

import asyncio
import base64

import asyncssh

from ..errors import LinkError, TransportError

__all__ = ["run"]


async def run(
    connection: asyncssh.SSHClientConnection, script: str, stdin: bytes, timeout: float
) -> str:
    """Run a POSIX shell script; its standard output.

    Raises
    ------
    LinkError
        If it fails, with its own words.
    TransportError
        If the link was lost or it took more than `timeout` seconds.
    """
    text = base64.b64encode(script.encode()).decode("ascii")
    line = f'exec sh -c \'eval "$(printf %s "$1" | base64 -d)"\' jrg {text}'
    try:
        async with asyncio.timeout(timeout):
            done = await connection.run(line, input=stdin, encoding=None)
    except TimeoutError as e:
        raise TransportError("The pod did not answer in time.") from e
    except (asyncssh.Error, OSError) as e:
        raise TransportError(f"The link to the pod was lost ({e}).") from e
    if done.exit_status is None:
        raise TransportError("The link to the pod was lost.")
    if done.exit_status != 0:
        raise LinkError(f"A command on the pod failed: {_text(done.stderr)}", code="command")
    return _text(done.stdout)


def _text(output: bytes | str | None) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""
