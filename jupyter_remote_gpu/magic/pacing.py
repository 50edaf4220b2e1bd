"""The last hop merges and paces (rule 9).

A local kernel's iopub loses messages that are pushed faster than it can send them, and a
Jupyter Server drops above 1,000 messages/s or 1 MB/s of streams over a window of 3 s.
Both limits are kept here, for the process as a whole; a sparse flow is never delayed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from .messages import Message, dump

__all__ = ["Bucket", "Pacer", "Sink", "drop_superseded", "merge_streams"]

log = logging.getLogger(__name__)

MAX_TEXT = 256 * 1024
"""Most bytes of content that one stream message has."""

# A window of 3 s + j holds burst + (3 + j) · rate; what the server's own hiccups (j) push
# together must still be below 3,000 messages and 3 MB: here j may be 0.9 s and 0.7 s.
MESSAGES_PER_SECOND, MESSAGE_BURST = 660.0, 400.0
BYTES_PER_SECOND, BYTE_BURST = 700_000.0, 400_000.0
_ENVELOPE = 1_800  # signature, delimiter, topic, header and the *local* parent header


class Sink(Protocol):
    """Where messages are shown. ``paced``: whether a Jupyter Server's limits apply."""

    paced: bool

    async def send(self, message: Message) -> None: ...


Item = tuple[Sink, Message]


class Bucket:
    """A token bucket.

    Parameters
    ----------
    rate : float
        Tokens a second.
    burst : float
        Most tokens that gather.
    clock : callable
        Seconds, monotonic.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = burst, clock()

    @property
    def tokens(self) -> float:
        """Tokens there are now; below 0 what was taken in advance."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens

    def take(self, n: float) -> float:
        """Take `n` tokens; the seconds to wait before using them (0: at once)."""
        left = self.tokens - n
        self._tokens = left
        # More than a full bucket cannot be waited for: it goes when the bucket is full.
        missing = -left if n <= self._burst else self._burst - (left + n)
        return max(0.0, missing / self._rate)


def _cost(message: Message) -> int:
    if message.type != "stream":
        return 0  # a Jupyter Server counts the bytes of streams only
    return len(message.content) + len(message.metadata) + _ENVELOPE


def _pieces(name: str, text: str) -> Iterable[bytes]:
    """`text` as stream contents of at most `MAX_TEXT` bytes each."""
    at, step = 0, MAX_TEXT - 64
    while at < len(text):
        take = step
        while len(content := dump({"name": name, "text": text[at : at + take]})) > MAX_TEXT:
            take //= 2
        yield content
        at += take


def merge_streams(items: Sequence[Item]) -> list[Item]:
    """Join adjacent texts of one stream that go to one sink; split what is too long.

    A single short message stays as it is, byte for byte.
    """
    out: list[Item] = []
    at = 0
    while at < len(items):
        sink, message = items[at]
        end = at + 1
        if message.type == "stream":
            while end < len(items) and items[end][0] is sink and items[end][1].type == "stream":
                end += 1
        if end - at == 1 and (message.type != "stream" or len(message.content) <= MAX_TEXT):
            out.append((sink, message))
        else:
            out += [(sink, m) for m in _merge_run([m for _, m in items[at:end]])]
        at = end
    return out


def _merge_run(run: Sequence[Message]) -> Iterable[Message]:
    texts: list[tuple[str, Message, list[str]]] = []
    for message in run:
        content = message.parse()
        name, text = str(content.get("name")), str(content.get("text", ""))
        if texts and texts[-1][0] == name:
            texts[-1][2].append(text)
        else:
            texts.append((name, message, [text]))
    for name, first, parts in texts:
        for n, piece in enumerate(_pieces(name, "".join(parts))):
            yield first.with_content(piece, suffix=f"-{n}" if n else "")


def drop_superseded(items: Sequence[Item]) -> list[Item]:
    """Leave out each `update_display_data` that a later one of the same display replaces."""
    out: list[Item] = []
    seen: set[tuple[int, str]] = set()
    for sink, message in reversed(items):
        if message.type == "update_display_data":
            transient = message.parse().get("transient")
            display = transient.get("display_id") if isinstance(transient, dict) else None
            if isinstance(display, str):
                if (id(sink), display) in seen:
                    continue
                seen.add((id(sink), display))
        out.append((sink, message))
    out.reverse()
    return out


class Pacer:
    """Shows messages no faster than a Jupyter Server with its default limits takes them.

    Whoever awaits `send` is held back: nothing gathers here, but in the log it came from.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._messages = Bucket(MESSAGES_PER_SECOND, MESSAGE_BURST, clock)
        self._bytes = Bucket(BYTES_PER_SECOND, BYTE_BURST, clock)

    async def flush(self, items: list[Item]) -> None:
        """`send` the items and empty the list, so that none of them is sent twice."""
        ready = items[:]
        items.clear()
        await self.send(ready)

    async def send(self, items: Sequence[Item]) -> None:
        """Merge `items`, then show them in order, waiting where the limits ask for it.

        A message that its sink cannot show costs no other one.
        """
        if len(items) > 1 or (items and len(items[0][1].content) > MAX_TEXT):
            items = merge_streams(items)
            if len(items) > self._messages.tokens:
                items = drop_superseded(items)
        for sink, message in items:
            if sink.paced:
                wait = max(self._messages.take(1), self._bytes.take(_cost(message)))
                if wait > 0:
                    await asyncio.sleep(wait)
            try:
                await sink.send(message)
            except Exception:
                log.exception("a %s message could not be shown", message.type)
