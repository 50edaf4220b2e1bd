"""`input()` and `getpass()` of a remote cell, asked in the local one (rule 10)."""

from __future__ import annotations

import getpass
import signal
import threading
from typing import Any

from .sink import running_kernel

__all__ = ["Asker", "Withdrawn"]


class Withdrawn(Exception):
    """Somebody else answered while the question stood here."""


class Asker:
    """Asks one question at a time in the thread that runs the cell.

    Attributes
    ----------
    asking : int or None
        Record number of the question that stands open.
    """

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._thread = threading.get_ident()
        self._taking_back: int | None = None
        self._own_signals = 0
        self.asking: int | None = None

    def ask(self, number: int, prompt: str, password: bool) -> str:
        """The user's answer; end of file comes back as ``\\x04``, as front ends send it.

        Raises
        ------
        KeyboardInterrupt
            If the user pressed Stop instead.
        Withdrawn
            If it was answered elsewhere.
        """
        kernel = running_kernel(self._shell)
        try:
            self.asking = number
            if kernel is not None:
                value = kernel.getpass(prompt) if password else kernel.raw_input(prompt)
            else:
                value = getpass.getpass(prompt) if password else input(prompt)
            self.asking = None
        except EOFError:
            return "\x04"
        except KeyboardInterrupt:
            if self._taking_back == number:
                raise Withdrawn from None
            raise
        finally:
            self.asking = None
        return str(value)

    def withdraw(self, number: int) -> None:
        """Take the question back, if it stands open in the main thread (from any thread).

        Elsewhere (a subshell) no signal arrives; the answer given there comes too late.
        """
        if self.asking == number and self._thread == threading.main_thread().ident:
            self._taking_back = number
            self._own_signals += 1
            signal.pthread_kill(self._thread, signal.SIGINT)

    def on_signal(self) -> bool:
        """Called by the cell's SIGINT handler; whether the signal was only ours.

        Raises
        ------
        KeyboardInterrupt
            While a question stands open: it ends the waiting for an answer.
        """
        ours = self._own_signals > 0
        if ours:
            self._own_signals -= 1
        if self.asking is not None and (not ours or self.asking == self._taking_back):
            raise KeyboardInterrupt
        return ours
