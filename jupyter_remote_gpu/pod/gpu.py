"""GPU memory of kernels, as nvidia-smi tells it by process."""

from __future__ import annotations

import os
import subprocess
from collections import Counter

__all__ = ["memory_by_group"]

SECONDS = 3.0
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
        done = subprocess.run(
            _QUERY, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return {}
    used: Counter[int] = Counter()
    for line in done.stdout.decode("ascii", "replace").splitlines():
        pid, _, mebibytes = line.partition(",")
        try:
            used[os.getpgid(int(pid))] += int(mebibytes) << 20
        except (ValueError, OverflowError, ProcessLookupError):
            continue  # "[N/A]", or a process that is not of this container
    return dict(used)
