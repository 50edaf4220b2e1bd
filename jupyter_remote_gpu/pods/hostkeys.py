"""Pinned host keys, one a pod: providers reuse addresses, so an address says nothing."""

from __future__ import annotations

import logging
from pathlib import Path

import asyncssh

from ..errors import BadInput, TransportError
from ..files import private_folder, replace, set_aside
from ..models import check_pod_name

__all__ = ["forget", "pin", "pinned", "public_key_line"]

log = logging.getLogger(__name__)


def public_key_line(text: str) -> str:
    """`text` as ``type base64``, without a comment.

    Raises
    ------
    BadInput
        If it is not the line of one public key.
    """
    line = text.strip()
    try:
        if "\n" in line or not line.isprintable():
            raise asyncssh.KeyImportError("more than one line")
        key = asyncssh.import_public_key(line)
    except (asyncssh.KeyImportError, ValueError) as e:
        raise BadInput(
            f"This is not a public key as OpenSSH writes it (ssh-ed25519 AAAA…): {line!r:.60} ({e})"
        ) from e
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])


def known_hosts(folder: Path, pod: str) -> Path:
    """The file with the pod's key, as OpenSSH reads it; the pod's name is the HostKeyAlias."""
    return folder / "known_hosts" / check_pod_name(pod)


def pin(folder: Path, pod: str, line: str) -> None:
    """Trust this host key, and only this one, for `pod`.

    Raises
    ------
    BadInput
        If `line` is not a public key.
    """
    path = known_hosts(folder, pod)
    private_folder(path.parent)
    replace(path, f"{pod} {public_key_line(line)}\n".encode("ascii"), sync=True)


def pinned(folder: Path, pod: str) -> str | None:
    """The pinned key as a public key line; None if there is none.

    A damaged file is set aside: the user is asked about the key again.

    Raises
    ------
    TransportError
        If it cannot be read now (too many open files, a home on a server that is away).
    """
    path = known_hosts(folder, pod)
    try:
        text = path.read_bytes().decode("ascii")
        alias, _, line = text.strip().partition(" ")
        if alias != pod:
            raise BadInput(f"it speaks of {alias!r:.60}, not of {pod}")
        return public_key_line(line)
    except FileNotFoundError:
        return None
    except (UnicodeDecodeError, BadInput) as e:
        log.warning("%s is damaged (%s) and was set aside as %s", path, e, set_aside(path).name)
        return None
    except OSError as e:
        raise TransportError(
            f"The pinned host key of {pod} cannot be read: {path}: {e.strerror}.", code="local"
        ) from e


def forget(folder: Path, pod: str) -> None:
    """Trust no host key for `pod` any more."""
    known_hosts(folder, pod).unlink(missing_ok=True)
