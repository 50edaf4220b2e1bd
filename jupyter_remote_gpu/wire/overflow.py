"""What a log holds in memory while the disk takes nothing."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque


class Overflow:
    """Records that wait for the disk, oldest first.

    Parameters
    ----------
    bound : int
        How many bytes it should hold at most; its owner sees to that.

    Attributes
    ----------
    size : int
        Bytes that it holds.
    """

    def __init__(self, bound: int) -> None:
        self.size = 0
        self.bound = bound
        self._items: deque[tuple[int, int, bytes]] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def after(self, cursor: int) -> tuple[int, int, bytes] | None:
        """The oldest that has something beyond record `cursor`."""
        at = bisect_right(self._items, cursor, key=lambda item: item[1])
        return self._items[at] if at < len(self._items) else None

    def add(self, first: int, last: int, data: bytes) -> None:
        """Hold the frames of the records ``first..last``."""
        self._items.append((first, last, data))
        self.size += len(data)

    def take(self) -> tuple[int, int, bytes]:
        """Take the oldest out."""
        item = self._items.popleft()
        self.size -= len(item[2])
        return item

    def clear(self) -> None:
        """Drop all of it."""
        self._items.clear()
        self.size = 0

    def put_back(self, first: int, last: int, data: bytes) -> None:
        """Put records in front of the others."""
        self._items.appendleft((first, last, data))
        self.size += len(data)
