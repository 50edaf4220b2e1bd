"""The state machine of one pod's link: connect, notice the loss, come back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncssh

from ..errors import (
    HostKeyChanged,
    HostKeyUnknown,
    LinkError,
    NotConnected,
    RemoteGPUError,
    TransportError,
)
from ..models import PodState
from ..pods import hostkeys
from ..pods.registry import Pod
from . import retrying, ssh
from .connections import Bridge, Pool
from .known import KnownPod

LOG_LINES = 500
PROBE_SECONDS = 60.0
COMMAND_SECONDS = 30.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LinkStatus:
    """Where the link stands; fields as in `PodInfo`."""

    state: PodState = PodState.DISCONNECTED
    reason: str | None = None
    code: str | None = None
    since: float = 0.0
    latency: float | None = None
    next_try: float | None = None
    host_key: dict[str, Any] | None = None
    warnings: tuple[str, ...] = field(default=())


class PodLink:
    """The link to one pod.

    Parameters
    ----------
    pod : Pod
    folder : Path
        The state folder (host keys, own keys and what a probe said lie below it).
    on_change : callable
        Called after each change of `status`.
    busy : callable
        Whether something waits for the link: then it is tried more often.

    Attributes
    ----------
    status : LinkStatus
    probe : dict or None
        What the pod's `probe` said, perhaps at an earlier connect.
    log_lines : deque of str
        What happened, newest last; no secrets.
    """

    def __init__(
        self,
        pod: Pod,
        *,
        folder: Path,
        on_change: Callable[[], None],
        busy: Callable[[], bool],
    ) -> None:
        self.pod = pod
        self.folder = folder
        self.status = LinkStatus(since=time.time())
        self.log_lines: deque[str] = deque(maxlen=LOG_LINES)
        self._known = KnownPod(folder, pod)
        self._on_change = on_change
        self._busy = busy
        self._pool: Pool | None = None
        self._task: asyncio.Task[None] | None = None
        self._settled = asyncio.Event()
        self._retry = retrying.Clock(self._awake)

    @property
    def probe(self) -> dict[str, Any] | None:
        return self._known.probe

    # -- what the user wants

    def connect(self, accept_host_key: str | None = None, *, resume: bool = False) -> None:
        """Begin to connect.

        Parameters
        ----------
        accept_host_key : str, optional
            The fingerprint of a new host key that the user confirmed.
        resume : bool
            The pod was connected before (by an earlier daemon): a network that is not
            there yet is waited for.
        """
        if self._task is not None and not self._task.done():
            if self.status.state in (PodState.CONNECTED, PodState.PREPARING):
                return
            self._retry.now()
            return
        self._set(PodState.CONNECTING)
        self._task = asyncio.create_task(self._run(accept_host_key, resume))

    async def disconnect(self) -> None:
        """Let go of the pod; what runs there runs on."""
        await self._cancel()
        self._set(PodState.DISCONNECTED)

    def retry_now(self) -> None:
        """Try again at once ("Try now")."""
        self._retry.now()

    async def close(self) -> None:
        """As `disconnect`, for the end of the daemon."""
        await self._cancel()

    async def _cancel(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def wait_connected(self, timeout: float) -> None:
        """Wait while the pod is on its way.

        Raises
        ------
        LinkError
            If it is not connected within `timeout` seconds, or will not be by itself.
        """
        async with asyncio.timeout(timeout):
            while self.status.state is not PodState.CONNECTED:
                if self.status.state in (
                    PodState.FAILED,
                    PodState.HOST_KEY,
                    PodState.DISCONNECTED,
                ):
                    reason = self.status.reason or f"{self.pod.name} is not connected."
                    raise NotConnected(reason, code=self.status.code)
                self._settled.clear()
                await self._settled.wait()

    # -- what is asked of the pod

    async def run(
        self, command: str, spec: dict[str, Any], timeout: float = COMMAND_SECONDS
    ) -> dict[str, Any]:
        """Run a pod command; its answer.

        Raises
        ------
        RemoteGPUError
            The command's own error, or `TransportError`.
        """
        bridge = await self._execute(command, spec, timeout)
        await bridge.close()
        return bridge.info

    async def open_bridge(
        self, spec: dict[str, Any] | None = None, timeout: float = COMMAND_SECONDS
    ) -> Bridge:
        """A stream to a service on the pod; with `spec`, a kernel is started on the way."""
        if spec is None:
            return await self._execute("bridge", {}, timeout)
        return await self._execute("start", {**spec, "bridge": True}, timeout)

    async def run_shell(self, script: str, stdin: bytes = b"", timeout: float = 30.0) -> str:
        """Run a POSIX shell script on the pod; its standard output."""
        pool = self._need()
        import base64

        text = base64.b64encode(script.encode()).decode("ascii")
        line = f'exec sh -c \'eval "$(printf %s "$1" | base64 -d)"\' jrg {text}'
        try:
            async with asyncio.timeout(timeout):
                done = await pool.connections[0].ssh.run(line, input=stdin, encoding=None)
        except TimeoutError as e:
            raise TransportError("The pod did not answer in time.") from e
        except (asyncssh.Error, OSError) as e:
            raise TransportError(f"The link to the pod was lost ({e}).") from e
        if done.exit_status != 0:
            words = _text(done.stderr).strip()
            raise LinkError(f"A command on the pod failed: {words}", code="command")
        return _text(done.stdout)

    def _need(self) -> Pool:
        if self._pool is None:
            raise NotConnected(self.status.reason or f"{self.pod.name} is not connected.")
        return self._pool

    async def _execute(self, command: str, spec: dict[str, Any], timeout: float) -> Bridge:
        pool = self._need()
        try:
            async with asyncio.timeout(timeout):
                bridge = await pool.execute(command, spec, self.pod.python)
        except TimeoutError as e:
            raise TransportError(f"The pod did not answer to {command} in time.") from e
        if bridge.noise.strip():
            self._warn_of_noise(bridge.noise)
        return bridge

    # -- the machine

    async def _run(self, accept: str | None, resume: bool) -> None:
        established = resume
        clock = asyncio.create_task(self._retry.watch())
        try:
            while True:
                pool = await self._establish(accept, established)
                accept = None
                try:
                    self._pool = pool
                    await self._prepare()
                    established = True
                    self._set(PodState.CONNECTED, warnings=self._known.warnings)
                    reason = await self._watch(pool)
                finally:
                    self._pool = None
                    await pool.close()
                self._set(PodState.RECONNECTING, reason, code="transport")
        except RemoteGPUError as e:
            state = PodState.HOST_KEY if isinstance(e, HostKeyUnknown) else PodState.FAILED
            key = e.details if isinstance(e, HostKeyUnknown | HostKeyChanged) else None
            self._set(state, e.message, code=e.code, host_key=key)
        except asyncio.CancelledError:
            raise
        except Exception:  # logged and shown: the daemon serves other pods
            log.exception("the link to %s", self.pod.name)
            self._set(
                PodState.FAILED,
                "The link broke because of a fault of ours: see  jupyter remote-gpu log",
                code="internal",
            )
        finally:
            clock.cancel()
            await asyncio.wait([clock])

    async def _establish(self, accept: str | None, established: bool) -> Pool:
        if not established:
            first = await self._connect(accept, ssh.FIRST_SECONDS)
        else:
            self._set(PodState.RECONNECTING, self.status.reason, code="transport")
            first = await self._retry.race(
                lambda: self._connect(None, ssh.RETRY_SECONDS), self._busy, self._trying
            )
        return Pool(first, lambda: self._connect(None, ssh.FIRST_SECONDS))

    async def _connect(self, accept: str | None, timeout: float) -> asyncssh.SSHClientConnection:
        name = self.pod.name
        trust = ssh.Trust(
            alias=name,
            pinned=hostkeys.pinned(self.folder, name),
            accept=accept,
            pin=lambda line: hostkeys.pin(self.folder, name, line),
        )
        own_key = self.folder / "keys" / name
        try:
            return await ssh.connect(self.pod.target, trust, own_key, timeout=timeout)
        except RemoteGPUError as e:
            self._log(e.message)
            raise

    async def _prepare(self) -> None:
        if self._known.probe is None:
            self._set(PodState.PREPARING)
            await self._ask_probe()

    async def _ask_probe(self) -> None:
        answer = await self.run("probe", {"python": self.pod.python}, PROBE_SECONDS)
        await asyncio.to_thread(self._known.learn, answer)

    async def _watch(self, pool: Pool) -> str:
        """Until the link is lost; meanwhile what is known of the pod is kept fresh."""
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
            except RemoteGPUError as e:
                # What was known may be wrong by now: the next connect asks first.
                self._log(e.message)
                self._known.forget()
        while True:
            latency = pool.latency
            if latency != self.status.latency or self._known.warnings != self.status.warnings:
                self.status = replace(self.status, latency=latency, warnings=self._known.warnings)
                self._on_change()
            await asyncio.sleep(1.0)

    def _awake(self) -> None:
        """The laptop was asleep: is the link still there?"""
        if self._pool is not None:
            for connection in self._pool.connections:
                connection.check_now()

    def _trying(self, error: RemoteGPUError | None, next_try: float | None) -> None:
        reason = self.status.reason if error is None else error.message
        self.status = replace(self.status, next_try=next_try, reason=reason)
        self._on_change()

    def _warn_of_noise(self, noise: str) -> None:
        shown = noise.strip()[:80]
        if self._known.warn(
            f"The pod's login shell prints text ({shown!r}) for every command. Cells run all the "
            "same, but file sync and scp will fail until it prints only in interactive shells."
        ):
            self.status = replace(self.status, warnings=self._known.warnings)
            self._on_change()

    def _set(
        self,
        state: PodState,
        reason: str | None = None,
        *,
        code: str | None = None,
        host_key: dict[str, Any] | None = None,
        warnings: tuple[str, ...] = (),
    ) -> None:
        since = self.status.since if state is self.status.state else time.time()
        if state is not self.status.state:
            self._log(f"{state}" + (f": {reason}" if reason else ""))
        self.status = LinkStatus(
            state=state, reason=reason, code=code, since=since, host_key=host_key, warnings=warnings
        )
        self._settled.set()
        self._on_change()

    def _log(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self.log_lines.append(f"{stamp} {text}")
        log.info("%s: %s", self.pod.name, text)


def _text(output: bytes | str | None) -> str:
    return output.decode("utf-8", "replace") if isinstance(output, bytes) else output or ""
