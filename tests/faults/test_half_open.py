"""The link is there and carries nothing: both ways or one way, with and without a reset."""

from __future__ import annotations

import threading

import pytest

from tests.faults.mixed import Plain, mixed, of
from tests.support.face import KernelFace
from tests.support.place import Place
from tests.support.proxy import DOWN, UP

DETECTED_SECONDS = 15.0
"""Within this time a half-open link is found (section 3)."""
NEXT_LINE_SECONDS = 4.0
PAUSE = 0.05
LONG = pytest.mark.long


def _fault(place: Place, plain: Plain, how: str, seconds: float, reset: bool) -> KernelFace:
    """Run a mixed cell through the fault; the link is silent for `seconds`."""
    face = KernelFace(place.face, "pod")
    rounds = int((seconds + 3) / PAUSE)
    cell = face.submit(mixed(rounds, PAUSE))
    face.until_text(cell, "out 20\n")
    if how == "both":
        place.proxy.half_open()
    else:
        place.proxy.dead(how)
    seen = face.records[-1].last
    inside = face.submit("print('inside')")
    # The length of the fault is what is tested; nothing is waited for.
    threading.Event().wait(seconds)
    if how != UP:
        assert len(face.records) == face.records[-1].last <= seen + 50, "the link was not silent"
    elif seconds < DETECTED_SECONDS:
        assert face.records[-1].last > seen + 10, "what comes from the pod was silent too"
    if how != DOWN:
        acks = [c for c in face.controls if c["type"] == "ack" and c["execution"] == inside]
        assert not acks, "the request came through"
    assert not face.of(inside)
    place.proxy.heal(reset=reset)
    patience = 2 * rounds * PAUSE + 5 * NEXT_LINE_SECONDS
    assert face.ended(cell, patience)["outcome"] == "ok"
    assert face.ended(inside)["outcome"] == "ok"
    assert face.text(inside) == "inside\n"
    face.in_order()
    plain.check(of(face.records, cell), rounds)
    return face


@pytest.mark.parametrize("reset", [False, True], ids=["healed", "reset"])
@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=LONG)])
def test_a_half_open_link(place: Place, plain: Plain, seconds: int, reset: bool) -> None:
    face = _fault(place, plain, "both", seconds, reset)
    if seconds > DETECTED_SECONDS:
        face.control("link", state="reconnecting")
    assert face.run("1")["outcome"] == "ok"


@pytest.mark.parametrize("direction", [UP, DOWN])
@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=LONG)])
def test_a_link_dead_in_one_direction(
    place: Place, plain: Plain, seconds: int, direction: str
) -> None:
    face = _fault(place, plain, direction, seconds, False)
    if seconds > DETECTED_SECONDS:
        face.control("link", state="reconnecting")
    assert face.run("1")["outcome"] == "ok"


def test_silence_from_the_pod_is_found_and_nothing_is_lost(place: Place, plain: Plain) -> None:
    """Dead on the way back only: what we send arrives, so TCP has nothing to complain of."""
    face = KernelFace(place.face, "pod")
    cell = face.submit(mixed(100, PAUSE))
    face.until_text(cell, "out 20\n")
    place.proxy.dead(DOWN)
    face.until(
        lambda: any(c.get("state") == "reconnecting" for c in face.controls),
        "that the link is found dead",
        2 * DETECTED_SECONDS,
    )
    place.proxy.heal(reset=True)
    assert face.ended(cell, 5 * NEXT_LINE_SECONDS)["outcome"] == "ok"
    face.in_order()
    plain.check(of(face.records, cell), 100)
