"""Ends the demo pod's processes when the demo is gone, whichever way it went.

Run as a file (``python -I -S warden.py MARKER -- sshd …``) in a session of its own: it
starts sshd, waits for the end of its standard input (the demo holds the other end) or of
sshd, and then ends whatever carries ``JRG_DEMO_POD=MARKER`` in its environment: a machine
that is switched off. Standard library only; imports nothing of ours.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE = 3.0


def marked(marker: str) -> list[int]:
    """The processes of the demo pod (of this user) that still live."""
    sign = f"JRG_DEMO_POD={marker}".encode()
    found = []
    proc = Path("/proc")
    if (proc / "self" / "environ").exists():
        for entry in proc.iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                # It may end while we look, or belong to somebody else.
                with contextlib.suppress(OSError):
                    if sign in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
        return found
    # Untried on macOS: `ps -E` shows the environment of the user's own processes.
    table = subprocess.run(
        ["ps", "-Axww", "-E", "-o", "pid=,command="], capture_output=True, timeout=20
    ).stdout
    for line in table.splitlines():
        pid, _, rest = line.strip().partition(b" ")
        if sign in rest.split(b" ") and int(pid) != os.getpid():
            found.append(int(pid))
    return found


def end_all(marker: str) -> None:
    """SIGTERM, then SIGKILL for what is still there after `GRACE` seconds."""
    for sig, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
        deadline = time.monotonic() + seconds
        told: set[int] = set()
        while left := marked(marker):
            for pid in left:
                if pid not in told:
                    told.add(pid)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, sig)
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return


def main() -> int:
    marker, command = sys.argv[1], sys.argv[3:]
    # Handlers, not SIG_IGN, which sshd would inherit. The demo decides when this ends.
    for sig in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(sig, lambda *_: None)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        if select.select([0], [], [], 0.5)[0]:
            break
    code = child.poll()
    if code is None:
        child.terminate()
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(GRACE)
    end_all(marker)
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
