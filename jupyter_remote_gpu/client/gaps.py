"""Where in a cell's output it is said that something of the log is missing."""

from __future__ import annotations

from typing import Any

from ..wire.records import Record

__all__ = ["Gaps"]


class Gaps:
    """Decides which gaps of a kernel's log were in one execution's output.

    A gap that belongs to no execution may have been anybody's. It is mine if something of
    mine follows it that is not my beginning: what was dropped before that was of the cells
    before.

    Parameters
    ----------
    execution : str
    """

    def __init__(self, execution: str) -> None:
        self._execution = execution
        self._held: list[str] = []
        self._over = False

    def before(self, record: Record) -> str:
        """What is to be said in the output before what `record` shows; empty: nothing.

        Parameters
        ----------
        record : Record
            The next one of the log, of any execution.
        """
        keeper = record.channel == "keeper"
        if keeper and record.type == "gap":
            if not self._over and record.execution in (self._execution, None):
                self._held.append(_sentence(record.content))
            return self._release() if record.execution == self._execution else ""
        if record.execution != self._execution:
            return ""
        if (keeper and record.type == "running") or _asks_for_it(record):
            self._held.clear()
        elif keeper and record.type == "ended":
            self._over = True
            return self._release()
        elif record.channel == "iopub" and record.type != "status":
            return self._release()  # (`busy` comes before the keeper's `running`)
        return ""

    def _release(self) -> str:
        text = "".join(self._held)
        self._held.clear()
        return text


def _asks_for_it(record: Record) -> bool:
    """Whether it is the cell's own request, and not an answer to its `input()`."""
    is_request = record.channel == "keeper" and record.type == "request"
    return is_request and record.content.get("answers") is None


def _sentence(content: dict[str, Any]) -> str:
    messages, size = content.get("messages"), content.get("bytes")
    count = f"{messages:,}" if isinstance(messages, int) else "some"
    amount = f" ({_amount(size)})" if isinstance(size, int) else ""
    return f"[{count} messages{amount} are missing here: {content.get('reason')}]\n"


def _amount(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    for unit, bytes_each in (("kB", 10**3), ("MB", 10**6)):
        if size < 1000 * bytes_each:
            return f"{size / bytes_each:.1f} {unit}"
    return f"{size / 10**9:.1f} GB"
