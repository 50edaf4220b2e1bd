"""The network goes away and comes back: what is lost or doubled, when the next line comes."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from . import peer
from .kernels import LocalKernel
from .measure import Row, median, quantile
from .network import Network
from .stage import FAR, Stage

MESSAGES = 4_000
CUTS = 20
SEED = 20261122
PAUSE = 0.03
"""Seconds between two lines; all cuts must find the cell running."""
LONGEST = 2.5
"""Seconds that a random cut lasts at most."""


def _code(lines: int, pause: float) -> str:
    return (
        "import time\n"
        f"for i in range({lines}):\n"
        f"    print('line', i, flush=True)\n"
        f"    time.sleep({pause})"
    )


def count(text: str, lines: int) -> tuple[int, int]:
    """How many of the lines are missing, and how many came again or out of their order."""
    numbers = [int(w[5:]) for w in text.splitlines() if w.startswith("line ") and w[5:].isdigit()]
    lost = lines - len(set(numbers))
    newest, doubled = -1, 0
    for n in numbers:
        if n <= newest:
            doubled += 1
        newest = max(n, newest)
    return lost, doubled


class Cutter(threading.Thread):
    """Cuts the network at seeded random times while a cell runs."""

    def __init__(self, network: Network, cuts: int, rng: random.Random, longest: float) -> None:
        super().__init__(daemon=True)
        self._network, self._cuts, self._rng, self._longest = network, cuts, rng, longest
        self.healed: list[float] = []
        self.plan: list[dict[str, Any]] = []
        self._over = threading.Event()
        self.arrived = threading.Event()

    def run(self) -> None:
        for _ in range(self._cuts):
            if self._over.wait(self._rng.uniform(0.5, 2.0)):
                return
            seconds, reset = self._rng.uniform(0.3, self._longest), self._rng.random() < 0.5
            self._network.cut()
            self._over.wait(seconds)
            self.arrived.clear()
            self.healed.append(self._network.heal(reset=reset))
            self.plan.append({"seconds": seconds, "reset": reset})
            # The next one comes when a line has come through, or it would be one long cut.
            self.arrived.wait(60)

    def end(self) -> None:
        """Stop cutting; the network is there afterwards."""
        self._over.set()
        self.arrived.set()
        self.join(60)


def lost_and_doubled(stage: Stage, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """The row against sshpyk."""
    lines, cuts = (1_000, 5) if quick else (MESSAGES, CUTS)
    code = _code(lines, PAUSE)
    stage.network.set_round_trip(0.0)
    ours: dict[str, Any] = {}
    with LocalKernel(FAR) as gpu:
        cutter = Cutter(stage.network, cuts, random.Random(SEED), LONGEST)
        cutter.start()
        answer = gpu.gpu(code, 1800, lambda _: cutter.arrived.set())
        cutter.end()
        ours = {"found": count(answer.text, lines), "cuts": cutter.plan}
    theirs = peer.under_cuts(stage, code, lines, cuts, SEED, lines * PAUSE)
    lost, doubled = ours["found"]
    row = Row(
        what=f"lost and doubled of {lines:,} lines, {len(ours['cuts'])} random cuts",
        found=f"{lost} and {doubled}",
        against=f"sshpyk: {theirs['words']}",
        must="0 and 0",
        ok=(lost, doubled) == (0, 0) and len(ours["cuts"]) == cuts,
    )
    return [row], {"ours": ours, "sshpyk": theirs, "seed": SEED}


def next_line(stage: Stage, quick: bool) -> tuple[list[Row], dict[str, Any]]:
    """The row about how soon the next line is there."""
    cuts = 4 if quick else CUTS
    rng = random.Random(SEED)
    waits: list[dict[str, Any]] = []
    stage.network.set_round_trip(0.0)
    for n in range(cuts):
        # Half of them shorter than what finds a dead link (15 s), half longer.
        seconds, reset = rng.uniform(1, 8) if n % 2 else rng.uniform(16, 30), rng.random() < 0.5
        waits.append({"cut": seconds, "reset": reset, "wait": _wait(stage, seconds, reset)})
    found = [w["wait"] for w in waits]
    row = Row(
        what=f"network back → next line ({cuts} cuts of 1 to 30 s)",
        found=f"median {median(found):.2f} s, worst {max(found):.2f} s",
        against="—",
        must="median ≤ 2 s, worst ≤ 4 s",
        ok=median(found) <= 2 and max(found) <= 4,
        notes=[f"p10 {quantile(found, 0.1):.2f} s, p90 {quantile(found, 0.9):.2f} s"],
    )
    return [row], {"waits": waits, "seed": SEED}


def _wait(stage: Stage, seconds: float, reset: bool) -> float:
    """Seconds from the network's return to a line's arrival at the front end."""
    arrivals: list[float] = []
    healed: list[float] = []

    def act() -> None:
        time.sleep(1)
        stage.network.cut()
        time.sleep(seconds)
        healed.append(stage.network.heal(reset=reset))

    lines = int((seconds + 10) / 0.1)
    with LocalKernel(FAR) as gpu:
        thread = threading.Thread(target=act)
        thread.start()
        answer = gpu.gpu(_code(lines, 0.1), 300, lambda _: arrivals.append(time.time()))
        thread.join()
    if count(answer.text, lines) != (0, 0):
        raise RuntimeError("lines were lost or doubled: see the row about that")
    return next(t for t in arrivals if t > healed[0]) - healed[0]
