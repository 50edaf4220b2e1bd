"""Joins standard input and output to a kernel's keeper.

The first frame on the input names the service. If its keeper is gone, the journal is
served from here, read-only.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
from pathlib import Path

from .. import files
from ..errors import PodError, RemoteGPUError, WireError, error_to_json
from ..wire.frames import CONTROL, HEAD, check_head, decode_control, encode_control
from . import paths

CHUNK = 256 << 10
STUCK = "The kernel's keeper does not answer and does not end: try again in a minute."


def read_hello(fd: int) -> tuple[dict[str, object], bytes]:
    """The first frame on `fd`, decoded and as it came.

    Raises
    ------
    WireError
        If the stream ends or does not begin with a control frame.
    """
    head = _read_exactly(fd, HEAD.size)
    size, kind, _ = HEAD.unpack(head)
    check_head(size, kind)
    if kind != CONTROL:
        raise WireError("the first frame is not a hello")
    payload = _read_exactly(fd, size)
    return decode_control(payload), head + payload


def _read_exactly(fd: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(fd, size - len(data))
        if not piece:
            raise WireError("the stream ended before its first frame")
        data += piece
    return data


def bridge(source: int, sink: int) -> None:
    """Serve one connection on the two file descriptors until either side ends it.

    What goes wrong is told there, too: what the command prints would be taken for frames.
    """
    try:
        _serve(source, sink)
    except RemoteGPUError as e:
        _refuse(sink, e)
    except BrokenPipeError:
        return  # the link is gone
    except OSError as e:
        where = f"{e.filename}: " if e.filename else ""
        _refuse(sink, PodError(f"{where}{e.strerror or e} (on the pod)"))


def _refuse(sink: int, error: RemoteGPUError) -> None:
    os.set_blocking(sink, True)
    with contextlib.suppress(BrokenPipeError):
        _write_all(sink, encode_control({"type": "refused", "error": error_to_json(error)}))


def _serve(source: int, sink: int) -> None:
    hello, raw = read_hello(source)
    service = str(hello.get("service"))
    if not service.startswith("kernel:"):
        raise WireError(f"no service {service!r:.80} here", code="unknown-service")
    folder = paths.kernel_folder(service.removeprefix("kernel:"))
    if not folder.is_dir():
        raise WireError("this pod has no such kernel", code="unknown-service")
    keeper = connect(folder)
    if keeper is not None:
        with keeper:
            if _greet(source, sink, keeper, raw):
                _copy(source, sink, keeper)
                return
    from .graveyard import serve

    serve(folder, hello, source, sink)


def _greet(source: int, sink: int, keeper: socket.socket, hello: bytes) -> bool:
    """Say hello; False when the keeper ended without a word, as one does whose kernel has ended.

    Nothing more is taken from the link before: it would be lost with that keeper.
    """
    keeper.setblocking(True)
    try:
        keeper.sendall(hello)
    except (BrokenPipeError, ConnectionResetError):
        return False
    poll = select.poll()
    poll.register(keeper, select.POLLIN)
    for fd in (source, sink):
        poll.register(fd, 0)  # the link's end wakes us all the same
    ready = dict(poll.poll())
    if keeper.fileno() not in ready:
        return True  # to find the link's end
    try:
        return bool(keeper.recv(1, socket.MSG_PEEK))
    except ConnectionResetError:
        return False


def connect(folder: os.PathLike[str]) -> socket.socket | None:
    """A connection to the keeper of the kernel in `folder`; None if it is gone.

    Raises
    ------
    PodError
        With code ``keeper-stuck`` when it is there and lets nobody in.
    """
    path = files.read(Path(folder) / "kernel.json").get("socket")
    if not isinstance(path, str):
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(10)
    try:
        sock.connect(path)
    except (FileNotFoundError, ConnectionRefusedError):
        sock.close()
        return None
    except (TimeoutError, BlockingIOError):
        sock.close()
        raise PodError(STUCK, code="keeper-stuck") from None
    return sock


def _copy(source: int, sink: int, keeper: socket.socket) -> None:
    # Not os.splice: it hung the link in a prototype. Each direction holds at most one
    # chunk, so a slow link pushes back on the keeper, which then waits at its file.
    peer = keeper.fileno()
    for fd in (source, sink, peer):
        os.set_blocking(fd, False)
    up = down = b""
    while True:
        poll = select.poll()
        if not up:
            poll.register(source, select.POLLIN)
        # Not when there is nothing to do with it: its end would wake us again and again.
        if up or not down:
            poll.register(peer, (select.POLLOUT if up else 0) | (0 if down else select.POLLIN))
        # Registered also when there is nothing to write: its end must wake us.
        poll.register(sink, select.POLLOUT if down else 0)
        ready = dict(poll.poll())
        broken = select.POLLERR | select.POLLHUP | select.POLLNVAL
        if ready.get(sink, 0) & broken:
            return
        if not down and ready.get(peer, 0) & (select.POLLIN | broken):
            down = _read(peer)
            if not down:
                return
        if not up and ready.get(source, 0) & (select.POLLIN | broken):
            up = _read(source)
            if not up:
                return
        # Written at once: waiting for POLLOUT first would cost each message a poll.
        up = _write(peer, up)
        down = _write(sink, down)


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, CHUNK)
    except ConnectionResetError:
        return b""


def _write(fd: int, data: bytes) -> bytes:
    if not data:
        return b""
    try:
        return data[os.write(fd, data) :]
    except BlockingIOError:
        return data
    except (BrokenPipeError, ConnectionResetError):
        raise SystemExit(0) from None


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
