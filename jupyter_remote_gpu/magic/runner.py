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
from .execution import Event, Execution
from .inputs import Asker, Withdrawn
from .kernels import DOWN, RemoteKernel
from .raised import ControlBack, KernelDied, control_back, remote_error
from .sink import notice, running_kernel, show_here

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
    """

    def __init__(
        self, shell: Any, remote: RemoteKernel, execution: Execution, channel: Any = None
    ) -> None:
        self._shell, self._remote, self._execution = shell, remote, execution
        self._channel = channel if channel is not None else remote.channel
        self._asker = Asker(shell)
        execution.withdraw = self._asker.withdraw
        self._pressed = self._stops = 0
        self._passed_on = False
        self._link = str(remote.link.get("state") or "")
        self._notice_id = f"jrg-{uuid.uuid4().hex}"
        self._noticed = False
        self._noticing = False
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
            if submit is not None:
                self._execution.number = submit()
            if self._link not in DOWN:
                self._say_link({})
            while True:
                kind, *rest = self._next()
                if kind == "ended":
                    break
                getattr(self, f"_on_{kind}")(*rest)
        self._say("")
        self._finish()

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
        if threading.current_thread() is not threading.main_thread():
            yield  # a subshell: no signal arrives there
            return

        def handle(*_: Any) -> None:
            if not self._asker.on_signal():
                self._pressed += 1
                self._execution.events.put(("wake",))

        before = signal.signal(signal.SIGINT, handle)
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
        self._passed_on = True
        self._remote.interrupt(self._execution.id)
        if self._link and self._link != PodState.CONNECTED:
            self._say(
                f"The link to {self._remote.pod} is down: the cell is interrupted when it is "
                "back. Stop again to get control back now."
            )

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
        if self._link in DOWN:
            reason = message.get("reason") or f"The pod is {self._link}."
            raise self._give_back(f"{self._remote.pod}: {reason} Control is back.")
        self._say_link(message)

    def _on_rejected(self, number: int | None, error: RemoteGPUError) -> None:
        if number == self._execution.number:
            self._execution.outcome = str(Outcome.ABORTED)
            raise error
        self._on_trouble(str(error))

    def _on_trouble(self, text: str) -> None:
        notice(
            self._shell,
            self._execution.sink,
            f"jrg-{uuid.uuid4().hex}",
            f"[gpu] {text}",
            first=True,
        )

    def _on_broken(self, error: BaseException) -> None:
        self._execution.let_go()
        raise error

    # -- what is said

    def _say_link(self, message: dict[str, Any]) -> None:
        if self._link == PodState.CONNECTED or not self._link:
            self._say("")
        elif not self._noticing and "link" not in self._due:
            reason = str(message.get("reason") or "").rstrip(". ")
            why = f" ({reason})" if reason else ""
            text = (
                f"The link to {self._remote.pod} is down{why}: reconnecting. What runs there "
                "runs on; this cell waits."
            )
            self._later("link", QUIET_SECONDS, lambda: self._say(text))

    def _say(self, text: str) -> None:
        """Show a sentence in the cell, or take it away with an empty one."""
        self._due.pop("link", None)
        if not text and not self._noticing:
            return
        self._noticing = bool(text)
        shown = f"[gpu] {text}" if text else ""
        notice(self._shell, self._execution.sink, self._notice_id, shown, first=not self._noticed)
        self._noticed = True

    def _give_back(self, why: str) -> ControlBack:
        self._say("")
        self._execution.let_go()
        short = self._execution.id[:6]
        ran = "runs on" if self._execution.started_at is not None else "stays queued"
        pod = self._remote.pod
        return control_back(
            f"{why} On {pod} the cell {ran}; `%gpu attach {short}` shows all of "
            "it here and follows it."
        )

    # -- the end

    def _finish(self) -> None:
        execution, outcome = self._execution, self._execution.outcome
        self._page()
        if outcome == Outcome.OK:
            return
        if outcome == Outcome.DIED:
            raise KernelDied(self._how_it_died())
        if outcome == Outcome.ABORTED:
            raise remote_error(
                {"ename": "KeyboardInterrupt", "evalue": "The cell was taken back unrun."}, {}
            )
        reply = {**execution.ended, **execution.reply}
        if execution.error is not None and not execution.error_shown:
            raise remote_error(execution.error, self._remote.counts)
        # The remote has shown it: as an error in its place, or (a UsageError) on stderr.
        raise remote_error(reply, self._remote.counts, shown=True)

    def _how_it_died(self) -> str:
        said = {**self._execution.ended, **self._execution.died}
        pod = self._remote.pod
        if said.get("asked"):
            how = f"The kernel on {pod} was stopped"
        elif said.get("signal"):
            how = f"The kernel on {pod} was killed by {said['signal']}"
            if said["signal"] == "SIGKILL":
                how += " (often: out of memory)"
        elif said.get("code") is None:
            how = f"The kernel on {pod} is gone"
        else:
            how = f"The kernel on {pod} ended with status {said['code']}"
        stderr = str(said.get("stderr") or "").strip()
        tail = f"\nIts last words:\n{stderr[-2000:]}" if stderr else ""
        return (
            f"{how} while this cell ran. What it had printed stands above; its variables are "
            f"lost. The next `%%gpu` cell starts a fresh kernel.{tail}"
        )

    def _page(self) -> None:
        """Show what ``obj?`` brought; other payloads would act on this machine: dropped."""
        payload = self._execution.reply.get("payload")
        for entry in payload if isinstance(payload, list) else []:
            if not isinstance(entry, dict) or entry.get("source") != "page":
                continue
            if running_kernel(self._shell) is not None:
                self._shell.payload_manager.write_payload(
                    {"source": "page", "data": entry.get("data") or {}, "start": 0}
                )
            else:
                data = entry.get("data")
                print(data.get("text/plain", "") if isinstance(data, dict) else "")


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
    reason = str(link.get("reason") or "").strip()
    raise NotConnected(
        f"The pod {pod} is {state}{': ' + reason if reason else '.'} "
        f"Type `%gpu connect {pod}`, then run the cell again."
    )
