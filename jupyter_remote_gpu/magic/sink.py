"""Where outputs are shown: a local kernel's iopub, or Python's own streams and displays."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from .messages import Message, dump

if TYPE_CHECKING:
    from .execution import Execution

__all__ = ["KernelSink", "PythonSink", "choose_sink", "running_kernel", "show_here"]

_DELIMITER = b"<IDS|MSG>"
_FILLS = frozenset(("stream", "display_data", "execute_result", "error"))


def running_kernel(shell: Any) -> Any | None:
    """The ipykernel in which `shell` runs, or None in a terminal."""
    kernel = getattr(shell, "kernel", None)
    return kernel if getattr(kernel, "iopub_thread", None) is not None else None


def _topic(message: Message) -> bytes:
    if message.type == "stream":
        return b"stream"
    return message.type.encode("ascii", "replace")


class KernelSink:
    """Sends a message's own bytes through a local kernel's iopub, under its session and a parent.

    Parameters
    ----------
    kernel : ipykernel.kernelbase.Kernel
    parent : dict
        The local request's header, under which front ends file what they show.
    suffix : str
        Appended to msg_ids, for outputs that were shown once already (attach): readers
        that check signatures drop what looks like a replay.

    Attributes
    ----------
    cleared : int
        How often the cell's outputs were cleared.
    clearing : bool
        A ``clear_output(wait=True)`` waits for the next output.
    captures : set of str
        The `ipywidgets.Output` widgets that catch what is shown now.
    """

    paced = True

    def __init__(self, kernel: Any, parent: dict[str, Any], suffix: str = "") -> None:
        self._kernel = kernel
        self._suffix = suffix
        self.parent: bytes = kernel.session.pack(parent)
        self._session = str(kernel.session.session)
        self.cleared, self.clearing = 0, False
        self.captures: set[str] = set()

    async def send(self, message: Message) -> None:
        """`emit`, as the pacer asks for it."""
        self.emit(message)

    def emit(self, message: Message) -> None:
        """Send it. Safe from any thread."""
        self._follow(message)
        if self._suffix:
            message = message.with_content(message.content, self._suffix)
        # JupyterLab takes a message whose session is not that of the one that came last for
        # one of a kernel that is gone, and drops it.
        header = {**message.header, "session": self._session}
        frames = [dump(header), self.parent, message.metadata, message.content]
        signature = self._kernel.session.sign(frames)
        self._kernel.iopub_thread.send_multipart(
            [_topic(message), _DELIMITER, signature, *frames, *message.buffers]
        )

    def _follow(self, message: Message) -> None:
        if message.type == "comm_msg" and b'"msg_id"' in message.content:
            content = message.parse()
            data = content.get("data")
            state = data.get("state") if isinstance(data, dict) else None
            if isinstance(state, dict) and "msg_id" in state:
                comm_id = str(content.get("comm_id"))
                (self.captures.add if state["msg_id"] else self.captures.discard)(comm_id)
        elif self.captures:
            return  # it is the widget that is filled, or cleared
        elif message.type == "clear_output":
            self.clearing = bool(message.parse().get("wait"))
            self.cleared += not self.clearing
        elif self.clearing and message.type in _FILLS:
            self.clearing = False
            self.cleared += 1


class PythonSink:
    """Hands messages to the main thread, which writes them where Python's output goes.

    For a terminal, and for whatever captures output inside the local process
    (``%%capture``, `contextlib.redirect_stdout`): what goes straight to iopub would
    escape it. It takes only what the main thread keeps up with; the rest waits in the log.

    Parameters
    ----------
    execution : Execution
        Whose events the thread that runs the cell reads.
    """

    paced = False

    def __init__(self, shell: Any, execution: Execution) -> None:
        self._shell, self._execution = shell, execution

    async def send(self, message: Message) -> None:
        """Hand it over when there is room; what comes after the cell's end is written at once."""
        if await self._execution.events.offer(("message", message)):
            return
        if self._execution.outcome is not None:  # and not: control was given back
            await asyncio.to_thread(show_here, self._shell, message)


class _Bundle:
    """A remote object's representations, for hooks that ask an object for them."""

    def __init__(self, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        self._bundle = data, metadata

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._bundle

    def __repr__(self) -> str:
        return str(self._bundle[0].get("text/plain", ""))


def show_here(shell: Any, message: Message) -> None:
    """Write `message` where the calling thread's output goes (stream, display, result)."""
    content = message.parse()
    if message.type == "stream":
        stream = sys.stderr if content.get("name") == "stderr" else sys.stdout
        stream.write(str(content.get("text", "")))
        stream.flush()
    elif message.type in ("display_data", "update_display_data"):
        shell.display_pub.publish(
            content.get("data") or {},
            content.get("metadata") or {},
            transient=content.get("transient") or {},
            update=message.type == "update_display_data",
        )
    elif message.type == "execute_result":
        data, metadata = content.get("data") or {}, content.get("metadata") or {}
        if hasattr(sys.displayhook, "outputs"):  # a CapturingDisplayHook
            sys.displayhook(_Bundle(data, metadata))
        elif running_kernel(shell) is not None:
            shell.display_pub.publish(data, metadata)
        else:
            print(f"Out[{content.get('execution_count')}]: {data.get('text/plain', '')}")
    elif message.type == "clear_output":
        shell.display_pub.clear_output(wait=bool(content.get("wait")))
    elif message.type == "error":
        print("\n".join(map(str, content.get("traceback") or [])), file=sys.stderr)


def choose_sink(shell: Any, execution: Execution, suffix: str = "") -> Any:
    """The sink for the cell that runs now.

    A kernel's local streams are flushed first, so that what the cell printed before stands before.
    """
    kernel = running_kernel(shell)
    if kernel is None or _captured(shell):
        return PythonSink(shell, execution)
    for stream in (sys.stdout, sys.stderr):
        # As `flush` does, but nobody waits: what comes after it takes the same queue.
        stream.pub_thread.schedule(stream._flush)  # type: ignore[union-attr]
    return KernelSink(kernel, kernel.get_parent().get("header", {}), suffix)


def _captured(shell: Any) -> bool:
    """Whether anything in this process catches what a cell shows."""
    from ipykernel.iostream import OutStream
    from ipykernel.zmqshell import ZMQDisplayPublisher

    return not (
        isinstance(sys.stdout, OutStream)
        and isinstance(sys.stderr, OutStream)
        and isinstance(shell.display_pub, ZMQDisplayPublisher)
        and not hasattr(sys.displayhook, "outputs")
    )
