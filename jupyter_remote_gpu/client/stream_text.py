"""The text of a stream, with what moves the cursor worked off: of a bar its last frame stays."""

from __future__ import annotations

import re

__all__ = ["StreamText"]

_MOVES = re.compile("([\r\b])")


class StreamText:
    r"""A text that goes on, as JupyterLab shows it.

    ``\r`` goes to the beginning of the last line, ``\b`` deletes the character before the cursor.
    Of a bar that moves for a night its frames would be what is mostly kept, and sent each second.
    """

    def __init__(self, text: str = "") -> None:
        self._lines: list[str] = []  # all but the last, in pieces
        self._last: list[str] = []  # the last one, in pieces
        self._column: int | None = None  # None: at its end
        self.add(text)

    def add(self, text: str) -> None:
        """Write it where the cursor is."""
        if "\r" not in text and "\b" not in text:
            self._write(text)
            return
        for part in _MOVES.split(text):
            if part == "\r":
                self._column = 0
            elif part == "\b":
                self._back()
            else:
                self._write(part)

    @property
    def text(self) -> str:
        r"""What is shown; written anew it leaves the cursor where it is (``50%\r``)."""
        self._lines = ["".join(self._lines)]
        last = self._joined()
        back = "" if self._column in (None, len(last)) else "\r" + last[: self._column]
        return self._lines[0] + last + back

    def _write(self, text: str) -> None:
        first, newline, rest = text.partition("\n")
        self._put(first)
        if newline:
            lines, newline, last = rest.rpartition("\n")
            self._lines += [*self._last, "\n", lines, newline]
            self._last, self._column = [last], None

    def _put(self, text: str) -> None:
        """Write in the last line, over what is there."""
        if self._column is None:
            self._last.append(text)
        elif text:
            last, end = self._joined(), self._column + len(text)
            self._last = [last[: self._column], text, last[end:]]
            self._column = None if end >= len(last) else end

    def _back(self) -> None:
        last = self._joined()
        at = len(last) if self._column is None else self._column
        if at > 0:
            # In mid-line JupyterLab takes the character under the cursor too.
            self._last = [last[: at - 1], last[at + 1 :]]
            self._column = at - 1

    def _joined(self) -> str:
        self._last = ["".join(self._last)]
        return self._last[0]
