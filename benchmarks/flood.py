"""20,000 flushed prints: how long, counted only when every line is there once and in order."""

from __future__ import annotations

from typing import Any

from .kernels import Answer, LocalKernel
from .measure import Row, median
from .stage import CPU_OF, NEAR, Stage

LINES = 20_000
CODE = f"for i in range({LINES}):\n    print(i, flush=True)"
EXPECTED = "".join(f"{i}\n" for i in range(LINES))


def run(stage: Stage, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """One row."""
    wanted, most = (1, 3) if quick else (5, 12)
    here: list[float] = []
    there: list[float] = []
    lost = {"local": 0, "%%gpu": 0}
    cpu: list[dict[str, float]] = []
    with LocalKernel(NEAR) as gpu, LocalKernel() as local:
        for _ in range(most):
            if min(len(here), len(there)) >= wanted:
                break
            _count(local.run(CODE), here, lost, "local")
            before = stage.cpu(gpu.pid)
            _count(gpu.gpu(CODE), there, lost, "%%gpu")
            after = stage.cpu(gpu.pid)
            cpu.append({hop: after[hop] - before[hop] for hop in CPU_OF})
    if not here or not there:
        raise RuntimeError(f"no flood was exact at the front end (runs that were not: {lost})")
    ratio = median(there) / median(here)
    shares = ", ".join(f"{hop} {median([c[hop] for c in cpu]):.1f}" for hop in CPU_OF)
    row = Row(
        what=f"{LINES:,} flushed prints",
        found=f"{median(there):.2f} s ({ratio:.2f} ×)",
        against=f"local: {median(here):.2f} s",
        must="≤ 1.25 × local, exact, and `%%gpu` always exact",
        ok=ratio <= 1.25 and not lost["%%gpu"],
        notes=[
            f"CPU seconds: {shares}",
            f"runs that were not exact: {lost['local']} local, {lost['%%gpu']} %%gpu",
        ],
    )
    return [row], {"local": here, "gpu": there, "not exact": lost, "cpu": cpu}


def _count(answer: Answer, times: list[float], lost: dict[str, int], name: str) -> None:
    if answer.text == EXPECTED:
        times.append(answer.seconds)
    else:
        lost[name] += 1
