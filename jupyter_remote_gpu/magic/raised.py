"""What a `%%gpu` cell raises: the remote error once, or why control came back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import RemoteGPUError

__all__ = [
    "ENDED",
    "GONE",
    "ControlBack",
    "KernelDied",
    "RemoteError",
    "RemoteInterrupt",
    "control_back",
    "install_quiet_traceback",
    "local_counts",
    "remote_error",
    "uninstall_quiet_traceback",
    "without_frames",
]

ENDED, GONE = "kernel-ended", "kernel-gone"
"""Codes of a kernel that has ended, and of one that its pod does not have any more."""
_COUNT = re.compile(r"In ?\[(\d+)\]")


class _Shown:
    """An exception whose traceback was made elsewhere.

    Attributes
    ----------
    lines : list of str
        The traceback as it is to be shown.
    shown : bool
        Whether it has been shown already, in its place among the outputs.
    """

    lines: list[str]
    shown: bool = False

    def _render_traceback_(self) -> list[str]:
        return self.lines


class RemoteError(_Shown, RemoteGPUError):
    """The remote cell failed. The type raised has the name of the remote one.

    Attributes
    ----------
    ename, evalue : str
        Name and text of the exception on the pod.
    """

    code = "remote"
    ename = "RemoteError"
    evalue = ""


class RemoteInterrupt(_Shown, KeyboardInterrupt):
    """The remote cell was interrupted; ``except KeyboardInterrupt`` catches it."""

    ename = "KeyboardInterrupt"
    evalue = ""


class ControlBack(_Shown, KeyboardInterrupt):
    """Control was given back while the remote cell runs on.

    It is a `KeyboardInterrupt`, so that "Run all" stops here and no handler for
    ordinary errors takes it for a failure of the cell.
    """


class KernelDied(RemoteGPUError):
    """The kernel on the pod ended that had the cell; what it had printed stays."""

    code = "kernel-died"


def control_back(sentence: str) -> ControlBack:
    """A `ControlBack` that shows `sentence` and no traceback."""
    error = ControlBack(sentence)
    error.lines = [sentence]
    return error


def local_counts(text: str, counts: Mapping[int, int]) -> str:
    """`text` with the remote ``In[n]`` written as the local ones, where they are known."""

    def local(match: re.Match[str]) -> str:
        n = int(match[1])
        return match[0].replace(match[1], str(counts[n])) if n in counts else match[0]

    return _COUNT.sub(local, text)


def remote_error(
    content: Mapping[str, Any], counts: Mapping[int, int], *, shown: bool = False
) -> RemoteError | RemoteInterrupt:
    """The exception for an `error` message or a failed reply.

    Parameters
    ----------
    content : dict
        ``ename``, ``evalue``, ``traceback``.
    counts : dict
        Remote execution counts and the local ones of the same cells.
    shown : bool
        Whether the traceback stands among the outputs already.
    """
    ename = str(content.get("ename") or "RemoteError")
    evalue = str(content.get("evalue") or "")
    trace = content.get("traceback")
    lines = [local_counts(str(line), counts) for line in trace] if isinstance(trace, list) else []
    base = RemoteInterrupt if ename == "KeyboardInterrupt" else RemoteError
    name = ename if ename.isidentifier() else base.__name__
    cls = type(name, (base,), {"__module__": "remote", "ename": ename})
    error: RemoteError | RemoteInterrupt = cls(evalue)
    error.evalue = evalue
    error.lines = lines or [f"{ename}: {evalue}"]
    error.shown = shown
    return error


@contextmanager
def without_frames() -> Iterator[None]:
    """Our own sentences, and Stop, are shown without a traceback through our code."""
    try:
        yield
    except (RemoteGPUError, KeyboardInterrupt) as e:
        if not hasattr(e, "_render_traceback_"):
            lines = [f"{type(e).__name__}: {e}" if str(e) else type(e).__name__]
            e._render_traceback_ = lambda: lines  # type: ignore[union-attr]
        raise


def install_quiet_traceback(shell: Any) -> Any:
    """Make `shell` show no traceback twice; returns what `uninstall` takes.

    A remote error that other output followed stands among the outputs already, in its
    place. It is raised all the same (so that "Run all" stops), but not shown again.
    """
    original = shell._showtraceback

    def show(etype: Any, value: Any, lines: Any, *args: Any) -> None:
        if isinstance(value, _Shown) and value.shown:
            shell._last_traceback = value.lines
        else:
            original(etype, value, lines, *args)

    shell._showtraceback = show
    return show


def uninstall_quiet_traceback(shell: Any, installed: Any) -> None:
    """Undo `install_quiet_traceback`, unless somebody else has put theirs on top."""
    if shell.__dict__.get("_showtraceback") is installed:
        del shell.__dict__["_showtraceback"]
