"""The state machine of one pod's link: connect, notice the loss, come back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import asyncssh

from ..errors import HostKeyChanged, HostKeyUnknown, LinkError, RemoteGPUError, TransportError
from ..models import PodState
from ..pods import hostkeys
from ..pods.registry import Pod
from .channel import Bridge
from .connections import Pool
from .known import KnownPod
from .login import Login
from .pulse import may_pass
from .retrying import Clock, Race
from .status import UNDER_WAY, LinkStatus, Standing, steady

__all__ = ["Bridge", "LinkStatus", "PodLink"]

PROBE_SECONDS = 60.0
START_SECONDS = 60.0
COMMAND_SECONDS = 30.0
T = TypeVar("T")
log = logging.getLogger(__name__)


class PodLink(Standing):
    """The link to one pod.

    Parameters
    ----------
    pod : Pod
    folder : Path
        The data folder (host keys, own keys and what a probe said lie below it).
    on_change : callable
        Called after each change of `status`.
    busy : callable
        Whether something waits for the link: then it is tried more often.
    """

    def __init__(
        self,
        pod: Pod,
        *,
        folder: Path,
        on_change: Callable[[], None],
        busy: Callable[[], bool],
    ) -> None:
        super().__init__(pod.name, on_change)
        self.pod = pod
        self.folder = folder
        self._known = KnownPod(folder, pod)
        self._login = Login(folder, pod, self._pin)
        self._clock = Clock(busy, self._awake)
        self._pool: Pool | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def probe(self) -> dict[str, Any] | None:
        """What the pod's `probe` said, perhaps at an earlier connect."""
        return self._known.probe

    # -- what the user wants

    def connect(self, accept_host_key: str | None = None, *, resume: bool = False) -> None:
        """Begin to connect; nothing happens if the pod is connected.

        Parameters
        ----------
        accept_host_key : str, optional
            The fingerprint of a new host key that the user confirmed.
        resume : bool
            The pod was connected before (by an earlier daemon): a network that is not
            there yet is waited for.
        """
        if self.status.state in UNDER_WAY:
            self._clock.now()
            return
        self._error = None
        self._set(PodState.RECONNECTING if resume else PodState.CONNECTING)
        self._task = asyncio.create_task(self._run(accept_host_key, resume, {*self._ending}))

    async def disconnect(self) -> None:
        """Let go of the pod; what runs there runs on."""
        # At once: who wants to connect while the connections are being closed begins anew.
        self._set(PodState.DISCONNECTED)
        await self.close()

    def retry_now(self) -> None:
        """Try again at once ("Try now")."""
        if self.status.state is PodState.DISCONNECTED:
            return
        self.connect()

    async def close(self) -> None:
        """As `disconnect`, for the end of the daemon: the state is left as it is."""
        task, self._task = self._task, None
        if task is not None:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
            task.cancel()
        if self._ending:
            await asyncio.wait({*self._ending})

    # -- what is asked of the pod

    async def run(
        self, command: str, spec: dict[str, Any], timeout: float = COMMAND_SECONDS
    ) -> dict[str, Any]:
        """Run a pod command; its answer.

        Raises
        ------
        RemoteGPUError
            The command's own error; `TransportError`, `NotConnected`.
        """
        bridge = await self._execute(command, spec, timeout)
        await bridge.close()
        return bridge.info

    async def open_bridge(
        self, spec: dict[str, Any] | None = None, timeout: float | None = None
    ) -> Bridge:
        """A stream to a service on the pod; with `spec`, a kernel is started on the way.

        Raises
        ------
        RemoteGPUError
            As `run`.
        """
        if spec is None:
            return await self._execute("bridge", {}, timeout or COMMAND_SECONDS)
        full = {**spec, "bridge": True}
        return await self._execute("start", full, timeout or START_SECONDS)

    async def run_shell(
        self, script: str, stdin: bytes = b"", timeout: float = COMMAND_SECONDS
    ) -> str:
        """Run a POSIX shell script on the pod; its standard output.

        Raises
        ------
        LinkError
            If it fails, with its own words; `TransportError`, `NotConnected`.
        """
        return await self._in_time("sh", timeout, self._need().run_shell(script, stdin))

    def _need(self) -> Pool:
        if self._pool is None:
            self._raise()
        return self._pool

    async def _execute(self, command: str, spec: dict[str, Any], timeout: float) -> Bridge:
        work = self._need().execute(command, spec, self.pod.python)
        bridge = await self._in_time(command, timeout, work)
        if self._known.warn_of_noise(bridge.noise):
            self._update(warnings=self._known.warnings)
        return bridge

    async def _in_time(self, command: str, timeout: float, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(timeout):
                return await work
        except TimeoutError as e:
            raise TransportError(
                f"Pod {self.pod.name} did not answer to `{command}` within {timeout:g} s."
            ) from e

    # -- the machine

    async def _run(self, accept: str | None, resume: bool, before: set[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        clock = asyncio.create_task(self._clock.watch())
        error: RemoteGPUError
        try:
            await self._live(accept, resume)
        except RemoteGPUError as e:
            error = e
        except Exception:  # logged and shown: the daemon serves other pods
            log.exception("the link to %s", self.pod.name)
            error = RemoteGPUError(
                "The link broke because of a fault of ours: see `jupyter remote-gpu log`.",
                code="internal",
            )
        finally:
            clock.cancel()
            await asyncio.wait([clock])
        self._error = error
        state = PodState.HOST_KEY if isinstance(error, HostKeyUnknown) else PodState.FAILED
        key = error.details if isinstance(error, HostKeyUnknown | HostKeyChanged) else None
        self._set(state, error.message, code=error.code, host_key=key)

    async def _live(self, accept: str | None, established: bool) -> NoReturn:
        """Connect, and connect again, until an error needs the user."""
        while True:
            if established:
                first = await self._come_back()
            else:
                first = await self._connect(accept)
            began = time.monotonic()
            pool = Pool(first, lambda: self._connect(None))
            try:
                self._pool = pool
                try:
                    await self._prepare()
                    established = True
                    self._set(PodState.CONNECTED, warnings=self._known.warnings)
                    raise await self._attend(pool)
                except LinkError as e:
                    fault = pool.fault or e  # which of the two was seen first is chance
                    if not (established and may_pass(fault)):
                        raise fault from e
                self._pool = None
                self._clock.begin(time.monotonic() - began)
                self._set(PodState.RECONNECTING, fault.message, code=fault.code)
            finally:
                self._pool = None
                await pool.close()

    async def _come_back(self) -> asyncssh.SSHClientConnection:
        race = Race(
            self._clock,
            lambda: self._connect(None),
            lambda late: late.abort(),
            self._trying,
        )
        return await race.first()

    async def _connect(self, accept: str | None) -> asyncssh.SSHClientConnection:
        try:
            return await self._login.connect(accept)
        except RemoteGPUError as e:
            self._log.add(e.message)
            raise

    def _pin(self, line: str) -> None:
        hostkeys.pin(self.folder, self.pod.name, line)
        self._log.add("its host key was confirmed")
        self._known.forget()  # another machine than the one that was asked

    async def _prepare(self) -> None:
        if self._known.probe is None:
            self._set(PodState.PREPARING)
            await self._ask_probe()

    async def _ask_probe(self) -> None:
        answer = await self.run("probe", {"python": self.pod.python}, PROBE_SECONDS)
        await asyncio.to_thread(self._known.learn, answer)

    async def _attend(self, pool: Pool) -> RemoteGPUError:
        """Until the link is lost; meanwhile what is shown of the pod is kept fresh."""
        fresh = asyncio.create_task(self._refresh(pool))
        try:
            return await pool.lost()
        finally:
            fresh.cancel()
            await asyncio.wait([fresh])

    async def _refresh(self, pool: Pool) -> None:
        if not self._known.fresh:
            try:
                await self._ask_probe()
            except TransportError as e:
                self._log.add(e.message)
            except RemoteGPUError as e:
                # What was known of it is not true any more.
                self._log.add(e.message)
                self._known.doubt(e.message)
        while True:
            latency = steady(self.status.latency, pool.latency)
            self._update(latency=latency, warnings=self._known.warnings)
            await asyncio.sleep(1.0)

    def _awake(self) -> None:
        self._log.add("the laptop woke up")
        if self._pool is not None:
            self._pool.check_now()

    def _trying(self, error: RemoteGPUError | None, next_try: float | None) -> None:
        if error is not None:
            self._update(reason=error.message, code=error.code)
        elif next_try is not None and abs(next_try - (self.status.next_try or 0.0)) > 0.5:
            self._update(next_try=next_try)
