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
    elif record.type == "gap":
        said = f"{content.get('messages')} messages are missing here: {content.get('reason')}"
        execution.events.put(("trouble", said))
    elif record.type == "died":
        execution.died = content


async def deliver(
    pacer: Pacer, record: Record, execution: Execution | None, items: list[Item]
) -> list[Item]:
    """Take a record that shows nothing; first comes what stands before it."""
    if execution is None:
        return items
    kind, channel = record.type, record.channel
    if channel == "keeper" and kind == "running":
        execution.start(record.content)
    elif channel == "keeper" and kind == "ended":
        content = record.content
        await pacer.send(items + execution.finish(content))
        execution.events.put(("ended", content))
        return []
    elif channel == "keeper":
        take_news(record, execution)
    elif channel == "shell" and kind == "execute_reply":
        execution.reply = record.content
    elif channel == "stdin" and kind == "input_request":
        await pacer.send(items)
        execution.ask(record)
        return []
    return items
