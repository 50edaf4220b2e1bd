"""What of a mirror is damaged: it comes again from the pod, or a gap says what is lost.

After a power cut a file may end early or in zeros; a user who makes room may delete one. Nothing
is dropped before the pod has said that it has the journal.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from .. import files
from ..errors import DaemonError, RemoteGPUError, WireError
from ..models import PodState
from ..wire.segments import Segment, mended
from .executions import Executions
from .mirror import Mirror
from .sentences import GONE

if TYPE_CHECKING:
    from .kernel_state import KernelState

GOING = {PodState.CONNECTING, PodState.PREPARING, PodState.CONNECTED, PodState.RECONNECTING}
"""A pod in one of these states is there, or will be by itself."""
REASON = "the copy on the laptop was damaged, and the pod does not have it any more"
log = logging.getLogger(__name__)


class Damage:
    """Sees to the damage of one kernel's mirror."""

    def __init__(self, state: KernelState) -> None:
        self._state = state
        self._task: asyncio.Task[None] | None = None

    @property
    def found(self) -> bool:
        """Whether a part of the mirror cannot be read, as far as is known."""
        return self._state.mirror.log.damage is not None

    def drop(self) -> None:
        """The pod has the journal: what it is to send again makes room.

        Raises
        ------
        DaemonError
            If the disk does not let it.
        """
        mirror = self._state.mirror
        log.warning("kernel %s: its mirror is copied anew from %s", mirror.id, mirror.cursor + 1)
        try:
            mirror.drop_damaged()
        except OSError as e:
            raise DaemonError(
                f"A part of the laptop's copy is damaged and cannot be replaced ({e}): make "
                f"{mirror.log.folder} writable."
            ) from e

    def mends(self) -> bool:
        """Whether what could not be read comes again, or is about to be told as lost."""
        state = self._state
        if not self.found:
            return False
        if self._lost:
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._fill(state.mirror))
            return True
        if state.fault is None and state.audience.state in GOING:
            state.handover.on_need()
            return True
        return False

    @property
    def _lost(self) -> bool:
        state = self._state
        if state.fault is not None and state.fault.code == GONE:
            return True
        return bool(state.mirror.info.get("removed")) and state.audience.state not in GOING

    def why(self, error: RemoteGPUError) -> RemoteGPUError:
        """What a reader is told that cannot go on."""
        if not self.found:
            return error
        return WireError(
            f"A part of the laptop's copy is damaged ({error}). It is fetched again from the pod: "
            f"%gpu connect {self._state.mirror.pod}",
            code="mirror-damaged",
        )

    async def _fill(self, mirror: Mirror) -> None:
        """Put gaps where the damage is, and fold what comes behind it."""
        try:
            while True:
                while (segment := mirror.damaged()) is not None:
                    written = await asyncio.to_thread(_write_mended, mirror, segment)
                    if mirror.closed:
                        return
                    if not written:
                        raise WireError(f"{segment.path} cannot be used, though it is whole")
                    mirror.log.adopt(segment, segment.path.with_suffix(".mended.new"))
                try:
                    folded = await asyncio.to_thread(_fold, mirror)
                except WireError:
                    if not self.found:
                        raise
                    continue  # there is more
                if not mirror.closed:
                    mirror.take(folded)
                    mirror.wake()
                return
        except (OSError, WireError) as e:
            log.error("the mirror %s cannot be mended: %s", mirror.folder, e)
            why = f"A part of the laptop's copy is damaged, and cannot be mended now: {e}"
            self._state.audience.refuse_all(WireError(why, code="mirror-damaged"))

    async def close(self) -> None:
        """Stop; what is half done is done by the next daemon."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


def _write_mended(mirror: Mirror, segment: Segment) -> bool:
    """Write what is left of a segment beside it; False if it is whole (blocks)."""
    following = mirror.log.segment_after(segment.first)
    if following is None:
        raise OSError(f"no new file can be made in {mirror.log.folder}")
    data = mended(segment.path, segment.first, following.first, REASON)
    if data is None:
        return False
    files.replace(segment.path.with_suffix(".mended.new"), data)
    if segment.path.exists():
        aside = files.set_aside(segment.path)
        log.warning("%s is damaged and was set aside as %s", segment.path, aside.name)
    return True


def _fold(mirror: Mirror) -> Executions:
    """What became of each cell, by all that can be read (blocks)."""
    folded = Executions.load(mirror.checkpoint, mirror.identity, mirror.last)
    folded.catch_up(mirror.log)
    return folded
