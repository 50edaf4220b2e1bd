"""How long `1` takes: `%%gpu` and a local kernel, alternating, at 0 and 50 ms."""

from __future__ import annotations

import time
from typing import Any

from jupyter_remote_gpu.wire.records import Record

from .kernels import LocalKernel
from .measure import Row, median, ms
from .stage import FAR, NEAR, Stage

REST = 0.03
"""Seconds between cells: a kernel that rested is slower, and so is a person's."""


def run(stage: Stage, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """Two rows: near and far."""
    runs, cells = (2, 30) if quick else (5, 60)
    rows, samples = [], {}
    for pod, wanted in ((NEAR, 0.0), (FAR, 0.05)):
        round_trip = stage.network.set_round_trip(wanted) if pod == FAR else 0.0
        pairs: list[tuple[list[float], list[float]]] = []
        hops: list[dict[str, float]] = []
        with LocalKernel(pod) as gpu, LocalKernel() as local:
            for kernel in (gpu, local):
                for _ in range(20):
                    kernel.gpu("1") if kernel is gpu else kernel.run("1")
            for _ in range(runs):
                pairs.append(_alternate(gpu, local, cells))
            sent = []
            for _ in range(cells):
                answer = gpu.gpu("1")
                sent.append((answer.sent, answer.sent + answer.seconds))
                time.sleep(REST)
            face = [_timed(stage) for _ in range(cells)]
            hops = _hops(stage.records(pod), sent)
            gpu.run(f"%gpu disconnect {pod}")
        name = f"{wanted * 1e3:.0f} ms"
        rows.append(_row(name, round_trip, pairs, hops, face))
        samples[name] = {
            "round_trip": round_trip,
            "runs": [{"gpu": g, "local": m} for g, m in pairs],
            "hops": hops,
            "face to daemon": face,
        }
    stage.network.set_round_trip(0.0)
    return rows, samples


def _alternate(gpu: LocalKernel, local: LocalKernel, cells: int) -> tuple[list[float], list[float]]:
    there, here = [], []
    for _ in range(cells):
        time.sleep(REST)
        there.append(gpu.gpu("1").seconds)
        time.sleep(REST)
        here.append(local.run("1").seconds)
    return there, here


def _timed(stage: Stage) -> float:
    start = time.perf_counter()
    stage.face.request("snapshot")
    return time.perf_counter() - start


def _hops(records: list[Record], sent: list[tuple[float, float]]) -> list[dict[str, float]]:
    """Where the time went, by the clock that laptop and pod share here (s)."""
    begun = [r for r in records if r.type == "request" and r.channel == "keeper" and r.execution]
    result = []
    for request, (start, end) in zip(begun[-len(sent) :], sent, strict=True):
        mine = [r for r in records if r.execution == request.execution]
        accepted = float(request.content["time"])
        first = next(r for r in mine if r.type == "status")
        ended = next(r for r in mine if r.type == "ended" and r.channel == "keeper")
        over = float(ended.content["time"])
        if not start < accepted < over:
            raise RuntimeError("the log's requests are not those that were timed")
        result.append(
            {
                "front end → local kernel → daemon → link → keeper": accepted - start,
                "keeper → remote kernel takes it up": float(first.head["time"]) - accepted,
                "remote kernel": over - float(first.head["time"]),
                "keeper → link → daemon → local kernel → front end": end - over,
            }
        )
    return result


def _row(
    name: str,
    round_trip: float,
    pairs: list[tuple[list[float], list[float]]],
    hops: list[dict[str, float]],
    face: list[float],
) -> Row:
    theirs = median([median(local) for _, local in pairs])
    ours = median([median(gpu) for gpu, _ in pairs])
    limit = 2 * theirs + round_trip + 0.004
    notes = [f"face → daemon and back (a snapshot): {ms(face)}"]
    notes += [f"{hop}: {ms([h[hop] for h in hops])}" for hop in hops[0]]
    each = ", ".join(f"{1e3 * median(g):.1f} / {1e3 * median(m):.1f}" for g, m in pairs)
    notes.append(f"medians of each run, %%gpu / local (ms): {each}")
    return Row(
        what=f"`%%gpu` of `1`, {name} (round trip {round_trip * 1e3:.1f} ms)",
        found=ms([s for gpu, _ in pairs for s in gpu]),
        against="local: " + ms([s for _, local in pairs for s in local]),
        must=f"median ≤ 2 × local + round trip + 4 ms = {limit * 1e3:.1f} ms",
        ok=ours <= limit,
        notes=notes,
    )
