"""Keeps one kernel's mirror up to date and hands requests to its keeper, over bridges."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from .. import _version
from ..errors import RemoteGPUError, TransportError, WireError, error_from_json
from ..wire import PROTOCOL
from ..wire.frames import CONTROL, FrameDecoder, decode_control, encode_control
from . import sentences
from .bridge import Bridge, Opener
from .kernel_state import KernelState

READ_BYTES = 256 << 10
LINGER_SECONDS = 10.0
"""How long a bridge stays after nobody wants it."""
PING_SECONDS = 5.0
SILENT_SECONDS = 15.0
"""A keeper that says nothing for so long, though it was asked, is not reached any more."""
LARGE_BYTES, LARGE_SECONDS = 64 << 10, 60.0
"""On a slow line our question waits behind a larger request for so long, and longer while the pod
takes more of it: given up, the request would be sent again from its beginning, for ever."""
HELLO_SECONDS = 20.0
SHORT_SECONDS = 2.0
"""A bridge that lasted longer has worked: the next one is opened at once."""
RETRY_SECONDS = (0.05, 0.3, 1.0, 2.0, 5.0)
log = logging.getLogger(__name__)


class KernelLink:
    """One kernel: connected to its keeper while somebody or something wants it.

    Parameters
    ----------
    state : KernelState
        Mirror, outbox and readers of the kernel.
    laptop : str
        This laptop's id: the keeper's client.
    """

    def __init__(self, state: KernelState, laptop: str) -> None:
        self.state = state
        self._laptop = laptop
        self._link: Opener | None = None
        self._kick = asyncio.Event()
        self._adopted: Bridge | None = None
        self._left: set[asyncio.Future[None]] = set()
        self._bridge: Bridge | None = None
        self._heard = self._moved = 0.0
        self._greeted = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"kernel {state.id}")
        state.handover.on_need = self._kick.set
        state.handover.send = self._send

    # -- from the pod's side

    def connected(self, link: Opener | None) -> None:
        """The pod is connected (`link`) or not (None)."""
        if link is not None and self._link is None:
            self.state.synced = self.state.mirror.finished
            self.state.clear_fault()
        self._link = link
        self._kick.set()

    def adopt(self, bridge: Bridge) -> None:
        """Use a bridge that `start` opened."""
        if self._adopted is not None:
            self._leave(self._adopted)  # a start that was asked for twice
        self._adopted = bridge
        self._kick.set()

    def _leave(self, bridge: Bridge) -> None:
        self._left.add(asyncio.ensure_future(bridge.close()))

    async def alive(self, timeout: float) -> bool:
        """Ask the pod whether the kernel lives; waits for the keeper's welcome.

        Raises
        ------
        TransportError
            If there was no answer within `timeout` seconds.
        RemoteGPUError
            If the pod does not serve this kernel, or cannot.
        """
        state = self.state
        if state.mirror.executions.died is not None:
            return False
        state.clear_fault(gone=True)
        end = time.monotonic() + timeout
        while True:
            await self._answer(end - time.monotonic())
            if state.fault is not None:
                raise state.fault
            if state.alive is not None:
                return state.alive
            if state.faulty.is_set() and state.failure is not None:
                raise state.failure
            # A bridge that was lost just now had answered, and nobody knows of the kernel again.
            if self._greeted.is_set() or time.monotonic() >= end:
                break
        raise TransportError("The pod does not answer: wait until it is connected again.")

    async def _answer(self, timeout: float) -> None:
        """Wait until there is a bridge, or why there is none."""
        if not self._greeted.is_set():
            self.state.synced = False
        self._kick.set()
        answered = asyncio.ensure_future(self._greeted.wait())
        failed = asyncio.ensure_future(self.state.faulty.wait())
        try:
            await asyncio.wait(
                {answered, failed}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            answered.cancel()
            failed.cancel()

    async def close(self) -> None:
        """Let go of the pod; the kernel runs on."""
        self._task.cancel()
        await asyncio.wait([self._task])
        if self._adopted is not None:
            self._leave(self._adopted)
        await asyncio.gather(*self._left, return_exceptions=True)
        await self.state.close()

    # -- the task

    async def _run(self) -> None:
        failures = 0
        while True:
            self._kick.clear()
            if self._adopted is None and (self._link is None or not self.state.wanted):
                await self._kick.wait()
                continue
            began = time.monotonic()
            try:
                await self._once()
            except (TransportError, OSError) as e:
                log.warning("bridge to kernel %s: %s %s", self.state.id, type(e).__name__, e)
            except RemoteGPUError as e:
                # It may pass, but perhaps not before somebody does something about it.
                log.warning("bridge to kernel %s: %s %s", self.state.id, type(e).__name__, e)
                self.state.failed(e)
            except Exception as e:  # whatever it is: the next bridge may do better
                log.exception("bridge to kernel %s", self.state.id)
                self.state.failed(e)
            failures = 0 if time.monotonic() - began > SHORT_SECONDS else failures + 1
            if failures:
                # Of a change (the link is back, a face came) it is told by the event.
                pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS)) - 1]
                with contextlib.suppress(TimeoutError):
                    # Not `wait_for`: up to Python 3.11 it may swallow a cancellation.
                    async with asyncio.timeout(pause):
                        await self._kick.wait()

    async def _once(self) -> None:
        """One bridge, from hello to its end."""
        bridge, self._adopted = self._adopted, None
        if bridge is None:
            assert self._link is not None
            bridge = await self._link.open_bridge(None)
        talk = asyncio.create_task(self._talk(bridge))
        side = asyncio.create_task(self._watch(bridge))
        try:
            # That the bridge was closed does not end its reading: a pod that takes nothing more
            # from us never says so.
            await asyncio.wait({talk, side}, return_when=asyncio.FIRST_COMPLETED)
            refusal = await (talk if talk.done() else side)
        finally:
            self._bridge = None
            self._greeted.clear()
            talk.cancel()
            side.cancel()
            try:
                self.state.unbridged()
            finally:
                await bridge.close()
                await asyncio.wait([talk, side])
        if refusal is not None and not self.state.refused(refusal):
            raise refusal

    async def _talk(self, bridge: Bridge) -> RemoteGPUError | None:
        """Until the bridge ends; why the pod refuses to serve this kernel, if it does.

        Raises
        ------
        WireError
            If what comes is of no use. What was sent may have arrived all the same.
        """
        mirror = self.state.mirror
        bridge.write(
            encode_control(
                {
                    "service": f"kernel:{self.state.id}",
                    "protocol": PROTOCOL,
                    "version": _version.__version__,
                    "client": self._laptop,
                    "identity": mirror.identity,
                    "cursor": mirror.cursor,
                }
            )
        )
        decoder = FrameDecoder(verify=True)
        self._heard = time.monotonic()
        while True:
            data = await bridge.read(READ_BYTES)
            if not data:
                return None
            self._heard = time.monotonic()
            records: list[tuple[int, bytes]] = []
            for kind, raw in decoder.feed_raw(data):
                if kind != CONTROL:
                    records.append((kind, raw))
                    continue
                message = decode_control(raw[9:])
                if message.get("type") == "refused":
                    if records and self._bridge is not None:
                        self.state.append(records)  # what it could read still
                    return error_from_json(message.get("error"))
                if self._bridge is None:
                    if message.get("protocol", PROTOCOL) != PROTOCOL:
                        return sentences.other_version(message["protocol"])
                    self._welcome(bridge, message)
                else:
                    self.state.told(message)
            if records:
                if self._bridge is None:
                    raise WireError("the pod sent records before its welcome")
                self.state.append(records)
                if self.state.mirror.log.congested:
                    await self.state.mirror.until_room()
            if self.state.fault is not None:
                return None  # all of the journal is here, and it is not the one that we had

    def _welcome(self, bridge: Bridge, message: dict[str, Any]) -> None:
        if message.get("type") != "welcome" or not isinstance(message.get("next"), int):
            raise WireError("the pod's first answer is not a welcome")
        self.state.greeted(message)
        self._bridge = bridge
        for frame in [*self.state.outbox.everything(), self._faces_frame()]:
            self._send(frame)
        self._greeted.set()

    def _send(self, frame: bytes) -> bool:
        """Write to the keeper now; False when there is no bridge (it is sent later)."""
        if self._bridge is None:
            return False
        if len(frame) > LARGE_BYTES:
            self._moved = time.monotonic()
        self._bridge.write(frame)
        return True

    def _faces_frame(self) -> bytes:
        return encode_control({"type": "faces", "count": len(self.state.audience.channels)})

    async def _watch(self, bridge: Bridge) -> None:
        """Until nobody wants the bridge, or the keeper is not reached by it any more."""
        started = time.monotonic()
        faces, unwanted, asked, unsent = len(self.state.audience.channels), 0.0, 0.0, 0
        while True:
            await asyncio.sleep(1.0)
            now = time.monotonic()
            if self._bridge is None:
                if now - started > HELLO_SECONDS:
                    log.warning("kernel %s: no welcome within %g s", self.state.id, HELLO_SECONDS)
                    return
                continue
            if faces != len(self.state.audience.channels):
                faces = len(self.state.audience.channels)
                self._send(self._faces_frame())
            unsent, before = bridge.unsent, unsent
            if unsent < before:
                self._moved = now
            busy = self.state.mirror.log.congested or now - self._moved < LARGE_SECONDS
            silent = now - self._heard
            if silent < PING_SECONDS:
                asked = 0.0
            elif not asked:
                asked = now
                self._send(encode_control({"type": "ping", "tag": "alive"}))
            elif now - asked > SILENT_SECONDS - PING_SECONDS and not busy:
                log.warning("kernel %s: silent for %.0f s", self.state.id, silent)
                return
            if self.state.damage.found:
                return  # the next one brings it again
            if self.state.wanted:
                unwanted = 0.0
            elif not unwanted:
                unwanted = now
            elif now - unwanted > LINGER_SECONDS:
                return
