"""Twenty cuts in 4,000 messages, each after an exact count of bytes that a seed decides."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from tests.faults.mixed import Plain, mixed, of
from tests.support.face import KernelFace
from tests.support.place import Place
from tests.support.proxy import DOWN, UP

ROUNDS = 2500
MESSAGES = 4000
CUTS = 20
SEEDS = 20
PAUSE = 0.003
BACK_SECONDS = 15.0 + 4.0
"""After a half-open link that heals without a reset: it is found dead, and the next line comes."""
DOWN_BYTES, UP_BYTES = 40_000, 2_500
"""The way up is cut while the link is made again: there alone so much is sent."""


@dataclass(frozen=True)
class Cut:
    direction: str
    nbytes: int
    then: str
    reset: bool


def plan(seed: int) -> list[Cut]:
    """The cuts of a seed. The network stays away until the next one is announced."""
    rng = random.Random(seed)
    cuts = [Cut(DOWN, rng.randint(1, DOWN_BYTES), "cut", False)]
    while len(cuts) < CUTS:
        # After a half-open link that heals nothing need be sent upwards.
        up = rng.random() < 0.3 and (cuts[-1].then == "cut" or cuts[-1].reset)
        nbytes = rng.randint(1, UP_BYTES if up else DOWN_BYTES)
        then, reset = rng.choice(("cut", "half_open")), rng.random() < 0.5
        cuts.append(Cut(UP if up else DOWN, nbytes, then, reset))
    return cuts


def test_a_plan_is_the_seeds_alone() -> None:
    assert plan(1) == plan(1) != plan(2)
    kinds = {(c.direction, c.then) for seed in range(SEEDS) for c in plan(seed)}
    assert len(kinds) == 4


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.long) for s in range(1, SEEDS + 1))]
)
def test_twenty_random_cuts_lose_and_double_nothing(place: Place, plain: Plain, seed: int) -> None:
    face = KernelFace(place.face, "pod")
    face.run("1")
    cuts = plan(seed)
    place.proxy.drop_after(cuts[0].direction, cuts[0].nbytes, cuts[0].then)
    cell = face.submit(mixed(ROUNDS, PAUSE))
    for n, cut in enumerate(cuts):
        assert place.proxy.wait_dropped(5 * BACK_SECONDS), f"cut {n} of {seed}: {cut}"
        if n + 1 < CUTS:
            following = cuts[n + 1]
            place.proxy.drop_after(following.direction, following.nbytes, following.then)
        place.proxy.heal(reset=cut.reset)
    assert not any(r.type == "ended" for r in face.of(cell)), "the cuts came too late"
    assert face.ended(cell, 5 * BACK_SECONDS)["outcome"] == "ok"
    face.in_order()
    messages = of(face.records, cell)
    assert len(messages) >= MESSAGES
    plain.check(messages, ROUNDS)
