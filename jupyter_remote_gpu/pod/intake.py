"""What is asked of a kernel: taken once, recorded, then handed over."""

from __future__ import annotations

import time
from typing import Any

from ..errors import NotFound, WireError
from ..models import Outcome
from ..wire.records import Record, check_id
from .conversation import Conversation
from .executions import Execution, Requests
from .messages import dump, without_subshell
from .peers import Peer, reject

_CHANNEL_OF = {
    "execute_request": "shell",
    "complete_request": "shell",
    "inspect_request": "shell",
    "is_complete_request": "shell",
    "history_request": "shell",
    "comm_info_request": "shell",
    "comm_open": "shell",
    "comm_msg": "shell",
    "comm_close": "shell",
    "input_reply": "stdin",
}
_REMEMBERED = 1000
"""Interrupts of which it is known that they were obeyed."""


class Intake:
    """Takes the requests of all peers for one kernel."""

    def __init__(self, talk: Conversation) -> None:
        self._talk = talk
        self._journal = talk.journal
        self._requests = Requests()
        self._obeyed: dict[tuple[str, str, str | None], bool] = {}

    def on_request(self, peer: Peer, record: Record) -> None:
        """Take a request: recorded before it is handed over, handed over at most once.

        Raises
        ------
        WireError
            If it is not of the protocol's form.
        """
        head = record.head
        client = check_id(head.get("client"), "the client")
        channel = _CHANNEL_OF.get(record.type)
        header = record.json(0)
        msg_id = header.get("msg_id")
        if channel is None or len(record.parts) < 4 or not isinstance(msg_id, str):
            raise WireError(f"a request of type {record.type!r:.40} is not taken")
        known = self._requests.seen(client, record.first)
        if known is not None:
            self._ack(peer, client, record.first, *known, duplicate=True)
            return
        if self._talk.over:
            reject(peer, record, NotFound("the kernel has ended", code="kernel-ended"))
            return
        execution = None
        content, meta = record.json(3), head.get("meta") or {}
        if not isinstance(meta, dict):
            raise WireError("what a request tells of its cell is not a JSON object")
        if record.type == "execute_request":
            execution = check_id(head.get("execution"), "the execution")
            if not isinstance(content.get("code"), str):
                raise WireError("a request has no code")
        answers = head.get("answers")
        if channel == "stdin" and (answers is None or answers != self._talk.input):
            # Somebody else answered first, or the question is over.
            self._requests.take(client, record.first, None, None)
            self._ack(peer, client, record.first, None, None, duplicate=False)
            return
        note: dict[str, Any] = {
            "client": client,
            "number": record.first,
            "type": record.type,
            "msg_id": msg_id,
            "execution": execution,
            "meta": meta,
        }
        if execution is not None:
            note["code"] = content["code"]
        if channel == "stdin":
            note["answers"] = answers  # never the value: it may be a password
            self._talk.input = None
        number = self._journal.note("request", note, execution=execution, client=client)
        self._journal.flush()
        self._requests.take(client, record.first, number, execution)
        self._ack(peer, client, record.first, number, execution, duplicate=False)
        if execution is not None:
            content["stop_on_error"] = False  # the local kernel does the aborting
        parts = [
            dump(without_subshell(header, self._talk.session)),
            record.parts[1],
            record.parts[2],
            dump(content) if execution is not None else record.parts[3],
            *record.parts[4:],
        ]
        if execution is None:
            self._talk.send(channel, parts)
            return
        self._talk.retention.began(execution, number)
        silent = bool(content.get("silent"))
        self._talk.queue.add(
            Execution(execution, client, record.first, number, msg_id, silent, parts=parts)
        )
        self._talk.hand_over()

    def _ack(
        self,
        peer: Peer,
        client: str,
        number: int,
        record: int | None,
        execution: str | None,
        duplicate: bool,
    ) -> None:
        peer.send(
            {
                "type": "ack",
                "client": client,
                "number": number,
                "record": record,
                "execution": execution,
                "duplicate": duplicate,
            }
        )

    def interrupt(self, execution: str | None, client: str, tag: str) -> bool:
        """Interrupt an execution; False (void) when it does not run any more.

        It is sent again after a cut: one of the same client and tag was obeyed already. A second
        KeyboardInterrupt would hit the code that answers the first.

        Raises
        ------
        WireError
            If `execution` is not an id.
        """
        if execution is not None:
            check_id(execution, "the execution")
        asked = (client, tag, execution)
        if asked in self._obeyed:
            return self._obeyed[asked]
        target = self._talk.queue.find(execution)
        done = target is not None
        if target is not None and target is not self._talk.queue.current:
            self._talk.queue.waiting.remove(target)
            content = {"execution": target.id, "outcome": str(Outcome.ABORTED), "count": None}
            self._journal.note("ended", content, execution=target.id, client=target.client)
            self._talk.retention.ended(target.id)
            self._journal.dirty = True
        elif target is not None:
            target.interrupt_wanted = True
            self._talk.tick(time.monotonic())
        note = {"execution": execution, "client": client, "done": done}
        self._journal.note("interrupt", note, execution=execution)
        self._obeyed[asked] = done
        if len(self._obeyed) > _REMEMBERED:
            del self._obeyed[next(iter(self._obeyed))]
        return done
