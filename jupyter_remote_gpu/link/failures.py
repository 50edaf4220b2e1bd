"""What went wrong on the way to a pod, in one sentence, and whether trying again may help."""

from __future__ import annotations

import errno
import os
import re
import socket
from dataclasses import dataclass

import asyncssh

from ..errors import LinkError, RemoteGPUError, TransportError
from ..pods.command import SSHTarget
from .identities import Identities

__all__ = ["Attempt", "explain", "explain_jump"]

MAX_KEYS = 20
_NEW_AGENT = (
    "If your key is in an agent: run `jupyter remote-gpu daemon stop` in a terminal in which "
    "`ssh-add -l` shows it, and connect again from there."
)


@dataclass
class Attempt:
    """How far a login came.

    Attributes
    ----------
    where : str
        ``user@host:port`` after ``~/.ssh/config``.
    jump : str
        The jump hosts, while they are passed.
    program : str
        What ProxyCommand in ``~/.ssh/config`` runs.
    reached : bool
        A connection was made (by TCP, a jump host or a ProxyCommand).
    greeting : bytes
        The first bytes that came.
    reading : str
        What is being read on this laptop.
    """

    target: SSHTarget
    where: str = ""
    jump: str = ""
    program: str = ""
    reached: bool = False
    greeting: bytes = b""
    reading: str = ""
    identities: Identities | None = None


def explain(error: Exception, attempt: Attempt) -> RemoteGPUError:
    """The sentence for `error`; a `TransportError` if trying again may help."""
    where = attempt.where or attempt.target.address
    if isinstance(error, asyncssh.ConfigParseError):
        return LinkError(f"Your ~/.ssh/config cannot be read: {error}.", code="ssh-config")
    if not _may_be_ssh(attempt.greeting):
        return _not_ssh(where, attempt.greeting)
    if isinstance(error, TimeoutError):
        return _silent(where, attempt)
    if isinstance(error, socket.gaierror):
        return TransportError(
            f"The name {attempt.target.host} is not known. Check it for a typing error, and "
            "whether this laptop is online.",
            code="unknown-host",
        )
    if isinstance(error, asyncssh.ChannelOpenError):
        return TransportError(
            f"The jump host {attempt.target.jump or ''} cannot reach {where}: {error.reason}. Is "
            "the pod on, and is this its address?",
            code="unreachable",
        )
    if isinstance(error, asyncssh.DisconnectError):
        return _disconnected(error, where, attempt)
    if isinstance(error, ConnectionResetError | BrokenPipeError) and attempt.reached:
        if not attempt.greeting:
            return _closed(where)
        return TransportError(f"{where} ended the connection during the login.")
    if isinstance(error, OSError):
        if attempt.program and error.filename == attempt.program:
            return _no_program(error, where)
        return _unreachable(error, where, attempt.target.host)
    return LinkError(f"ssh to {where} cannot be set up: {error}.", code="ssh")


def explain_jump(error: Exception, hop: str) -> RemoteGPUError:
    """The sentence for a jump host that could not be passed."""
    if isinstance(error, ValueError):
        return LinkError(
            f"{hop!r:.80} is no jump host: [user@]host[:port] is. Mend ProxyJump in ~/.ssh/config, "
            "then connect again.",
            code="jump-host",
        )
    if isinstance(error, asyncssh.HostKeyNotVerifiable):
        return LinkError(
            f"The jump host {hop} shows a host key that your ~/.ssh/known_hosts does not have. "
            f"Run `ssh {hop}` once in a terminal and confirm it there.",
            code="jump-host-key",
        )
    if isinstance(error, asyncssh.PermissionDenied):
        return LinkError(
            f"The jump host {hop} refused your keys. See whether `ssh {hop}` gets in; a key for it "
            "is named in ~/.ssh/config, not with -i.",
            code="jump-refused",
        )
    return TransportError(
        f"The jump host {hop} cannot be reached: {_reason(error)}.", code="unreachable"
    )


def _silent(where: str, attempt: Attempt) -> TransportError:
    if attempt.reading:
        return TransportError(
            f"On this laptop {attempt.reading} cannot be read in time. Until that has ended "
            f"{where} cannot be reached.",
            code="local",
        )
    if attempt.jump:
        text = f"The jump host {attempt.jump} does not answer. Is it on, and is this its address?"
    elif not attempt.reached:
        text = f"{where} does not answer. Is the pod on, and is this its address?"
    elif not attempt.greeting:
        text = (
            f"{where} takes connections but says nothing: is this the port of its ssh server, and "
            "is the pod awake?"
        )
    else:
        text = f"{where} stopped answering in the middle of the login."
    return TransportError(text, code="timeout")


def _no_program(error: OSError, where: str) -> TransportError:
    """To be tried again: it may be missing only while it is being updated."""
    return TransportError(
        f"The way to {where} is the program {error.filename}, which cannot be run: "
        f"{_reason(error)}. Install it, or mend the ProxyCommand in ~/.ssh/config.",
        code="ssh-config",
    )


