"""One ssh connection to a pod: its way, its host key, its login."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import asyncssh

from ..errors import HostKeyChanged, HostKeyUnknown, RemoteGPUError
from ..pods.command import SSHTarget
from ..pods.endpoint import check_host, split_endpoint
from .blocking import OneAtATime
from .failures import Attempt, explain, explain_jump
from .identities import Identities, agent_socket, gather

__all__ = ["LOGIN_SECONDS", "Trust", "connect"]

KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 2
LOGIN_SECONDS = 13.0
"""A busy pod, a jump host, a key that wants to be touched: a good login may take long."""
_GREETING = 256
# aes128-gcm moves 500 MB/s where OpenSSH's first choice, chacha20, moves 395.
_CIPHERS = "^aes128-gcm@openssh.com"
# Never certificates: what is pinned is a key, and the user compares a key.
_HOST_KEYS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trust:
    """What is known of a pod's host key.

    Attributes
    ----------
    alias : str
        The pod's name: providers reuse addresses, so a key is pinned to the pod.
    pinned : str or None
        The pinned key as an OpenSSH public key line.
    accept : str or None
        A fingerprint that the user has just confirmed.
    pin : callable
        Called with the key that was confirmed so.
    """

    alias: str
    pinned: str | None
    accept: str | None
    pin: Callable[[str], None]

    def judge(self, key: asyncssh.SSHKey) -> RemoteGPUError | None:
        """Why `key` is not trusted; None if it is. One that was confirmed is pinned."""
        shown = key.get_fingerprint()
        details = {"fingerprint": shown, "type": key.get_algorithm()}
        if self.pinned is not None:
            pinned = asyncssh.import_public_key(self.pinned)
            if pinned == key:
                return None
            return HostKeyChanged(
                f"The host key of {self.alias} has changed: it was {pinned.get_fingerprint()}, "
                f"now it is {shown}. Either this is another machine at the same address "
                "(providers reuse them), or somebody is in between. If you made a new pod, remove "
                f"this one and add it again: jupyter remote-gpu remove {self.alias}",
                details=details,
            )
        if self.accept == shown:
            self.pin(key.export_public_key().decode("ascii").strip())
            return None
        wrong = ""
        if self.accept:
            wrong = f" You confirmed {self.accept:.80}, which is not this key."
        return HostKeyUnknown(
            f"First time here: is this the key of {self.alias}? {shown}{wrong} Compare it with the "
            "one in the pod's log. Trusting it means that this machine will be able to act as you "
            "in JupyterLab.",
            details=details,
        )

    def algorithms(self) -> list[str]:
        """Host key algorithms, the pinned key's first: a server with several then shows that."""
        if self.pinned is None:
            return list(_HOST_KEYS)
        kind = asyncssh.import_public_key(self.pinned).get_algorithm()
        first = ["rsa-sha2-512", "rsa-sha2-256"] if kind == "ssh-rsa" else [kind]
        return list(dict.fromkeys([*first, *_HOST_KEYS]))


class _Client(asyncssh.SSHClient):
    """Judges the host key, and remembers what came first, to tell a web server from ssh."""

    def __init__(self, trust: Trust, attempt: Attempt) -> None:
        self._trust = trust
        self._attempt = attempt
        self.refusal: RemoteGPUError | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        attempt, take = self._attempt, conn.data_received
        attempt.reached = True

        def listen(data: bytes, datatype: int | None = None) -> None:
            attempt.greeting += data[: _GREETING - len(attempt.greeting)]
            if len(attempt.greeting) >= _GREETING:
                conn.data_received = take  # type: ignore[method-assign]
            take(data, datatype)

        conn.data_received = listen  # type: ignore[method-assign]

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        self.refusal = self._trust.judge(key)
        return self.refusal is None


