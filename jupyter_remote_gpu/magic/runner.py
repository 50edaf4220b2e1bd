"""The blocking wait of a `%%gpu` cell: the thread that runs the cell stands here."""

from __future__ import annotations

import queue
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import NotConnected, RemoteGPUError
from ..models import Outcome, PodState
from . import place
from .ending import finish, kernel_died
from .execution import Event, Execution
from .inputs import Asker, Withdrawn
from .kernels import DOWN, RemoteKernel
from .notices import Notices, link_sentence, stopped
from .raised import GONE, ControlBack, control_back
from .sink import running_kernel, show_here

__all__ = ["Runner"]

QUIET_SECONDS = 1.0
"""How long the link may be down before the cell says so: a hiccup leaves no trace."""
STOP_SECONDS = 0.4
"""How long a Stop waits for the word that the local kernel is about to end."""


class Runner:
    """Waits for one execution, shows what must be shown in this thread, and answers Stop.

    Parameters
    ----------
    shell : InteractiveShell
    remote : RemoteKernel
    execution : Execution
        With its sink set.
    channel : ThreadedChannel, optional
        Where answers go; the kernel's own by default.
    watching : bool
        It is somebody else's cell: Stop does not interrupt it, it only ends the watching.
    """

    def __init__(
        self,
        shell: Any,
        remote: RemoteKernel,
        execution: Execution,
        channel: Any = None,
        *,
        watching: bool = False,
    ) -> None:
        self._watching = watching
        self._shell, self._remote, self._execution = shell, remote, execution
        self._channel = channel if channel is not None else remote.channel
        self._asker = Asker(shell)
        execution.withdraw = self._asker.withdraw
        self._pressed = self._stops = 0
        self._passed_on = self._unanswered = False
        self._link = str(remote.link.get("state") or "")
        self._notices = Notices(shell, execution.sink)
        # What is no longer safe is told also where the cell's own output is captured.
        self._news = Notices(shell, execution.comm_sink or execution.sink)
        self._due: dict[str, tuple[float, Callable[[], None]]] = {}

    def wait(self, submit: Callable[[], int] | None = None) -> None:
        """Hand the cell over with `submit`, then wait until it has ended.

        Raises
        ------
        RemoteError, RemoteInterrupt
            What the remote cell raised.
        KernelDied
            If the kernel ended under it.
        ControlBack
            If the user pressed Stop twice, or the pod was disconnected: the cell runs on.
        NotConnected
            If it was not handed over.
        """
        with self._signals(), self._execution.reading():
            try:
                self._wait(submit)
            except (KeyboardInterrupt, RemoteGPUError):
                raise
            except Exception:  # nothing can be written or answered here: it runs on there
                self._news.show("left", self._what_it_does())
                raise
            finally:
                self._notices.show("link", "")
                self._notices.settle()
                self._news.settle()
        finish(self._shell, self._remote, self._execution)

    def _wait(self, submit: Callable[[], int] | None) -> None:
        if submit is not None:
            self._execution.number = submit()
        if self._link not in DOWN:
            self._say_link({})
        while True:
            kind, *rest = self._next()
            if kind == "ended":
                return
            getattr(self, f"_on_{kind}")(*rest)

    def _next(self) -> Event:
        """The next event; a Stop goes ahead of what is to be shown, and so does what is due."""
        while True:
            if self._stops < self._pressed:
                return ("stop",)
            if not self._due:
                return self._execution.events.get()
            name = min(self._due, key=lambda n: self._due[n][0])
            at, act = self._due[name]
            if (left := at - time.monotonic()) <= 0:
                del self._due[name]
                act()
                continue
            try:
                return self._execution.events.get(timeout=left)
            except queue.Empty:
                continue

    def _later(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        self._due[name] = time.monotonic() + seconds, act

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT only counts: it must not land between two statements."""
        before = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or before is None:
            yield  # no signal arrives in a subshell, or the program around Python has it
            return

        def handle(*_: Any) -> None:
            if not self._asker.on_signal():
                self._pressed += 1
                self._execution.events.put(("wake",))

        signal.signal(signal.SIGINT, handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    # -- events

    def _on_message(self, message: Any) -> None:
        show_here(self._shell, message)

    def _on_wake(self) -> None:
        """Nothing: `_next` has seen why."""

    def _on_stop(self) -> None:
        self._stops += 1
        self._pressed = max(self._pressed, self._stops)
        if self._watching:
            raise self._give_back("It is no longer watched here.")
        if self._stops == 1 and running_kernel(self._shell) is not None:
            # Who restarts a kernel, or ends it, interrupts it first: that is not the user's
            # Stop, and hours of work on the pod must not end with the notebook's kernel.
            self._later("stop", STOP_SECONDS, self._pass_on)
            return
        self._due.pop("stop", None)
        if not self._passed_on:
            self._pass_on()
        if self._stops > 1:
            raise self._give_back("Control is back.")

    def _pass_on(self) -> None:
        """Interrupt the remote cell, unless it is only the local kernel that ends."""
        if place.shutting_down(self._shell):
            raise self._give_back("The notebook's own kernel ends.")
        self._passed_on = self._unanswered = True
        self._remote.interrupt(self._execution.id, self._answered)
        if self._link and self._link != PodState.CONNECTED:
            self._due.pop("link", None)
            self._notices.show(
                "link",
                f"The link to {self._remote.pod} is down: the cell is interrupted when it is "
                "back. Stop again to get control back now.",
            )

    def _answered(self, done: bool) -> None:
        self._unanswered = False

    def _on_input(self, number: int, prompt: str, password: bool) -> None:
        if number not in self._execution.questions:
            return  # answered in the meantime
        try:
            value = self._asker.ask(number, prompt, password)
        except Withdrawn:
            return
        except KeyboardInterrupt:
            self._on_stop()
            return
        self._channel.submit(
            "input_reply",
            {"status": "ok", "value": value},
            channel="stdin",
            msg_id=uuid.uuid4().hex,
            execution=self._execution.id,
            answers=number,
        )

    def _on_link(self, message: dict[str, Any]) -> None:
        self._link = str(message.get("state"))
        if message.get("code") == GONE:
            self._execution.outcome = str(Outcome.DIED)
            raise kernel_died(self._remote, self._execution)
        if self._link in DOWN:
            reason = stopped(message.get("reason") or f"the pod is {self._link}")
            raise self._give_back(f"{self._remote.pod}: {reason} Control is back.")
        self._say_link(message)

    def _on_rejected(self, number: int | None, error: RemoteGPUError) -> None:
        if number == self._execution.number:
            self._execution.outcome = str(Outcome.ABORTED)
            raise error
        self._on_trouble(str(error))

    def _on_trouble(self, text: str, where: str | None = None) -> None:
        self._news.show(where or text, text)

    def _on_broken(self, error: BaseException) -> None:
        code = error.code if isinstance(error, RemoteGPUError) else None
        raise RemoteGPUError(f"{error} {self._what_it_does()}", code=code) from error

    # -- what is said

    def _say_link(self, message: dict[str, Any]) -> None:
        text = link_sentence(self._remote.pod, {**message, "state": self._link})
        if not text:
            self._due.pop("link", None)
            self._notices.show("link", "")
        elif "link" not in self._notices and "link" not in self._due:
            self._later("link", QUIET_SECONDS, lambda: self._notices.show("link", text))

    def _give_back(self, why: str) -> ControlBack:
        return control_back(f"{why} {self._what_it_does()}")

    def _what_it_does(self) -> str:
        """What becomes of the cell when nobody waits for it here any more."""
        execution, pod, short = self._execution, self._remote.pod, self._execution.id[:6]
        # Also while the link counts as connected: a cut that nobody has noticed yet.
        stopped = self._unanswered and self._link not in DOWN
        started = execution.started_at is not None
        if not started and not execution.accepted.is_set():
            then = ", and is then interrupted" if stopped else ""
            return (
                f"Whether {pod} has taken the cell is not known: it has it when the link is "
                f"back{then}; `%gpu status` shows it then."
            )
        if stopped:
            what = "runs on until it hears of the interrupt"
            if not started:
                what = "stays queued until the interrupt comes there, and is then taken back unrun"
        elif execution.questions:
            what = "waits for an answer"
        else:
            what = "runs on" if started else "stays queued"
        attach = f"`%gpu attach {short}` shows all of it here and follows it."
        return f"On {pod} the cell {what}; {attach}"


def refuse_if_down(pod: str, link: dict[str, Any]) -> None:
    """Raise `NotConnected` if nothing can be handed over to `pod` now.

    Parameters
    ----------
    link : dict
        ``state`` and ``reason``.
    """
    state = str(link.get("state") or "")
    if state not in DOWN:
        return
    reason = link.get("reason")
    raise NotConnected(
        f"The pod {pod} is {state}{': ' + stopped(reason) if reason else '.'} "
        f"Type `%gpu connect {pod}`, then run the cell again."
    )
