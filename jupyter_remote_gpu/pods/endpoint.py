"""The parts of an address, each checked: they reach the user's ProxyCommand as ``%h %r %p``."""

from __future__ import annotations

import ipaddress
import re

from ..errors import BadInput

__all__ = [
    "check_hop",
    "check_host",
    "check_identity",
    "check_port",
    "check_user",
    "split_endpoint",
]

_HOST = re.compile(r"[A-Za-z0-9._:][A-Za-z0-9._:-]{0,252}\Z")
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,63}\Z")
_RUNPOD = "ssh.runpod.io"


def split_endpoint(text: str) -> tuple[str | None, str, str | None]:
    """``[user@]host[:port]`` in its parts, not yet checked; IPv6 with a port in brackets.

    With ``ssh://`` in front it is the same to OpenSSH, also as a ``ProxyJump``.
    """
    user, at, place = text.removeprefix("ssh://").rpartition("@")
    host, port = place, None
    if place.startswith("[") and "]" in place:
        host, _, behind = place[1:].partition("]")
        if behind:
            if not behind.startswith(":"):
                raise BadInput(f"{place!r:.80} is not an address: [address]:port is.")
            port = behind[1:]
    elif place.count(":") == 1:
        host, _, port = place.partition(":")
    return (user if at else None), host, port


def check_host(host: str) -> str:
    """Return `host` if it is a name, an address or an alias.

    Raises
    ------
    BadInput
    """
    if host.lower().rstrip(".") == _RUNPOD:
        raise BadInput(
            "This is RunPod's proxy (ssh.runpod.io): it gives a terminal and runs no commands, so "
            "no cell can run through it. On the pod's page, under Connect, copy the other command, "
            "'SSH over exposed TCP' (ssh root@<address> -p <port> …). If it is not shown, the pod "
            "was made without TCP port 22 exposed: edit the pod and add it.",
            code="runpod-proxy",
        )
    _plain(host, "host")
    if not host:
        raise BadInput("The host of the ssh command is empty: paste it as the provider shows it.")
    if not _HOST.match(host):
        raise BadInput(
            f"{host!r:.80} is not a host: give a name, an address or an alias of ~/.ssh/config, of "
            "at most 253 letters, digits, '.', '_' and '-'."
        )
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            raise BadInput(f"{host!r:.80} is neither host:port nor an IPv6 address.") from None
    return host


def check_user(user: str) -> str:
    """Return `user` if it can be a user's name on the pod.

    Raises
    ------
    BadInput
    """
    _plain(user, "user")
    if ":" in user:
        # Not quoted: what stands behind the colon is a password.
        raise BadInput(
            "The user of the ssh command has a ':' in it. If that is a password: it is not taken, "
            "only keys are. Give user@host."
        )
    if not _USER.match(user):
        raise BadInput(
            f"{user!r:.80} is not a user's name: 1 to 64 letters, digits, '.', '_' and '-' are."
        )
    return user


def check_port(port: str | int) -> int:
    """Return `port` as a number from 1 to 65535.

    Raises
    ------
    BadInput
    """
    text = str(port)
    good = not isinstance(port, bool) and text.isascii() and text.isdigit() and len(text) <= 5
    if not good or not 1 <= int(text) <= 65535:
        raise BadInput(f"{text!r:.40} is not a port: a number from 1 to 65535 is.")
    return int(text)


def check_hop(hop: str) -> str:
    """Return `hop` if it is a jump host, ``[user@]host[:port]``.

    Raises
    ------
    BadInput
    """
    user, host, port = split_endpoint(hop)
    check_host(host)
    if host.lower() == "none":
        raise BadInput("-J none is not taken: leave -J out.")
    if ":" in host:
        raise BadInput(
            f"The jump host {host!r:.60} is an IPv6 address, which cannot be given with -J: make "
            "an alias for it in ~/.ssh/config."
        )
    if user is not None:
        check_user(user)
    if port is not None:
        check_port(port)
    return hop


def check_identity(path: str) -> str:
    """Return `path` if it can name a key on this machine, whatever the daemon's folder is.

    Raises
    ------
    BadInput
    """
    if not path.isprintable() or len(path) > 1024:
        raise BadInput(f"The key's path is too long or has invisible characters: {path!r:.80}")
    if path[:1] not in ("/", "~"):
        raise BadInput(
            f"Give the key's full path (-i /… or -i ~/…): {path!r:.80} would be looked for in "
            "whatever folder the daemon was started in."
        )
    return path


def _plain(text: str, what: str) -> None:
    if text.startswith("-"):
        raise BadInput(
            f"The {what} {text!r:.60} begins with a dash, so ssh would take it for an option."
        )
    odd = next((c for c in text if not c.isascii()), None)
    if odd is not None:
        raise BadInput(
            f"The {what} {text!r:.60} has a character in it that is not ASCII (U+{ord(odd):04X}). "
            "Web pages put such dashes and quotation marks there: type it again."
        )