async def connect(
    target: SSHTarget,
    trust: Trust,
    own_key: Path,
    *,
    timeout: float,
    only: Identities | None = None,
    blocking: OneAtATime | None = None,
) -> asyncssh.SSHClientConnection:
    """Connect and log in within `timeout` seconds.

    Parameters
    ----------
    blocking : OneAtATime, optional
        What blocks is done there.
    only : Identities, optional
        To be shown instead of all that are found: to see whether they are let in.

    Raises
    ------
    TransportError
        The network failed: trying again may help.
    RemoteGPUError
        Anything else, with what to do (also `HostKeyUnknown`, `HostKeyChanged`).
    """
    attempt = Attempt(target)
    client = _Client(trust, attempt)
    blocking = blocking or OneAtATime()
    tunnel: asyncssh.SSHClientConnection | None = None
    try:
        async with asyncio.timeout(timeout):
            attempt.reading = "~/.ssh/config (a program that it runs may hang)"
            options = await blocking.run(_options, target, client, trust)
            attempt.reading = ""
            check_host(options.host)  # an alias may lead to RunPod's proxy
            attempt.where = f"{options.username}@{options.host}:{options.port}"
            attempt.program = next(iter(options.proxy_command or ()), "")
            jump = target.jump or options.tunnel
            if isinstance(jump, str) and jump:
                attempt.jump = jump
                tunnel = await _jump(jump, timeout)
                attempt.jump = ""
            conn = await _login(options, attempt, own_key, tunnel, only, blocking)
            conn.set_tunnel(tunnel)  # which then ends with it
            return conn
    except BaseException as e:
        if tunnel is not None:
            tunnel.abort()
        if client.refusal is not None and isinstance(e, asyncssh.Error):
            raise client.refusal from e
        if isinstance(e, OSError | asyncssh.Error | ValueError):
            raise explain(e, attempt) from e
        raise


def _options(
    target: SSHTarget, client: _Client, trust: Trust
) -> asyncssh.SSHClientConnectionOptions:
    """Our settings above ``~/.ssh/config`` (blocks: a ``Match exec`` there runs a program)."""
    given: dict[str, Any] = {}
    if target.port is not None:
        given["port"] = target.port
    if target.user is not None:
        given["username"] = target.user
    if target.jump is not None:
        given["tunnel"] = target.jump
    return asyncssh.SSHClientConnectionOptions(
        host=target.host,
        config=(),  # the user's own; by default none is read here
        client_factory=lambda: client,
        host_key_alias=trust.alias,
        known_hosts=([], [], []),  # nothing is trusted but what _Client says
        server_host_key_algs=trust.algorithms(),
        encryption_algs=_CIPHERS,
        preferred_auth="publickey",
        client_keys=None,  # see identities
        gss_kex=False,  # a key exchange without a host key
        gss_auth=False,
        agent_forwarding=False,  # the pod is rented: it shall not use the user's keys
        x11_forwarding=False,
        request_pty=False,
        login_timeout=0,  # ours counts everything
        connect_timeout=None,
        keepalive_interval=KEEPALIVE_SECONDS,
        keepalive_count_max=KEEPALIVE_COUNT,
        **given,
    )


async def _login(
    options: asyncssh.SSHClientConnectionOptions,
    attempt: Attempt,
    own_key: Path,
    tunnel: asyncssh.SSHClientConnection | None,
    only: Identities | None,
    blocking: OneAtATime,
) -> asyncssh.SSHClientConnection:
    config = options.config
    attempt.reading = "the key files (a home folder may be on a server that is away)"
    keys = attempt.identities = only or await gather(
        attempt.target.identity_files,
        own_key,
        cast("list[str]", config.get("IdentityFile") or []),
        only=bool(config.get("IdentitiesOnly")),
        agent_path=agent_socket(config.get("IdentityAgent", ())),
        blocking=blocking,
    )
    attempt.reading = ""
    try:
        return await asyncssh.connect(
            attempt.target.host,
            options=options,
            client_keys=keys.pairs or None,
            agent_path=None,
            **({} if tunnel is None else {"tunnel": tunnel}),
        )
    finally:
        keys.close()


async def _jump(hops: str, timeout: float) -> asyncssh.SSHClientConnection:
    """Log in to the jump hosts one after the other; their host keys are the user's own matter."""
    last: asyncssh.SSHClientConnection | None = None
    for hop in hops.split(","):
        try:
            user, host, port = split_endpoint(hop.strip())
            given: dict[str, Any] = {"username": user} if user else {}
            if port is not None:
                given["port"] = int(port)
            if last is not None:
                given["tunnel"] = last
            conn = await asyncssh.connect(
                host,
                agent_forwarding=False,
                login_timeout=timeout,
                keepalive_interval=KEEPALIVE_SECONDS,
                keepalive_count_max=KEEPALIVE_COUNT,
                **given,
            )
        except BaseException as e:
            if last is not None:
                last.abort()
            if isinstance(e, OSError | asyncssh.Error | ValueError):
                raise explain_jump(e, hop) from e
            raise
        conn.set_tunnel(last)
        last = conn
    assert last is not None
    return last
