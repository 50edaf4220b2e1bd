"""Runs on the pod, sent as text: takes our archive from its place, or asks for it.

Called as ``python -I -S -c … TEXT NONCE SHA256 COMMAND SIZE``, with a JSON object of SIZE bytes on
standard input (the kernel's environment is in it, and anybody may read a command line); standard
library only, any Python from 3.10 on. Not imported on the laptop.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself would cost the pod 10 ms
    from typing import NoReturn

WORDS_SECONDS = 20.0


def fail(code: str, words: str) -> NoReturn:
    os.write(1, b"FAIL " + json.dumps([code, words]).encode() + b"\n")
    sys.exit(0)


def state_folder() -> str:
    tried = []
    named = os.environ.get("JRG_STATE")
    home = os.path.expanduser("~/.local/share/jupyter-remote-gpu")
    for folder in [named] if named else [home, "/workspace/.jupyter-remote-gpu"]:
        try:
            os.makedirs(folder, 0o700, exist_ok=True)
            info = os.lstat(folder)
            if info.st_uid != os.getuid():
                raise PermissionError(1, "belongs to another user")
            if info.st_mode & 0o077:
                os.chmod(folder, 0o700)
            os.makedirs(os.path.join(folder, "code"), 0o700, exist_ok=True)
            if os.access(os.path.join(folder, "code"), os.W_OK | os.X_OK):
                return folder
            raise PermissionError(13, "cannot be written")
        except OSError as e:
            tried.append(f"{folder}: {e.strerror}")
    fail("no-place", "; ".join(tried))


def is_good(path: str, digest: str) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    with os.fdopen(fd, "rb") as f:
        info = os.fstat(fd)
        if info.st_uid != os.getuid() or info.st_mode & 0o022:
            return False
        return hashlib.sha256(f.read()).hexdigest() == digest


def read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            sys.exit(1)
        data += piece
    return data


def receive(path: str, digest: str) -> None:
    os.write(1, b"NEED\n")
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(1)
    data = read_exactly(int(line))
    if hashlib.sha256(data).hexdigest() != digest:
        fail("archive", "the archive did not arrive whole")
    temporary = f"{path}.{os.getpid()}"
    try:
        # A process that had our number may have been killed in the midst of this.
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as f:
            f.write(data)
        os.rename(temporary, path)
    except OSError as e:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        fail("no-place", f"{path}: {e.strerror}")


def told(size: int) -> dict[str, object]:
    if not size:
        return {}
    # It was sent at once, so it is here already, unless a login script has read it.
    if not select.select([0], [], [], WORDS_SECONDS)[0]:
        fail("no-words", "what was sent to it did not arrive: does a login script read its input?")
    try:
        spec: dict[str, object] = json.loads(read_exactly(size))
    except ValueError:
        fail("no-words", "what was sent to it did not arrive whole: does a login script read it?")
    python = spec.get("python")
    if isinstance(python, str):
        spec["python"] = os.path.expanduser(python)
    return spec


def load() -> None:
    nonce, digest, command, size = sys.argv[2:6]
    os.write(1, b"\x1ejrg1 " + nonce.encode() + b"\n")
    spec = told(int(size))
    state = state_folder()
    path = os.path.join(state, "code", digest + ".zip")
    if not is_good(path, digest):
        receive(path, digest)
    os.write(1, b"HAVE\n")
    sys.path.insert(0, path)
    os.environ["JRG_STATE"] = state
    from jupyter_remote_gpu.pod.__main__ import main

    main(command, spec)


if __name__ == "__main__":
    load()
