"""What is told to people when a kernel cannot be reached."""

from __future__ import annotations

from typing import Any

from ..errors import DaemonError, NotConnected, NotFound, RemoteGPUError, WireError
from ..models import PodState
from ..wire import PROTOCOL

GONE = "kernel-gone"
"""Code of a kernel that its pod does not have any more."""
ON_ITS_WAY = {PodState.CONNECTING, PodState.PREPARING, PodState.RECONNECTING}


def gone(kernel: str, error: RemoteGPUError) -> RemoteGPUError | None:
    """The error for a bridge that was refused because the kernel is gone; else None."""
    if error.code == "unknown-service":
        return NotFound(
            f"The pod has no kernel {kernel[:8]} any more. What it said until then is here; "
            "`%gpu restart` starts a new one.",
            code=GONE,
        )
    if error.code == "cursor":
        return WireError(
            f"The pod has lost the end of what kernel {kernel[:8]} said (its disk was set "
            "back). What is here stays; `%gpu restart` starts a new one.",
            code=GONE,
        )
    return None


def other_journal(identity: str) -> WireError:
    """The pod has another journal under the same kernel id."""
    return WireError(
        "The kernel's journal is another one than this laptop has copied.",
        code="identity",
        details={"identity": identity},
    )


def ended() -> NotFound:
    """The kernel has ended."""
    return NotFound("The kernel has ended. `%gpu restart` starts a new one.", code="kernel-ended")


def not_connected(pod: str, status: Any) -> NotConnected:
    """The pod is not connected now; `status` has ``state`` and ``reason``."""
    why = f": {status.reason}" if status.reason else ""
    end = "" if why.endswith(".") else "."
    what = f"Connect it: %gpu connect {pod} (in a terminal: jupyter remote-gpu connect {pod})"
    if status.state in ON_ITS_WAY:
        what = "Wait until it is connected, then try again."
    return NotConnected(
        f"Pod {pod} is {status.state}{why}{end} {what}",
        details={"state": str(status.state), "reason": status.reason},
    )


def failure(error: Exception) -> RemoteGPUError:
    """Why a bridge was of no use; it is tried again."""
    if isinstance(error, WireError):
        return WireError(
            f"What the pod says about this kernel cannot be used: {error}. It is asked again; if "
            "that does not help, `%gpu restart` starts a new one.",
            code=error.code,
        )
    if isinstance(error, RemoteGPUError):
        return error
    return DaemonError(
        f"The daemon failed at this kernel ({type(error).__name__}: {error}) and tries again. "
        "Its log has more: see `jupyter remote-gpu doctor`."
    )


def other_version(protocol: object) -> WireError:
    """Of a keeper that another version of ours has started."""
    return WireError(
        f"The kernel's keeper speaks protocol {protocol!r:.40}, this laptop {PROTOCOL}: use the "
        "version of jupyter-remote-gpu that started it.",
        code="version",
    )
