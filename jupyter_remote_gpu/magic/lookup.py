"""Which pod, kernel or cell is meant, when little or nothing was typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import BadInput, Conflict, NotConnected, NotFound, RemoteGPUError
from ..models import PodState, check_pod_name
from . import place
from .kernels import DOWN
from .runner import refuse_if_down

if TYPE_CHECKING:
    from .session import Session

__all__ = [
    "ADD_ONE",
    "find_execution",
    "find_kernel",
    "known_pods",
    "last_pod_of",
    "pod_meant",
    "user_cells",
]

ADD_ONE = (
    "No pod is known yet. Add one in a terminal, with the ssh command that your provider shows: "
    "`jupyter remote-gpu add NAME ssh …`; then type `%gpu connect NAME`."
)


def known_pods(pods: dict[str, Any]) -> str:
    """A sentence that lists the pods and their states."""
    if not pods:
        return "None is known yet."
    return "Known: " + ", ".join(f"{n} ({p.get('state')})" for n, p in sorted(pods.items())) + "."


def last_pod_of(pods: dict[str, Any], names: list[str], path: str | None) -> str | None:
    """Of `names` the pod on which this notebook ran its newest cell."""
    newest: tuple[float, str] | None = None
    for name in names:
        for kernel in pods[name].get("kernels") or []:
            if path is None or kernel.get("notebook") != path:
                continue
            at = max(
                (e.get("requested") or 0.0 for e in kernel.get("executions") or []),
                default=kernel.get("started") or 0.0,
            )
            if newest is None or at > newest[0]:
                newest = at, name
    return None if newest is None else newest[1]


def pod_meant(session: Session, name: str | None) -> str:
    """The pod that is meant: the named one, the only one, or the notebook's last one.

    Raises
    ------
    BadInput, NotFound
        With what there is, and what to type.
    """
    if name is not None:
        check_pod_name(name)
        if name not in session.pods() and name not in session.pods(now=True):
            raise NotFound(
                f"There is no pod called {name}. {known_pods(session.pods())} Add one with "
                f"`jupyter remote-gpu add {name} ssh …`."
            )
        return name
    pods = session.pods()
    if not (usable := _usable(pods)):
        pods = session.pods(now=True)
        usable = _usable(pods)
    last = session.last_pod or last_pod_of(pods, list(pods), place.notebook())
    if last in pods and last not in usable and usable:
        others = " or ".join(f"`%%gpu {name}`" for name in sorted(usable))
        try:
            refuse_if_down(str(last), pods[str(last)])
        except NotConnected as e:
            raise NotConnected(f"{e} To run it on another pod: {others}.") from None
    if len(usable) == 1:
        return usable[0]
    if not usable:
        tried = [n for n, p in pods.items() if p.get("state") != PodState.DISCONNECTED]
        meant = [last] if last in pods else tried or list(pods)
        if len(meant) == 1:
            refuse_if_down(str(meant[0]), pods[str(meant[0])])
        if not pods:
            raise NotFound(ADD_ONE)
        raise Conflict(f"No pod is connected. {known_pods(pods)} Type `%gpu connect NAME`.")
    if last in usable:
        return str(last)
    raise BadInput(
        f"Several pods are connected ({', '.join(sorted(usable))}): name one, as in "
        f"`%%gpu {sorted(usable)[0]}`."
    )


def user_cells(kernel: dict[str, Any]) -> list[dict[str, Any]]:
    """The executions of a kernel in the snapshot that the user asked for."""
    cells = kernel.get("executions") or []
    return [e for e in cells if not (e.get("meta") or {}).get("silent")]


def _usable(pods: dict[str, dict[str, Any]]) -> list[str]:
    return [n for n, p in pods.items() if p.get("state") not in DOWN]


def find_kernel(session: Session, wanted: str) -> dict[str, Any]:
    """The row of ``kernel.list`` of the kernel whose id begins so.

    Raises
    ------
    BadInput, NotFound
        If it is none, or several.
    """
    if len(wanted) < 4:
        raise BadInput("Give at least 4 digits of the kernel's id; `%gpu kernels` lists them.")
    rows = session.face.request("kernel.list", timeout=60.0)["kernels"]
    found = [row for row in rows if str(row["id"]).startswith(wanted.lower())]
    if len(found) != 1:
        what = "No kernel has" if not found else f"{len(found)} kernels have"
        raise NotFound(f"{what} an id that begins with {wanted}; `%gpu kernels` lists them.")
    return dict(found[0])


def find_execution(session: Session, wanted: str | None) -> dict[str, Any]:
    """What `execution.find` tells of an execution; of this notebook's newest without an id.

    Raises
    ------
    NotFound
        If there is none.
    RemoteGPUError
        What the daemon says, for an id that is not one or stands for several.
    """
    if wanted is None:
        path = place.notebook()
        best: tuple[bool, float, str] | None = None
        for pod in session.pods(now=True).values():
            for kernel in pod.get("kernels") or []:
                named = path is not None and kernel.get("notebook") == path
                mine = named or kernel.get("id") in {r.id for r in session.kernels.values()}
                for e in user_cells(kernel):
                    rank = (e.get("state") != "ended", e.get("requested") or 0.0, e["id"])
                    if mine and (best is None or rank > best):
                        best = rank
        if best is None:
            raise NotFound("No cell of this notebook is known. `%gpu status` shows what runs.")
        wanted = best[2]
    try:
        return session.face.request("execution.find", id=wanted)
    except RemoteGPUError as e:
        if e.code == "not-found":
            raise NotFound(f"{e.message} `%gpu status` shows the cells that are known.") from e
        raise
