"""An execution's records as text on a terminal."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from ..client.gaps import Gaps
from ..errors import WireError, plain
from ..models import Outcome
from ..wire.records import Record

__all__ = ["Printer"]

_GONE = "kernel-gone"


class Printer:
    """Prints what one execution says: streams as they are, of rich outputs the text.

    Parameters
    ----------
    execution : str
        Its id; what belongs to others is passed over.
    newest : int
        The newest record when it began: what was asked before that may be answered by now.

    Attributes
    ----------
    ended : asyncio.Event
        Set when the execution has ended, or its kernel.
    """

    def __init__(self, execution: str, newest: int = 0) -> None:
        self.ended = asyncio.Event()
        self._execution, self._newest = execution, newest
        self._questions: dict[int, str] = {}
        self._gaps = Gaps(execution)
        self._outcome: str | None = None
        self._why = ""
        self._link: str | None = None

    async def batch(self, records: list[Record]) -> None:
        """Take the records of one read (awaited by the channel, so a slow pipe slows it)."""
        await asyncio.to_thread(self._print_all, records)
        if self._outcome is not None:
            self.ended.set()

    async def control(self, message: dict[str, Any]) -> None:
        """Say on stderr when the link goes and comes, and what is no longer safe."""
        if message.get("type") == "link":
            state = str(message.get("state"))
            if state != self._link and (self._link is not None or state != "connected"):
                self._note(f"the pod is {state}", message.get("reason"))
            self._link = state
            if message.get("code") == _GONE and self._outcome is None:
                self._finish(str(Outcome.DIED), str(message.get("reason") or "its kernel is gone."))
                self.ended.set()
        elif message.get("type") == "trouble" and message.get("message"):
            self._note("trouble", message.get("message"))

    def status(self) -> int:
        """0 when the cell ended well; else 1, with a line about it on stderr."""
        if self._outcome == Outcome.OK:
            return 0
        self._note(f"the cell ended: {self._outcome or 'unknown'}", self._why)
        return 1

    def _print_all(self, records: list[Record]) -> None:
        """Print in a thread (a pipe may block)."""
        for record in records:
            if self._outcome is not None:
                break
            self._take(record)
        sys.stdout.flush()
        if self._outcome is None and records and records[-1].last >= self._newest:
            self._say_questions()

    def _take(self, record: Record) -> None:
        if missing := self._gaps.before(record):
            print(plain(missing), file=sys.stderr, flush=True)
        if record.channel == "keeper":
            self._take_keeper(record)
        elif record.type == "input_request" and record.execution == self._execution:
            self._questions[record.first] = str(record.content.get("prompt") or "")
        elif record.channel == "iopub" and record.execution == self._execution:
            content = record.content
            if record.type == "stream":
                target = sys.stderr if content.get("name") == "stderr" else sys.stdout
                target.write(str(content.get("text", "")))
                target.flush()
            elif record.type in ("execute_result", "display_data", "update_display_data"):
                data = content.get("data")
                text = data.get("text/plain") if isinstance(data, dict) else None
                if text:
                    print("".join(text) if isinstance(text, list) else str(text))
            elif record.type == "error":
                lines = content.get("traceback") or [
                    f"{content.get('ename')}: {content.get('evalue')}"
                ]
                print("\n".join(str(line) for line in lines), file=sys.stderr)

    def _take_keeper(self, record: Record) -> None:
        content = record.content
        if record.type == "ended" and content.get("execution") == self._execution:
            self._finish(str(content.get("outcome")), str(content.get("ename") or ""))
        elif record.type == "request" and content.get("type") == "input_reply":
            answered = content.get("answers")
            self._questions.pop(answered if isinstance(answered, int) else 0, None)
        elif record.type == "died":
            last = str(content.get("stderr") or "").strip().splitlines()[-1:]
            self._finish(str(Outcome.DIED), " ".join(["its kernel is gone.", *last]))

    def _say_questions(self) -> None:
        """Nobody can answer here: say what the cell waits for, once a question."""
        for prompt in self._questions.values():
            answer = f"answer it in a notebook: %gpu attach {self._execution[:6]}"
            self._note("the cell asks", f"{prompt.strip() or '(without words)'} — {answer}")
        self._questions.clear()

    def _finish(self, outcome: str, why: str) -> None:
        if outcome not in tuple(Outcome):
            raise WireError(f"an execution ended with {outcome!r:.40}, which is not an outcome")
        self._outcome, self._why = outcome, why

    def _note(self, what: str, why: object = None) -> None:
        text = plain(f"{what}: {why}" if why else what)
        print(f"[{text}]", file=sys.stderr, flush=True)