def _unreachable(error: OSError, where: str, host: str) -> TransportError:
    numbers = {error.errno} | {int(n) for n in re.findall(r"\[Errno (\d+)\]", str(error))}
    if errno.ECONNREFUSED in numbers and host in ("127.0.0.1", "localhost"):
        return TransportError(
            f"{where} refuses connections: nothing listens at this port of this machine. If it is "
            "the demo pod, switch it on: `jupyter remote-gpu demo`.",
            code="refused",
        )
    if errno.ECONNREFUSED in numbers:
        return TransportError(
            f"{where} refuses connections: its ssh server is not running (yet), or the port has "
            "changed, as RunPod's does at every start.",
            code="refused",
        )
    if numbers & {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}:
        return TransportError(
            f"{where} cannot be reached from here: {_reason(error)}. Is this laptop online?",
            code="unreachable",
        )
    return TransportError(f"The connection to {where} failed: {_reason(error)}.")


def _disconnected(error: asyncssh.DisconnectError, where: str, attempt: Attempt) -> RemoteGPUError:
    if isinstance(error, asyncssh.PermissionDenied):
        return _refused(where, attempt)
    if "oo many authentication" in error.reason:
        return LinkError(
            f"{where} ended the login after too many keys (too many authentication failures). "
            "Name the right one with -i in the ssh command, or with IdentityFile and "
            "IdentitiesOnly in ~/.ssh/config.",
            code="too-many-keys",
        )
    if isinstance(error, asyncssh.KeyExchangeFailed):
        return LinkError(
            f"{where} and this laptop have no ssh algorithm in common ({error.reason}): the ssh "
            "server there is very old or very strict.",
            code="algorithms",
        )
    if isinstance(error, asyncssh.ProtocolNotSupported):
        return LinkError(f"{where} speaks another version of ssh: {error.reason}.", code="not-ssh")
    if not attempt.greeting:
        return _closed(where)
    return TransportError(f"{where} ended the connection during the login: {error.reason}.")


def _closed(where: str) -> TransportError:
    return TransportError(
        f"{where} closes connections at once, before a word. Its ssh server may just be starting, "
        "or it does not take connections from here.",
        code="closed",
    )


def _may_be_ssh(greeting: bytes) -> bool:
    """Whether so much may be the beginning of what an ssh server says; it can be cut anywhere."""
    return b"SSH-" in greeting or b"SSH-".startswith(greeting.strip())


def _not_ssh(where: str, greeting: bytes) -> TransportError:
    """To be tried again: where a pod was found, this is a sign-in page of the laptop's network,
    or a provider's proxy while the pod starts. A first connect is not repeated anyway."""
    if greeting.startswith((b"Exceeded MaxStartups", b"Not allowed at this time")):
        return TransportError(
            f"{where} has had too many logins from here in short time and takes no more for some "
            "minutes. Wait, then try again.",
            code="penalised",
        )
    if greeting.startswith(b"HTTP/") or b"<html" in greeting.lower():
        return TransportError(
            f"{where} is the port of a web server (it speaks HTTP), not of ssh. Take the ssh "
            "command from the provider's page; JupyterLab's port is another one. If it was right "
            "before, the pod is still starting, or the network here wants you to sign in first.",
            code="not-ssh",
        )
    shown = greeting[:60].decode("utf-8", "replace").split("\n")[0].strip()
    return TransportError(
        f"What answers at {where} is not an ssh server (it says {shown!r}): check the port.",
        code="not-ssh",
    )


def _refused(where: str, attempt: Attempt) -> LinkError:
    keys = attempt.identities or Identities()
    if keys.unread is not None:
        return TransportError(
            f"{where} refused your keys, but one could not be read on this laptop: {keys.unread}.",
            code="local",
        )
    named = [n for n in keys.locked if n in attempt.target.identity_files]
    if named or (keys.locked and not keys.pairs):
        key = (named or keys.locked)[0]
        return LinkError(
            f"The key {key} has a passphrase, and no ssh agent holds it. In a terminal run "
            f"`ssh-add {key}`, then `jupyter remote-gpu daemon stop`, and connect again from that "
            "terminal.",
            code="passphrase",
        )
    notes = [f"there is no {name} on this laptop" for name in keys.missing]
    notes += [f"{name} is not a private key" for name in keys.bad]
    if keys.silent is not None:
        notes.append(f"the ssh agent at {keys.silent} does not answer")
    aside = f" ({'; '.join(notes)})" if notes else ""
    if not keys.pairs:
        if keys.silent is not None:
            return LinkError(
                f"There is no ssh key to show to {where}{aside}. {_NEW_AGENT}", code="no-key"
            )
        return LinkError(
            f"There is no ssh key to show to {where}{aside}. Make one with `ssh-keygen -t ed25519` "
            "and add ~/.ssh/id_ed25519.pub to the SSH keys at your provider; most then need the "
            "pod to be started anew.",
            code="no-key",
        )
    agent = f" {_NEW_AGENT} Or add" if keys.silent is not None else " Add"
    return LinkError(
        f"{where} refused your keys; shown were {', '.join(keys.shown)}{aside}.{agent} the public "
        "half (.pub) of one to ~/.ssh/authorized_keys there, or to the SSH keys at your provider "
        "and start the pod anew; and check the user's name.",
        code="key-refused",
        details={
            "keys": [{"name": n, "public": line} for n, line in keys.public.items()][:MAX_KEYS]
        },
    )


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    if isinstance(error, asyncssh.Error):
        return error.reason.rstrip(".")
    return str(error).rstrip(".") or type(error).__name__
