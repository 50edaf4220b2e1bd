"""The demo's model: sampled in a `%%gpu` cell, and by the same script on the pod."""

from __future__ import annotations

import json
import shlex
from typing import Any

import nbformat

from .kernels import LocalKernel
from .measure import Row, median
from .stage import NEAR, ROOT, Stage

NOTEBOOK = ROOT / "jupyter_remote_gpu" / "demo" / "lecturers.ipynb"
OURS = ("daemon", "bridge", "keeper")
_MARK = "JRG-SECONDS"


def script() -> str:
    """The notebook's cell that samples, timed from within."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    cells = [c.source for c in notebook.cells if "pm.sample(" in c.source]
    if len(cells) != 1 or not cells[0].startswith("%%gpu"):
        raise RuntimeError(f"{NOTEBOOK.name} has no longer one %%gpu cell that samples")
    body = cells[0].split("\n", 1)[1]
    return (
        f"import time\n{body}\n".replace(
            "    trace = pm.sample(", "    _start = time.perf_counter()\n    trace = pm.sample("
        )
        + f"print('{_MARK}', time.perf_counter() - _start)\n"
    )


def run(stage: Stage, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """One row."""
    code = script()
    path = stage.machine.home / "sample.py"
    path.write_text(code)
    ours: list[float] = []
    theirs: list[float] = []
    shares: list[float] = []
    shown: list[float] = []
    cpu: list[dict[str, float]] = []
    with LocalKernel(NEAR) as gpu:
        for n in range(1 if quick else 5):
            # Whoever goes first finds a cooler machine: each goes first in its turn.
            for remote in (True, False) if n % 2 else (False, True):
                if not remote:
                    command = f"{shlex.quote(stage.python)} sample.py"
                    theirs.append(_seconds(stage.on_pod(command, 1800)))
                    continue
                gpu.run("%gpu restart")  # a fresh kernel, as a script is a fresh process
                gpu.gpu("None")
                before = stage.cpu(gpu.pid)
                answer = gpu.gpu(code, 1800)
                after = stage.cpu(gpu.pid)
                ours.append(_seconds(answer.text))
                cpu.append({hop: after[hop] - before[hop] for hop in before})
                shares.append(sum(cpu[-1][hop] for hop in OURS) / answer.seconds)
                shown.append(cpu[-1]["local kernel"] / answer.seconds)
    # Within a pair the machine is the same; between pairs it is not.
    ratio = median([a / b for a, b in zip(ours, theirs, strict=True)])
    share, local = median(shares), median(shown)
    row = Row(
        what=f"sampling time of the demo's model, median of {len(ours)} pairs",
        found=f"{median(ours):.1f} s (pair by pair {ratio:.3f} ×); "
        f"our processes {100 * share:.1f} % of a core",
        against=f"the script on the pod: {median(theirs):.1f} s",
        must="≤ 1.05 ×; ≤ 3 % of a core",
        ok=ratio <= 1.05 and share <= 0.03,
        notes=[
            f"each: {[round(s, 1) for s in ours]} against {[round(s, 1) for s in theirs]}",
            f"ratio of the medians: {median(ours) / median(theirs):.3f}",
            f"our processes: {', '.join(OURS)}; their share is of the whole cell's time",
            f"beside them the local kernel, which shows the bars: {100 * local:.1f} % of a core",
        ],
    )
    return [row], {"gpu": ours, "script": theirs, "cpu": cpu, "shares": shares}


def _seconds(text: str) -> float:
    for line in text.splitlines():
        if line.startswith(_MARK):
            return float(line.split()[1])
    raise RuntimeError(f"the sampler did not tell its time; it said {json.dumps(text[-500:])}")
