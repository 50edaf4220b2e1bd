"""Ends what the demo started when the demo is gone, whichever way it went.

Run as a file (``python -I -S warden.py [--marker M] [--grace S] [--after JSON] -- COMMAND…``)
in a session of its own: it starts the command, waits for the end of its standard input (the
demo holds the other end) or of the command, and ends that. With a marker it then ends whatever
carries ``JRG_DEMO_POD=M`` in its environment: a machine that is switched off. At last it runs
the command ``after``. Standard library only; imports nothing of ours.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE = 3.0
AFTER = 15.0


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
    parser = argparse.ArgumentParser()
    parser.add_argument("--marker")
    parser.add_argument("--grace", type=float, default=GRACE)
    parser.add_argument("--after", type=json.loads)
    parser.add_argument("command", nargs="+")
    args = parser.parse_args()
    # Handlers, not SIG_IGN, which the command would inherit. The demo decides when this ends.
    for sig in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(sig, lambda *_: None)
    child = subprocess.Popen(args.command, stdin=subprocess.DEVNULL)
    while child.poll() is None:
        if select.select([0], [], [], 0.5)[0]:
            break
    code = child.poll()
    if code is None:
        child.terminate()
        try:
            child.wait(args.grace)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(GRACE)
    if args.marker:
        end_all(args.marker)
    if args.after:
        subprocess.run(args.after, stdin=subprocess.DEVNULL, timeout=AFTER, check=False)
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
