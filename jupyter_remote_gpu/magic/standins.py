"""What the local comm manager finds in the place of a comm that lives in a remote kernel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from comm.base_comm import BaseComm

__all__ = ["StandIn", "is_widget_target", "plain_header"]


def is_widget_target(target: object) -> bool:
    """Whether comms to this target pass: only widgets' do, in either direction."""
    return target in ("jupyter.widget", "jupyter.widget.version")


def plain_header(header: dict[str, Any]) -> dict[str, Any]:
    """A front end's header as JSON, without the subshell, which is of the local kernel."""
    return {
        k: v.isoformat() if isinstance(v, datetime) else v
        for k, v in header.items()
        if k != "subshell_id"
    }


class StandIn(BaseComm):
    """What the local comm manager finds under a remote comm's id; it passes things on.

    Parameters
    ----------
    relay : callable
        Takes ``(msg_type, msg)`` for each message of a front end.
    """

    def __init__(self, comm_id: str, target: str, relay: Callable[[str, Any], None]) -> None:
        super().__init__(target_name=target, comm_id=comm_id, primary=False)
        self._relay = relay

    def handle_msg(self, msg: Any) -> None:
        self._relay("comm_msg", msg)

    def handle_close(self, msg: Any) -> None:
        self._relay("comm_close", msg)

    def publish_msg(self, *args: Any, **keys: Any) -> None:
        """Nothing: what the remote says goes through iopub as it came."""

    def close(self, *args: Any, **keys: Any) -> None:
        """Nothing: only the remote closes its comm (collecting garbage does not)."""
