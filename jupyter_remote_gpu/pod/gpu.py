"""GPU memory of kernels, as nvidia-smi tells it by process."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections import Counter

__all__ = ["memory_by_group"]

SECONDS = 3.0
END_SECONDS = 1.0
_QUERY = (
    "nvidia-smi",
    "--query-compute-apps=pid,used_memory",
    "--format=csv,noheader,nounits",
)


def memory_by_group() -> dict[int, int]:
    """Bytes on all GPUs by process group.

    Empty where there is no nvidia-smi, where it does not answer in time, and in containers
    that do not show it their own process numbers.
    """
    try:
        asked = subprocess.Popen(
            _QUERY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return {}
    try:
        told, _ = asked.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        asked.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # Of a driver that hangs not even SIGKILL ends it.
            asked.communicate(timeout=END_SECONDS)
        return {}
    if asked.returncode:
        return {}
    used: Counter[int] = Counter()
    for line in told.decode("ascii", "replace").splitlines():
        pid, _, mebibytes = line.partition(",")
        try:
            used[os.getpgid(int(pid))] += int(mebibytes) << 20
        except (ValueError, OverflowError, ProcessLookupError):
            continue  # "[N/A]", or a process that is not of this container
    return dict(used)
