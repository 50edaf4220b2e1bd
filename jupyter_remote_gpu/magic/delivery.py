"""Takes the records that show nothing to the execution which they are about."""

from __future__ import annotations

from ..wire.records import Record
from .execution import Execution
from .pacing import Item, Pacer

__all__ = ["COMMS", "deliver", "take_news"]

COMMS = frozenset(("comm_open", "comm_msg", "comm_close"))


def take_news(record: Record, execution: Execution) -> None:
    """Tell an execution what the keeper noted about no execution in particular."""
    content = record.content
    if record.type == "request" and isinstance(content.get("answers"), int):
        execution.answered(content["answers"])
    elif record.type == "died":
        execution.died = content


async def deliver(pacer: Pacer, record: Record, execution: Execution, items: list[Item]) -> None:
    """Take a record that shows nothing; what stands before it is shown first where it matters."""
    kind, channel = record.type, record.channel
    if channel == "keeper" and kind == "running":
        execution.start(record.content)
    elif channel == "keeper" and kind == "ended":
        items += execution.finish(record.content)
        await pacer.flush(items)
        execution.events.put(("ended", record.content))
    elif channel == "keeper":
        take_news(record, execution)
    elif channel == "shell" and kind == "execute_reply":
        execution.reply = record.content
    elif channel == "stdin" and kind == "input_request":
        await pacer.flush(items)
        execution.ask(record)
