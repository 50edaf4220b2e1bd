"""Which keys are shown to a pod, in which order, and which could not be."""

from __future__ import annotations

import asyncio
import base64
import errno
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from .blocking import OneAtATime

__all__ = ["Identities", "gather"]

_DEFAULTS = ("id_ed25519", "id_ecdsa", "id_rsa", "id_ed25519_sk", "id_ecdsa_sk")
AGENT_SECONDS = 2.0
_PASSING = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO, errno.ESTALE, errno.ETIMEDOUT}
"""Too much is open here, or the home folder's server is away."""
log = logging.getLogger(__name__)


@dataclass
class Identities:
    """The keys for one login.

    Attributes
    ----------
    pairs : list of asyncssh.SSHKeyPair
        In the order in which they are shown; OpenSSH's server takes six.
    shown : list of str
        What they are called, for people.
    public : dict of str to str
        Their public halves by these names, as ``authorized_keys`` has them.
    locked : list of str
        Keys with a passphrase that no agent holds.
    missing, bad : list of str
        Named with ``-i``, but not there; there, but no key.
    unread : str or None
        A key that could not be read now, and why; it may be readable later.
    silent : str or None
        The agent that does not answer, or is gone: the daemon outlives the login it began in.
    """

    pairs: list[asyncssh.SSHKeyPair] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    public: dict[str, str] = field(default_factory=dict)
    locked: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    unread: str | None = None
    silent: str | None = None
    _agent: asyncssh.SSHAgentClient | None = None

    def close(self) -> None:
        """Let go of the agent; not before the login is over."""
        if self._agent is not None:
            self._agent.close()

    def add(self, pair: asyncssh.SSHKeyPair, name: str) -> None:
        """Show this key too, unless it is shown already."""
        same = {(p.public_data, p.algorithm) for p in self.pairs}
        if (pair.public_data, pair.algorithm) not in same:
            self.pairs.append(pair)
            if name not in self.shown:
                self.shown.append(name)
                if b"-cert-" not in pair.key_algorithm:  # a certificate is no line of that file
                    self.public[name] = _line(pair)


async def gather(
    named: Sequence[str],
    own_key: Path,
    configured: Sequence[str] = (),
    *,
    only: bool = False,
    agent_path: str | None = None,
    blocking: OneAtATime | None = None,
) -> Identities:
    """Collect keys as OpenSSH's client does, but the named ones first.

    asyncssh would show the agent's keys first: with six of them the key that was named
    with ``-i`` would never have its turn.

    Parameters
    ----------
    named : sequence of str
        ``-i`` of the ssh command. One that is missing is passed over, as OpenSSH does:
        providers show ``-i ~/.ssh/id_ed25519`` to everybody.
    own_key : Path
        Our own key for the pod, if there is one.
    configured : sequence of str
        ``IdentityFile`` of ``~/.ssh/config``.
    only : bool
        ``IdentitiesOnly``: other keys of the agent are not shown.
    agent_path : str, optional
        Socket of the agent.
    blocking : OneAtATime, optional
        Where files are read: one may be a pipe, or on a server that is away.
    """
    found = Identities()
    files = [
        (str(own_key), "own"),
        *((n, "named") for n in named),
        *((n, "configured") for n in configured),
    ]
    defaults = [] if configured else [(f"~/.ssh/{name}", "default") for name in _DEFAULTS]
    try:
        held = await _held(found, agent_path)
        await (blocking or OneAtATime()).run(_read, found, files, defaults, held, only)
    except BaseException:
        found.close()
        raise
    return found


def _read(
    found: Identities,
    files: Sequence[tuple[str, str]],
    defaults: Sequence[tuple[str, str]],
    held: dict[bytes, asyncssh.SSHKeyPair],
    only: bool,
) -> None:
    """Take the key files, with the rest of the agent's keys before the last of them (blocks)."""
    for name, kind in files:
        _take(found, name, kind, held)
    if not only:
        for pair in held.values():
            found.add(pair, _agent_name(pair))
    for name, kind in defaults:
        _take(found, name, kind, held)


async def _held(found: Identities, agent_path: str | None) -> dict[bytes, asyncssh.SSHKeyPair]:
    """The agent's keys by their public halves; none if it is not there."""
    if not agent_path:
        return {}
    found._agent = asyncssh.SSHAgentClient(agent_path)
    try:
        async with asyncio.timeout(AGENT_SECONDS):
            pairs = await found._agent.get_keys()
    except (OSError, ValueError) as e:  # asyncssh's is a ValueError where nobody listens
        log.info("the ssh agent at %s does not answer: %s", agent_path, e)
        found.silent = agent_path
        return {}
    return {pair.public_data: pair for pair in pairs}


def _line(pair: asyncssh.SSHKeyPair) -> str:
    comment = (pair.get_comment_bytes() or b"").decode("utf-8", "replace").split()
    blob = base64.b64encode(pair.key_public_data).decode("ascii")
    return " ".join([pair.key_algorithm.decode("ascii"), blob, *comment])


def _agent_name(pair: asyncssh.SSHKeyPair) -> str:
    comment = pair.get_comment_bytes() or b""
    return f"the agent's {comment.decode('utf-8', 'replace') or 'key'}"


def _take(found: Identities, name: str, kind: str, held: dict[bytes, asyncssh.SSHKeyPair]) -> None:
    # Of a user that does not exist it stays "~nobody", at which pathlib's and asyncssh's raise.
    path = Path("/", os.path.expanduser(name))
    public = _public(path)
    agents = [held[p] for p in public if p in held]
    try:
        for pair in asyncssh.load_keypairs(str(path)):
            found.add(pair, "our own key for this pod" if kind == "own" else name)
        return
    except FileNotFoundError:
        problem = found.missing if kind == "named" else None
    except OSError as e:
        log.info("the key %s cannot be read: %s", name, e.strerror)
        problem = found.bad if kind == "named" else None
        if e.errno in _PASSING:
            found.unread, problem = f"{name} ({e.strerror})", None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as e:
        if "assphrase" in str(e) or "ncrypt" in str(e):
            problem = found.locked
        else:
            # The agent's half of a key is often named by its public file.
            problem = found.bad if kind == "named" and not public else None
    for pair in agents:
        found.add(pair, name)
    if problem is not None and not agents:
        problem.append(name)


def _public(path: Path) -> list[bytes]:
    """The public halves that lie at `path` or beside it: how the agent knows the key."""
    found = []
    for candidate in (path, path.with_name(path.name + ".pub")):
        try:
            found.append(asyncssh.read_public_key(candidate).public_data)
        except (OSError, asyncssh.KeyImportError, ValueError):
            continue  # not there, or the private half only
    return found


def agent_socket(setting: object) -> str | None:
    """Where the agent is, by ``IdentityAgent`` of ``~/.ssh/config`` (unset: ``()``)."""
    if setting == () or setting == "SSH_AUTH_SOCK":
        return os.environ.get("SSH_AUTH_SOCK")
    if setting is None:
        return None
    text = str(setting)
    if text.startswith("$"):
        return os.environ.get(text[1:].strip("{}"))
    return os.path.expanduser(text)
