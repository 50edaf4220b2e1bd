"""What the daemon holds of one kernel: mirror, outbox, readers, and how it stands."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from ..errors import NotFound, RemoteGPUError, WireError
from ..files import set_aside
from ..models import PodState
from ..wire.records import Record, is_id
from . import sentences
from .audience import Audience
from .channels import FaceChannel
from .damage import GOING, Damage
from .handover import Handover
from .mirror import Mirror
from .sentences import GONE
from .snapshot import LATER, NOW, SOON

log = logging.getLogger(__name__)


class KernelState:
    """One kernel's data, and the rules by which requests and news pass through.

    Parameters
    ----------
    mirror : Mirror
    on_change : callable
        Called when the snapshot would differ, with the seconds that this may wait.

    Attributes
    ----------
    alive : bool or None
        None while nobody knows: without a bridge a living kernel may end unseen.
    failure : RemoteGPUError or None
        Why the latest bridge was of no use; tried again, and over when the mirror is up to date.
    faulty : asyncio.Event
        There is a new fault or failure.
    synced : bool
        Since the pod was connected the mirror has once been as long as the journal.
    """

    def __init__(self, mirror: Mirror, on_change: Callable[[float], None]) -> None:
        self.mirror = mirror
        self.id = mirror.id
        self.audience = Audience(lambda: self.mirror.last)
        self.handover = Handover(self.audience, lambda: self.mirror.executions)
        self.outbox = self.handover.outbox
        self.damage = Damage(self)
        self.alive: bool | None = False if mirror.executions.died is not None else None
        self.synced = mirror.finished
        self.faulty = asyncio.Event()
        self.failure: RemoteGPUError | None = None
        self._on_change = on_change
        self._next = 0
        self._final = False
        self._bridged = False
        self._pod_trouble: object = None
        self._writing: asyncio.Task[None] | None = None
        if mirror.info.get("gone"):
            self.alive = False
            self._set_fault(NotFound(str(mirror.info["gone"]), code=GONE))

    @property
    def fault(self) -> RemoteGPUError | None:
        """Why the pod does not serve this kernel; not tried again by itself."""
        return self.audience.fault

    @property
    def wanted(self) -> bool:
        """Whether a bridge should be open while the pod is connected."""
        if self.fault is not None or self.mirror.identity is None:
            return False
        if not self.outbox.empty or not self.synced or self.damage.found:
            return True
        following = bool(self.audience.channels or self.mirror.executions.open)
        return following and not self.mirror.finished

    # -- the link's side

    def greeted(self, welcome: dict[str, Any]) -> None:
        """The keeper (or its journal's reader) has welcomed us.

        Raises
        ------
        WireError
            If it names no identity, or another one than asked for.
        """
        identity = welcome.get("identity")
        if not is_id(identity) or self.mirror.identity not in (None, identity):
            raise WireError("the pod's welcome names a journal that was not asked for")
        self.mirror.note(identity=identity, removed=None)
        if self.damage.found:
            self.synced = False
            self.damage.drop()
        if isinstance(welcome.get("started"), (int, float)):
            self.mirror.note(started=welcome["started"])
        self.alive = bool(welcome.get("alive"))
        self._next = int(welcome["next"])
        self._final = welcome.get("final") is True
        self._bridged = True
        self._pod_trouble = welcome.get("trouble")
        self._tell_trouble()
        self._check_synced()
        self._on_change(NOW)

    def unbridged(self) -> None:
        """The bridge is gone: what is incomplete is dropped, requests wait."""
        self._bridged = False
        self.alive = None if self.alive else self.alive
        self.handover.unbridged()
        self._on_change(LATER)
        self.mirror.rollback()

    def failed(self, error: Exception) -> None:
        """No bridge could be had, or what it brought was of no use. It is tried again."""
        self.failure = sentences.failure(error)
        self.faulty.set()
        self._tell_trouble()

    def _tell_trouble(self) -> None:
        self.audience.trouble("pod", self.failure or self._pod_trouble)

    def append(self, frames: list[tuple[int, bytes]]) -> None:
        """Take record frames from the pod into the mirror and wake who reads.

        Raises
        ------
        WireError
            If they do not continue it.
        """
        told = self.mirror.append(frames)
        if self.mirror.log.trouble is not None:
            self._laptop_full()
        if told:
            folded = self.mirror.executions
            if folded.died is not None:
                self.alive = False
            if folded.started and not self.mirror.info.get("display_name"):
                self.mirror.note(display_name=str(folded.started.get("display_name", "")))
            self.handover.settle()
        self._check_synced()
        self._on_change(SOON if told else LATER)

    def told(self, message: dict[str, Any]) -> None:
        """Pass a control message of the keeper's on to whom it concerns.

        Raises
        ------
        WireError
            If it is not of the protocol.
        """
        kind = message.get("type")
        if kind in ("ack", "rejected"):
            client, number = message.get("client"), message.get("number")
            if not is_id(client) or type(number) is not int:
                raise WireError(f"the keeper's {kind} names no request")
            self.outbox.done(str(client), number)
            self.audience.tell(client, message)
            self._on_change(SOON)
        elif kind == "interrupted":
            origin = self.outbox.interrupts.pop(str(message.get("tag")), None)
            if origin is not None:
                self.audience.tell(origin[0], message)
        elif kind == "trouble":
            self._pod_trouble = message.get("message")
            self._tell_trouble()

    def refused(self, error: RemoteGPUError) -> bool:
        """The pod refused to serve this kernel; whether that stays so (True) or may pass."""
        if error.code == "keeper-stuck":
            return False
        if error.code == "identity" and is_id(error.details.get("identity")):
            self._start_anew(str(error.details["identity"]))
            return True
        error = sentences.gone(self.id, error) or error
        log.error("kernel %s: %s", self.id, error)
        self.synced = True
        self._set_fault(error)
        if error.code == GONE:
            self.alive = False
            self.mirror.note(gone=str(error), gone_at=time.time())
        self.handover.give_up(error, sent=error.code == GONE)
        self.audience.tell_link()
        self.mirror.wake()  # who waits for what was damaged
        self._on_change(NOW)
        return True

    def _set_fault(self, error: RemoteGPUError) -> None:
        self.audience.fault = error
        self.faulty.set()

    def clear_fault(self, gone: bool = False) -> None:
        """What failed may be tried again; with `gone` also a kernel that was not there."""
        if self.fault is not None and (gone or self.fault.code != GONE):
            self.mirror.note(gone=None, gone_at=None)
            self.audience.fault = None
            self.alive = False if self.mirror.executions.died is not None else None
        if self.fault is None:
            self.faulty.clear()

    def pod_is(self, state: PodState, reason: str | None, since: float) -> None:
        """The pod's state changed."""
        before = (self.audience.state, self.audience.reason)
        self.audience.state, self.audience.reason, self.audience.since = state, reason, since
        if state is not PodState.CONNECTED and self.alive:
            self.alive = None
        if state not in GOING:
            self.handover.give_up(sentences.not_connected(self.mirror.pod, self.audience))
        if before != (state, reason):
            self.audience.tell_link()
            self.mirror.wake()

    def _start_anew(self, identity: str) -> None:
        old = self.mirror
        if self._writing is not None:
            self._writing.cancel()
            self.audience.trouble("laptop", None)
        old.close()
        aside = set_aside(old.folder)
        log.warning("kernel %s has another journal: the old mirror is now %s", self.id, aside.name)
        info = {**old.info, "identity": identity}
        self.mirror = Mirror(old.folder, old.bound)
        self.mirror.on_closed = old.on_closed
        self.mirror.note(**info)
        self.synced = False
        error = sentences.other_journal(identity)
        self.handover.give_up(error, sent=True)
        self.audience.refuse_all(error)

    def _check_synced(self) -> None:
        if not self._bridged or self.mirror.last + 1 < self._next:
            return
        if self.failure is not None:
            self.failure = None
            self._tell_trouble()
        if not self.synced:
            self.synced = True
            self.mirror.wake()
        if self._final and self.mirror.executions.died is None and self.fault is None:
            # Its first word after the lost end was `died`, at a number that we have already.
            self.refused(WireError("the journal's end is older than the mirror", code="cursor"))

    # -- the faces' side

    def attach(self, channel: FaceChannel) -> None:
        """A face reads."""
        self.audience.attach(channel)
        self.handover.on_need()

    def request(self, client: str, record: Record) -> None:
        """Take a face's request; see `Handover.request`."""
        self.handover.request(client, record, self.obstacle())
        self._on_change(SOON)

    def interrupt(self, client: str, tag: str, execution: str | None) -> None:
        """Take a face's interrupt; see `Handover.interrupt`."""
        self.handover.interrupt(client, tag, execution, self.obstacle())

    def obstacle(self) -> RemoteGPUError | None:
        """Why a request cannot be handed over."""
        if self.mirror.executions.died is not None:
            return sentences.ended()
        if self.fault is not None:
            return self.fault
        return (
            None
            if self.audience.state in GOING
            else sentences.not_connected(self.mirror.pod, self.audience)
        )

    # -- the laptop's disk

    def _laptop_full(self) -> None:
        self.audience.trouble(
            "laptop",
            f"The laptop's disk takes nothing ({self.mirror.log.trouble}). What the pod says "
            "is kept in memory and on the pod; make room.",
        )
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._until_written())

    async def _until_written(self) -> None:
        await self.mirror.until_written()
        self.mirror.wake()
        self.audience.trouble("laptop", None)

    async def close(self) -> None:
        """Write down what is known."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        await self.damage.close()
        self.mirror.close()
