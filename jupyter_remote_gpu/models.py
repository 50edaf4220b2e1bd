"""The words that every part shares: states, outcomes, and what a snapshot holds."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import BadInput, NotFound

__all__ = [
    "ExecutionInfo",
    "KernelInfo",
    "Outcome",
    "PodInfo",
    "PodState",
    "asked_at",
    "check_pod_name",
    "no_such_pod",
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


class PodState(str, enum.Enum):
    """Where the link to a pod stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    HOST_KEY = "host-key"
    PREPARING = "preparing"
    CONNECTED = "connected"
    RECONNECTING = "reconnecting"
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


class Outcome(str, enum.Enum):
    """How an execution ended; a running one has none."""

    OK = "ok"
    ERROR = "error"
    ABORTED = "aborted"
    DIED = "died"

    def __str__(self) -> str:
        return self.value


def check_pod_name(name: object) -> str:
    """Return `name` if a pod can be called so.

    Raises
    ------
    BadInput
        If it is empty, longer than 64, or has other characters than letters, digits,
        ``.``, ``_`` and ``-`` (it becomes a file name and an ssh alias).
    """
    if not isinstance(name, str) or not _NAME.match(name) or ".." in name:
        raise BadInput(
            f"A pod cannot be called {name!r:.80}: use 1 to 64 letters, digits, '.', '_' or '-', "
            "beginning with a letter or a digit."
        )
    return name


def no_such_pod(name: object, known: Iterable[str]) -> NotFound:
    """The error for a pod that is not registered, with the names that are."""
    names = sorted(known)
    return NotFound(
        f"There is no pod {name!r:.80} (known: {', '.join(names) or 'none yet'}). "
        "Add it: jupyter remote-gpu add NAME SSH-COMMAND",
        details={"pods": names},
    )


@dataclass
class ExecutionInfo:
    """One cell that was handed to a kernel on a pod.

    Attributes
    ----------
    id : str
        32 hex digits, minted by the face.
    client : str
        The face that asked (one uuid a local kernel process).
    first, last : int
        Range of record numbers: the request, and the latest record that belongs to it.
    started, ended : float or None
        Seconds since the epoch, by the pod's clock.
    outcome : str or None
        See `Outcome`; None while it is queued or runs.
    state : str
        ``queued``, ``running`` or ``ended``.
    meta : dict
        ``notebook``, ``cell``, ``local_kernel``, ``msg_id``, ``count``, ``asked`` (see `asked_at`):
        what the face told.
    """

    id: str
    client: str
    first: int
    last: int
    code: str
    meta: dict[str, Any] = field(default_factory=dict)
    requested: float | None = None
    started: float | None = None
    ended: float | None = None
    outcome: str | None = None
    count: int | None = None

    @property
    def state(self) -> str:
        if self.outcome is not None:
            return "ended"
        return "queued" if self.started is None else "running"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "state": self.state}


def asked_at(execution: Mapping[str, Any]) -> float:
    """When an execution was asked for, in seconds: what orders the runs of a notebook.

    By the clock of the face where it told that, for all pods' clocks differ; else by the pod's.

    Parameters
    ----------
    execution : mapping
        `ExecutionInfo` as JSON.
    """
    meta = execution.get("meta")
    asked = meta.get("asked") if isinstance(meta, Mapping) else None
    for when in (asked, execution.get("requested")):
        if isinstance(when, int | float) and not isinstance(when, bool) and math.isfinite(when):
            return float(when)
    return 0.0


@dataclass
class KernelInfo:
    """A kernel on a pod, as the daemon knows it (also one that ended).

    Attributes
    ----------
    id, identity : str
        32 hex digits each: the kernel, and this incarnation of its journal.
    alive : bool or None
        None when the link is down and nobody knows.
    last : int
        The newest record number in the mirror.
    ended : str or None
        How: ``idle`` (nobody wanted it for a day), ``stopped`` (by the user's word), ``died``,
        ``gone`` (the pod does not know it any more).
    """

    id: str
    identity: str
    pod: str
    display_name: str = ""
    started: float | None = None
    alive: bool | None = None
    last: int = 0
    cwd: str = ""
    notebook: str | None = None
    ended: str | None = None
    executions: list[ExecutionInfo] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["executions"] = [e.to_json() for e in self.executions]
        return data


@dataclass
class PodInfo:
    """One pod in the snapshot.

    Attributes
    ----------
    address : str
        ``user@host:port`` as shown to the user.
    reason, code : str or None
        A sentence about the state and its machine-readable word.
    since : float
        Seconds since the epoch at which the state began.
    latency : float or None
        Latest round trip in seconds.
    waiting : int
        Requests that were not yet acknowledged by the pod.
    next_try : float or None
        When the next attempt to reconnect starts, seconds since the epoch.
    host_key : dict or None
        ``{"fingerprint": "SHA256:…", "type": …}`` that waits for the user's word.
    warnings : list of str
        Sentences about the pod (a login shell that prints, no lingering, a full disk).
    """

    name: str
    address: str
    state: PodState = PodState.DISCONNECTED
    reason: str | None = None
    code: str | None = None
    since: float = 0.0
    latency: float | None = None
    waiting: int = 0
    next_try: float | None = None
    host_key: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)
    kernels: list[KernelInfo] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["state"] = str(self.state)
        data["kernels"] = [k.to_json() for k in self.kernels]
        return data
