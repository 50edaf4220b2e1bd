"""`ipywidgets.Output` in a cell that is shown a second time, under another msg_id."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from ..wire.records import Record
from .messages import Message, new_message

__all__ = ["Capture", "update"]


def update(comm_id: str, state: dict[str, Any]) -> Message:
    """A `comm_msg` of ours that sets some of a widget's state in the front ends."""
    data = {"method": "update", "state": state, "buffer_paths": []}
    return new_message("comm_msg", {"comm_id": comm_id, "data": data})


class Capture:
    """Lets the Outputs of a cell catch what an attached cell shows, as they caught it then.

    Parameters
    ----------
    comms : collection of str
        The comms that are open now; looked at each time.
    old, new : str
        msg_id of the cell and of the one in which it is shown again.
    """

    def __init__(self, comms: Collection[str], old: str, new: str) -> None:
        self._comms, self._old, self._new = comms, old, new
        self._emptied: set[str] = set()
        self._on: set[str] = set()

    def replay(self, record: Record) -> list[Message]:
        """What takes the place of the cell's own comm message `record`.

        Before an Output catches for the first time it is emptied: it may hold what it
        caught then.
        """
        content = record.content
        comm_id, msg_id = str(content.get("comm_id")), self._toggle(record.type, content)
        if msg_id is None or comm_id not in self._comms:
            return []
        if not msg_id:
            return self.stop([comm_id])
        messages = [update(comm_id, {"msg_id": self._new})]
        if comm_id not in self._emptied:
            messages.insert(0, update(comm_id, {"outputs": []}))
        self._emptied.add(comm_id)
        self._on.add(comm_id)
        return messages

    def beside(self, message: Message) -> Message | None:
        """What of a comm message of the cell goes on at once, beside the replay."""
        content = message.parse()
        if self._toggle(message.type, content) is None:
            return message
        data = content["data"]
        state = {k: v for k, v in data["state"].items() if k != "msg_id"}
        return (
            message.with_content({**content, "data": {**data, "state": state}}) if state else None
        )

    def stop(self, comm_ids: Iterable[str] | None = None) -> list[Message]:
        """These Outputs (all of them) catch nothing more."""
        ended = self._on.intersection(self._on if comm_ids is None else comm_ids)
        self._on -= ended
        return [update(comm_id, {"msg_id": ""}) for comm_id in ended if comm_id in self._comms]

    def _toggle(self, kind: str, content: dict[str, Any]) -> str | None:
        """The msg_id from which an Output catches now: the cell's, or none (empty)."""
        data = content.get("data")
        state = data.get("state") if kind == "comm_msg" and isinstance(data, dict) else None
        value = state.get("msg_id") if isinstance(state, dict) else None
        return value if value in (self._old, "") else None
