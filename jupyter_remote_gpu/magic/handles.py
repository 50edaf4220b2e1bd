"""What `%%gpu --detach` returns: a cell that runs on a pod, to look at and to fetch."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from ..client.ends import how_it_died
from ..errors import Conflict, DaemonError
from ..models import Outcome
from .raised import without_frames
from .stopping import interrupt

if TYPE_CHECKING:
    from .execution import Execution
    from .kernels import RemoteKernel
    from .session import Session

__all__ = ["Handle"]

_LINES = 3


class Handle:
    """A detached cell.

    Attributes
    ----------
    id : str
        For `%gpu attach`, in any notebook and after a restart; its beginning is enough.
    """

    def __init__(
        self, session: Session, remote: RemoteKernel, execution: Execution, code: str
    ) -> None:
        self._session, self._remote, self._execution = session, remote, execution
        self.id, self.pod, self.code = execution.id, remote.pod, code

    @property
    def state(self) -> str:
        """``queued``, ``running``, ``waiting for an answer``, ``ok``, ``error``, …

        ``unknown`` where nothing is heard of it any more; `trouble` says why.
        """
        if self._execution.outcome is None and self._remote.broken is not None:
            return "unknown"
        return self._execution.state

    @property
    def elapsed(self) -> float:
        """Seconds that it has run."""
        return self._execution.elapsed(self._remote.ahead)

    @property
    def trouble(self) -> list[str]:
        """Sentences about what is not as it should be; empty if all is well."""
        said = [text for text in self._remote.trouble.values() if text]
        if self._execution.rejected is not None:
            said.append(str(self._execution.rejected))
        elif self._execution.outcome == Outcome.DIED:
            said.append(f"{how_it_died(self.pod, self._execution.died)}.")
        elif self._execution.outcome is None and self._remote.broken is not None:
            said.append(f"What became of it is not known: {self._remote.broken}")
        return said

    @property
    def last_lines(self) -> list[str]:
        """The end of what it printed, at most three lines."""
        lines = [part.rsplit("\r", 1)[-1] for part in self._execution.tail.split("\n")]
        return [line for line in lines if line.strip()][-_LINES:]

    @without_frames()
    def attach(self) -> None:
        """Show all of its output here, from the first line, and follow it to its end.

        Raises
        ------
        RemoteError
            What the cell raised.
        """
        self._look_again()
        self._refuse_before_the_pod_has_it()
        execution = self._execution
        last = self._remote.seen if execution.outcome is not None else execution.record
        self._session.follow(
            self._remote,
            {
                "id": self.id,
                "first": execution.record,
                "last": last,
                "meta": {"msg_id": execution.msg_id},
            },
        )

    @without_frames()
    def result(self) -> None:
        """Wait for its end and show its outputs; returns None (values stay on the pod)."""
        self.attach()

    @without_frames()
    def interrupt(self) -> None:
        """Interrupt it, and tell what came of it; nothing happens if it has ended."""
        self._session.refuse_if_down(self.pod)
        if self._execution.outcome is not None:
            print("It has ended.")
            return
        self._look_again()
        print(interrupt(self._remote, self.id, "It does not run any more."))

    def _look_again(self) -> None:
        if isinstance(self._remote.broken, DaemonError):
            self._remote.resume()

    def _refuse_before_the_pod_has_it(self) -> None:
        if self._execution.rejected is not None:
            raise self._execution.rejected
        if not self._remote.wait_for_request(self._execution):
            raise Conflict(
                f"The pod {self.pod} has not taken this cell yet: its link is down. Try again "
                "when `%gpu status` says that it is connected."
            )

    def __repr__(self) -> str:
        state, seconds = self.state, self.elapsed
        head = f"<%%gpu cell {self.id[:6]} on {self.pod}: {state}, {_duration(seconds)}>"
        trouble = [f"  ! {text}" for text in self.trouble]
        return "\n".join([head, *trouble, *(f"  {line}" for line in self.last_lines)])

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        lines = "\n".join(html.escape(line) for line in self.last_lines)
        short = self.id[:6]
        head = (
            f"<b>{html.escape(self.state)}</b> on {html.escape(self.pod)} · "
            f"{_duration(self.elapsed)} · <code>%gpu attach {short}</code>"
        )
        head += "".join(f"<br>{html.escape(text)}" for text in self.trouble)
        tail = f"<pre>{lines}</pre>" if lines else ""
        return {"text/plain": repr(self), "text/html": f"<div>{head}{tail}</div>"}


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
