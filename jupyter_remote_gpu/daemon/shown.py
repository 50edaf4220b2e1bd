"""What the snapshot shows of a pod and its kernels; of any size and type it can have been told."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ..models import ExecutionInfo, KernelInfo, Outcome, PodInfo, asked_at
from .bounded import TEXT_CHARS, number, plain, text
from .entry import PodEntry
from .kernel_state import KernelState
from .sentences import GONE
from .snapshot import CELLS, KERNELS, newest

__all__ = [
    "PATH_CHARS",
    "execution_info",
    "execution_place",
    "executions_of",
    "how_it_ended",
    "kernel_info",
    "pod_info",
    "reason_of",
]

REASON_CHARS = 2000
PATH_CHARS = 4096
WARNINGS = 20
LISTED_CODE_CHARS = 300
LISTED_BYTES = 800_000
"""Of a notebook's executions the newest are listed: as many as one frame has room for."""


def pod_info(entry: PodEntry, states: Sequence[KernelState]) -> PodInfo:
    """A pod with its kernels, and with the executions of those that are looked for."""
    status = entry.link.status
    known = {state.id: state for state in states if state.mirror.identity}
    info = PodInfo(
        name=entry.name,
        address=entry.pod.address,
        state=status.state,
        reason=reason_of(entry),
        code=_text_or_none(status.code),
        since=status.since,
        latency=status.latency,
        waiting=sum(len(state.outbox) for state in states),
        next_try=status.next_try,
        host_key=plain(status.host_key),
        warnings=[text(w, REASON_CHARS) for w in status.warnings[:WARNINGS]],
        kernels=[kernel_info(state) for state in known.values()],
    )
    for kernel in newest(info.kernels, KERNELS):
        state = known[kernel.id]
        kernel.executions = [_as_it_is(state, e) for e in state.mirror.executions.recent(CELLS)]
    return info


def reason_of(entry: PodEntry) -> str | None:
    """Why the pod is in its state."""
    return _text_or_none(entry.link.status.reason, REASON_CHARS)


def kernel_info(state: KernelState) -> KernelInfo:
    """A kernel, without its executions."""
    known = state.mirror.info
    return KernelInfo(
        id=state.id,
        identity=state.mirror.identity or "",
        pod=state.mirror.pod,
        display_name=text(known.get("display_name")),
        started=number(known.get("started")),
        alive=state.alive,
        last=state.mirror.last,
        cwd=text(known.get("cwd"), PATH_CHARS),
        notebook=_text_or_none(known.get("notebook"), PATH_CHARS),
        ended=how_it_ended(state),
    )


def execution_info(state: KernelState, name: str) -> ExecutionInfo:
    """The execution of that id, as far as this laptop can know."""
    return _as_it_is(state, state.mirror.executions.info(name))


def _as_it_is(state: KernelState, info: ExecutionInfo) -> ExecutionInfo:
    """Of a kernel that the pod does not know any more nothing runs, though no log says so."""
    if info.outcome is not None or how_it_ended(state) != "gone":
        return info
    return replace(info, outcome=str(Outcome.DIED), ended=number(state.mirror.info.get("gone_at")))


def execution_place(state: KernelState) -> dict[str, Any]:
    """Where an execution runs or ran; ``kernel_ended`` as in `KernelInfo.ended`."""
    return {
        "pod": state.mirror.pod,
        "kernel": state.id,
        "identity": state.mirror.identity,
        "kernel_ended": how_it_ended(state),
    }


def executions_of(states: Iterable[KernelState], notebook: str) -> list[dict[str, Any]]:
    """All that a notebook ran, on whichever kernel, in the order in which it was asked for.

    What a silent request ran is none of its cells'.
    """
    rows = [
        {
            **_as_it_is(state, info).to_json(),
            **execution_place(state),
            "code": info.code[:LISTED_CODE_CHARS],
        }
        for state in states
        if state.mirror.identity
        for info in state.mirror.executions.of(notebook)
    ]
    rows.sort(key=asked_at)
    room, first = LISTED_BYTES, len(rows)
    while first and (room := room - len(json.dumps(rows[first - 1]))) >= 0:
        first -= 1
    return rows[first:]


def how_it_ended(state: KernelState) -> str | None:
    """``idle``, ``stopped``, ``died``, ``gone`` (the pod does not know it), or None: it has not."""
    died = state.mirror.executions.died
    if died is None:
        return "gone" if state.fault is not None and state.fault.code == GONE else None
    if died.get("idle"):
        return "idle"
    return "stopped" if died.get("asked") else "died"


def _text_or_none(value: object, chars: int = TEXT_CHARS) -> str | None:
    return text(value, chars) or None
