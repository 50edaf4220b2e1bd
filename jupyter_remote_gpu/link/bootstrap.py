"""One exec on the pod: find a Python, load our code, run a command."""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from ..errors import (
    MAX_CODE,
    DaemonError,
    LinkError,
    PodError,
    RemoteGPUError,
    TransportError,
    error_from_json,
    plain,
)
from . import archive

MAX_NOISE = 64 << 10
MAX_ANSWER = 8 << 20
MAX_DETAILS = 4000
CANDIDATES = (
    "python3",
    *(f"python3.{minor}" for minor in (14, 13, 12, 11, 10)),
    "/opt/conda/bin/python3",
    "/usr/local/bin/python3",
    "/venv/bin/python",
)

# One line without single quotes: it must pass through bash, dash, zsh, fish and csh.
_FINDER = (
    'L=$1; N=$2; H=$3; C=$4; S=$5; shift 5; old=""; for p; do '
    'case $p in "~/"*) p=$HOME/${p#??};; esac; '
    'if command -v "$p" >/dev/null 2>&1; then '
    'if "$p" -I -S -c "import sys; sys.exit(sys.version_info < (3, 10))" '
    "</dev/null >/dev/null 2>&1; then "
    'exec "$p" -I -S -c "import base64,sys; exec(base64.b64decode(sys.argv[1]))" '
    '"$L" "$N" "$H" "$C" "$S"; fi; '
    'old="$old$p: $("$p" -V 2>&1 </dev/null | head -n 1); "; fi; done; '
    'printf "\\036jrg1 %s\\nNONE %s\\n" "$N" "$old"'
)


class Streams(Protocol):
    """The two streams of an exec channel, as this module needs them."""

    async def read(self, size: int) -> bytes: ...

    def write(self, data: bytes) -> None: ...


@dataclass(frozen=True)
class Answer:
    """A pod command's answer, what came behind it, and what a login shell printed before."""

    info: dict[str, Any]
    rest: bytes
    noise: str


@lru_cache(maxsize=1)
def _loader() -> str:
    text = (Path(__file__).parent / "loader.py").read_bytes()
    return base64.b64encode(text).decode("ascii")


def words_of(spec: dict[str, Any]) -> bytes:
    """What a command is told on its standard input: its command line everybody there can read."""
    return json.dumps(spec).encode() + b"\n" if spec else b""


def command_line(command: str, words: bytes, python: str | None, nonce: str) -> str:
    """What is executed on the pod for `command`.

    Parameters
    ----------
    words : bytes
        See `words_of`; their number only is in the line.
    python : str or None
        The pod's Python if the user named one; else the first good one of `CANDIDATES`.
    nonce : str
        Tells our answer from whatever a login shell prints.
    """
    line: Sequence[str] = [
        _loader(),
        nonce,
        archive.build().sha256,
        command,
        str(len(words)),
        *([python] if python else CANDIDATES),
    ]
    return f"exec sh -c '{_FINDER}' jrg {' '.join(shlex.quote(w) for w in line)}"


def new_nonce() -> str:
    return secrets.token_hex(8)


async def converse(
    streams: Streams,
    words: bytes,
    nonce: str,
    python: str | None,
    drain: Callable[[], Awaitable[None]],
) -> Answer:
    """See `command_line` through to its answer, sending the archive if the pod lacks it.

    Raises
    ------
    PodError
        No Python there, too old a one, no place to write, or the command's own error.
    TransportError
        If the stream ended before the answer.
    """
    if words:
        # Before anything is asked for, so that it costs no round trip.
        with suppress(OSError):  # it has ended: what it said tells more
            streams.write(words)
    reader = _Lines(streams)
    noise = await reader.until_marker(f"\x1ejrg1 {nonce}\n".encode())
    line = await reader.line()
    if line == b"NEED":
        data = archive.build().data
        streams.write(b"%d\n" % len(data) + data)
        await drain()
        line = await reader.line()
    word, _, words = line.partition(b" ")
    if word == b"NONE":
        raise _no_python(plain(words.decode("utf-8", "replace")).strip(" ;"), python)
    if word == b"FAIL":
        raise _failure(words)
    if line != b"HAVE":
        raise PodError(f"The pod answered {line[:80]!r} where our loader should: is it a shell?")
    text = await reader.line()
    try:
        info = json.loads(text)
        good = info.pop("ok")
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as e:
        raise PodError(f"The pod's answer is not readable: {text[:200]!r}") from e
    if not good:
        raise _told(info.get("error"))
    return Answer(info, reader.rest, noise.decode("utf-8", "replace"))


class _Lines:
    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self.rest = b""

    async def until_marker(self, marker: bytes) -> bytes:
        while (at := self.rest.find(marker)) < 0:
            if len(self.rest) > MAX_NOISE:
                raise PodError(
                    "The pod's login shell prints without end, so no command can be run there. "
                    f"It begins with: {_shown(self.rest)}",
                    code="noisy-shell",
                )
            await self._more(self.rest)
        noise, self.rest = self.rest[:at], self.rest[at + len(marker) :]
        return noise

    async def line(self) -> bytes:
        while b"\n" not in self.rest:
            if len(self.rest) > MAX_ANSWER:
                raise PodError("The pod's answer does not end.")
            await self._more()
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    async def _more(self, noise: bytes = b"") -> None:
        data = await self._streams.read(65536)
        if not data:
            if noise.strip():
                # Something answered, but not our command: a menu, or a forced command.
                raise PodError(
                    "The pod does not run commands over ssh; it answered: " + _shown(noise),
                    code="no-command",
                )
            raise TransportError("The pod ended the connection before it answered.")
        self.rest += data


def _told(data: object) -> RemoteGPUError:
    """The pod's own error; of the link to it, only the laptop speaks."""
    error = error_from_json(data)
    if len(json.dumps(error.details)) > MAX_DETAILS:
        error.details = {}
    if isinstance(error, LinkError | DaemonError):
        return PodError(error.message)
    return error


def _shown(data: bytes) -> str:
    return repr(data[:200].decode("utf-8", "replace").strip())


def _no_python(tried: str, python: str | None) -> PodError:
    if re.search(r": Python [0-9]", tried):
        return PodError(
            f"The pod's Python is too old ({tried}); 3.10 or newer is needed. If there is a newer "
            "one, name it: jupyter remote-gpu add NAME SSH-COMMAND --python PATH",
            code="old-python",
        )
    if tried:
        return PodError(
            f"Python does not run on the pod ({tried}). Mend it there, or name one that runs: "
            "jupyter remote-gpu add NAME SSH-COMMAND --python PATH",
            code="no-python",
        )
    what = python or "Python 3"
    return PodError(
        f"There is no {what} on the pod. Install Python 3.10 or newer there, or name the one to "
        "use: jupyter remote-gpu add NAME SSH-COMMAND --python PATH",
        code="no-python",
    )


def _failure(words: bytes) -> PodError:
    try:
        code, text = json.loads(words)
    except (ValueError, TypeError):
        code, text = "pod", words.decode("utf-8", "replace")
    if code == "no-place":
        text = (
            f"There is no place to write on the pod ({text}). Make your home folder there "
            "writable, or free some space."
        )
    return PodError(plain(str(text)), code=plain(str(code), MAX_CODE))
