"""The daemon's Unix socket: who may speak, the hello, and which service it goes to."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import Any

from .. import _version
from ..client.versions import version_key
from ..errors import NotFound, RemoteGPUError, VersionMismatch, WireError, error_to_json
from ..wire import PROTOCOL
from ..wire.frames import CONTROL, decode_control
from ..wire.records import check_id
from .connection import FaceConnection

HELLO_SECONDS = 10.0
Handler = Callable[[FaceConnection], Awaitable[None]]
log = logging.getLogger(__name__)


class FaceServer:
    """Serves faces on a listening socket.

    Parameters
    ----------
    control, kernel : coroutine functions
        Serve one greeted connection each, by its service, until it ends.

    Attributes
    ----------
    faces : int
        Connections that have said a good hello.
    idle_since : float
        When the last of them went, by the monotonic clock.
    """

    def __init__(self, control: Handler, kernel: Handler) -> None:
        self.faces = 0
        self.idle_since = time.monotonic()
        self._control = control
        self._kernel = kernel
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Begin to accept."""
        self._server = await asyncio.start_unix_server(self._accept, sock=listener, limit=256 << 10)

    async def close(self) -> None:
        """Stop accepting, and end all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(FaceConnection(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connection: FaceConnection) -> None:
        greeted = False
        try:
            if not same_user(connection.writer.get_extra_info("socket")):
                log.warning("a connection of another user was closed")
                return
            async with asyncio.timeout(HELLO_SECONDS):
                handler = await self._hello(connection)
            if handler is None:
                return
            greeted = True
            self.faces += 1
            await handler(connection)
        except RemoteGPUError as e:
            log.warning("face %s refused: %s", describe(connection), e)
            await self._refuse(connection, e)
        except TimeoutError:
            log.warning("a face said no hello within %g s", HELLO_SECONDS)
        except (ConnectionError, BrokenPipeError):
            log.debug("face %s went away", describe(connection))
        except Exception:
            log.exception("serving face %s failed", describe(connection))
        finally:
            if greeted:
                self.faces -= 1
                self.idle_since = time.monotonic()
            await connection.close()

    async def _refuse(self, connection: FaceConnection, error: RemoteGPUError) -> None:
        message = {"type": "refused", "error": error_to_json(error)}
        try:
            async with asyncio.timeout(1.0):
                await connection.send(message)
        except (OSError, TimeoutError):
            log.debug("face %s did not wait for the reason", describe(connection))

    async def _hello(self, connection: FaceConnection) -> Handler | None:
        frame = await connection.first()
        if frame is None:
            return None
        kind, payload = frame
        if kind != CONTROL:
            raise WireError("the first frame is not a hello")
        hello = connection.hello = decode_control(payload)
        check_version(hello)
        check_id(hello.get("client"), "the client")
        service = hello.get("service")
        if service == "control":
            return self._control
        if isinstance(service, str) and service.startswith("kernel:"):
            check_id(service.removeprefix("kernel:"), "the kernel")
            return self._kernel
        raise NotFound(f"the daemon has no service {service!r:.80}", code="unknown-service")


def check_version(hello: dict[str, Any]) -> None:
    """Raise `VersionMismatch` for a face of another protocol, or older than this daemon."""
    theirs, protocol = str(hello.get("version")), hello.get("protocol")
    details = {"version": _version.__version__, "protocol": PROTOCOL, "pid": os.getpid()}
    if version_key(theirs) < version_key(_version.__version__):
        raise VersionMismatch(
            f"This side is jupyter-remote-gpu {theirs:.40}, older than the daemon "
            f"({_version.__version__}). Upgrade the package in this side's environment, "
            "then restart the kernel.",
            details=details,
        )
    if protocol != PROTOCOL:
        raise VersionMismatch(
            f"The daemon (jupyter-remote-gpu {_version.__version__}) speaks protocol {PROTOCOL}, "
            f"this side {protocol!r:.40}: stop the daemon with `jupyter remote-gpu daemon stop`; "
            "the next cell starts a new one.",
            details=details,
        )


def describe(connection: FaceConnection) -> str:
    """Who speaks, for the log."""
    hello = connection.hello
    return f"{hello.get('kind', '?')!s:.20} {hello.get('client', '?')!s:.8}"


def same_user(sock: Any) -> bool:
    """Whether the process at the other end is ours (where the system can tell)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # the socket's folder is 0700
    raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    _, uid, _ = struct.unpack("3i", raw)
    return bool(uid == os.getuid())
