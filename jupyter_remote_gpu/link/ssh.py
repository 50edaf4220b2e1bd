"""One ssh connection: which keys are offered, which host key is taken, why it failed."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh

from ..errors import (
    HostKeyChanged,
    HostKeyUnknown,
    LinkError,
    RemoteGPUError,
    TransportError,
)
from ..pods.command import SSHTarget

KEEPALIVE_SECONDS = 5
KEEPALIVE_COUNT = 2
FIRST_SECONDS = 15.0
RETRY_SECONDS = 4.0
# aes128-gcm moves 500 MB/s where OpenSSH's first choice, chacha20, moves 395.
_CIPHERS = "^aes128-gcm@openssh.com"


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


class _Client(asyncssh.SSHClient):
    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self.refusal: RemoteGPUError | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        shown = key.get_fingerprint()
        line = key.export_public_key().decode("ascii").strip()
        if self._trust.pinned is not None:
            pinned = asyncssh.import_public_key(self._trust.pinned)
            if pinned == key:
                return True
            self.refusal = HostKeyChanged(
                f"The host key of {self._trust.alias} has changed: it was "
                f"{pinned.get_fingerprint()}, now it is {shown}. Either this is another machine "
                "at the same address (providers reuse them), or somebody is in between. If you "
                "made a new pod, remove this one and add it again: jupyter remote-gpu remove "
                f"{self._trust.alias}",
                details={"fingerprint": shown, "type": key.get_algorithm()},
            )
            return False
        if self._trust.accept == shown:
            self._trust.pin(line)
            return True
        wrong = ""
        if self._trust.accept:
            wrong = f" You confirmed {self._trust.accept}, which is not this key."
        self.refusal = HostKeyUnknown(
            f"First time here: is this the key of {self._trust.alias}? {shown}{wrong} Compare it "
            "with the one in the pod's log. Trusting it means that this machine will be able to "
            "act as you in JupyterLab.",
            details={"fingerprint": shown, "type": key.get_algorithm()},
        )
        return False


def _client_keys(target: SSHTarget, own_key: Path) -> list[Any]:
    """The keys to offer beside the agent's; an encrypted one is left to the agent."""
    keys: list[Any] = []
    if own_key.exists():
        keys.append(asyncssh.read_private_key(own_key))
    for name in target.identity_files:
        path = Path(name).expanduser()
        if not path.exists():
            raise LinkError(
                f"There is no key {name} on this machine: check the -i of the ssh command.",
                code="no-key",
            )
        try:
            keys.append(asyncssh.read_private_key(path))
        except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as e:
            if "assphrase" not in str(e) and "ncrypt" not in str(e):
                raise LinkError(f"{name} is not a private key: {e}", code="bad-key") from e
            if not os.environ.get("SSH_AUTH_SOCK"):
                raise LinkError(
                    f"The key {name} is protected by a passphrase, and no ssh-agent is running "
                    f"to ask for it. Run:  eval $(ssh-agent) && ssh-add {name}   and connect "
                    "from that terminal, or use a key without a passphrase.",
                    code="passphrase",
                ) from e
        except OSError as e:
            raise LinkError(f"The key {name} cannot be read: {e.strerror}", code="no-key") from e
    return keys


async def connect(
    target: SSHTarget, trust: Trust, own_key: Path, *, timeout: float
) -> asyncssh.SSHClientConnection:
    """Connect and authenticate within `timeout` seconds.

    Raises
    ------
    TransportError
        The network failed: trying again may help.
    LinkError
        Anything else, with what to do (also `HostKeyUnknown`, `HostKeyChanged`).
    """
    client = _Client(trust)
    options: dict[str, Any] = {
        "client_factory": lambda: client,
        "host_key_alias": trust.alias,
        "known_hosts": ([], [], []),  # nothing is trusted but what _Client says
        "encryption_algs": _CIPHERS,
        "preferred_auth": "publickey",
        "login_timeout": timeout,
        "connect_timeout": timeout,
        "keepalive_interval": KEEPALIVE_SECONDS,
        "keepalive_count_max": KEEPALIVE_COUNT,
    }
    keys = await asyncio.to_thread(_client_keys, target, own_key)
    if keys:
        options["client_keys"] = keys
    if target.port is not None:
        options["port"] = target.port
    if target.user is not None:
        options["username"] = target.user
    if target.jump is not None:
        options["tunnel"] = target.jump
    if trust.pinned is not None:
        algorithm = asyncssh.import_public_key(trust.pinned).get_algorithm()
        rsa = ["rsa-sha2-512", "rsa-sha2-256"]
        options["server_host_key_algs"] = rsa if algorithm == "ssh-rsa" else [algorithm]
    try:
        async with asyncio.timeout(timeout + 1):
            return await asyncssh.connect(target.host, **options)
    except (OSError, asyncssh.Error, ValueError) as e:
        raise client.refusal or explain(e, target) from e


def explain(error: Exception, target: SSHTarget) -> LinkError:
    """The sentence for what went wrong on the way to `target`."""
    where = target.address
    if isinstance(error, TimeoutError):
        return TransportError(f"{where} does not answer. Is the pod on, and is this its address?")
    if isinstance(error, socket.gaierror):
        return TransportError(f"The name {target.host} is not known: check it, and the network.")
    if isinstance(error, ConnectionRefusedError):
        return TransportError(
            f"{where} refuses connections: sshd is not running there (yet), or the port has "
            "changed, as RunPod's does at every start."
        )
    if isinstance(error, asyncssh.PermissionDenied):
        offered = ", ".join(target.identity_files) or "the keys of your agent and ~/.ssh"
        return LinkError(
            f"The pod refused your key ({offered}). Add its public half to the provider's SSH "
            "keys and restart the pod, or to ~/.ssh/authorized_keys there; and check the user "
            f"name{f' ({target.user})' if target.user else ''}.",
            code="key-refused",
        )
    text = str(error)
    if isinstance(error, asyncssh.DisconnectError):
        if "oo many authentication" in text:
            return LinkError(
                f"{where} says: too many authentication failures. Your agent holds more keys than "
                "it tries: name the right one with -i in the ssh command.",
                code="too-many-keys",
            )
        if isinstance(error, asyncssh.ProtocolError | asyncssh.ProtocolNotSupported):
            return LinkError(
                f"What answers at {where} is not an ssh server ({text}): check the port.",
                code="not-ssh",
            )
        if isinstance(error, asyncssh.KeyExchangeFailed):
            return LinkError(f"No common ssh algorithms with {where}: {text}", code="algorithms")
        return TransportError(
            f"{where} ended the connection at once ({text or 'no reason given'})."
        )
    if isinstance(error, OSError):
        words = os.strerror(error.errno) if error.errno else text
        if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN):
            return TransportError(f"{where} cannot be reached from here: {words}.")
        return TransportError(f"The connection to {where} failed: {words or text}.")
    return LinkError(f"ssh to {where} cannot be set up: {text}", code="ssh")
