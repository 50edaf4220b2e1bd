"""Our own key for a pod: made here, its public half added there, both taken away again."""

from __future__ import annotations

import logging
import os
import shlex
from pathlib import Path
from typing import Protocol

import asyncssh

from ..errors import LinkError, NotFound, TransportError
from ..files import private_folder, replace, set_aside
from ..pods.registry import Pod, own_key_path
from .identities import Identities
from .login import Login

__all__ = ["install", "own_key_path", "own_public_half", "read_own_key", "remove"]

log = logging.getLogger(__name__)

_ADD = """\
set -eu
umask 077
cd
mkdir -p .ssh
chmod 700 .ssh
file=.ssh/authorized_keys
: >> "$file"
chmod 600 "$file"
if grep -v '^[[:space:]]*#' "$file" | grep -qF -e "$key"; then exit 0; fi
# Without its own newline the last line would swallow ours, and nobody could log in with either.
if [ -s "$file" ] && [ -n "$(tail -c 1 "$file")" ]; then echo >> "$file"; fi
printf '%s\\n' "$line" >> "$file"
"""

# Written beside and renamed: a disk that fills up must not lock the user out.
_TAKE_AWAY = """\
set -eu
umask 077
cd
file=.ssh/authorized_keys
if [ ! -e "$file" ]; then exit 0; fi
if [ -h "$file" ]; then file=$(readlink -f "$file"); fi
if ! grep -qF -e "$key" "$file"; then exit 0; fi
new=$file.jrg-$$
trap 'rm -f "$new"' EXIT
grep -vF -e "$key" "$file" > "$new" || [ $? -eq 1 ]
mv -f "$new" "$file"
"""


class Shell(Protocol):
    """What is asked of a connected pod's link."""

    pod: Pod

    async def run_shell(self, script: str, stdin: bytes = b"", timeout: float = 30.0) -> str: ...


async def install(link: Shell, folder: Path, timeout: float = 30.0) -> str:
    """Make our key for the pod if there is none, and let the pod take it; the public half.

    Installing it again changes nothing. It is tried: a server may look for keys elsewhere.

    Parameters
    ----------
    link : Shell
        A link that is connected.
    folder : Path
        The data folder; the private half goes to ``keys/<pod>`` (0600).
    timeout : float
        Seconds that the pod has for it.

    Raises
    ------
    LinkError
        If the link is down, the pod cannot write its ``~/.ssh/authorized_keys``, or does not let
        the key in (code ``own-key-refused``; it is kept then: the user may help it in).
    """
    path = own_key_path(folder, link.pod.name)
    key = read_own_key(path)
    fresh = key is None
    if key is None:
        key = asyncssh.generate_private_key(
            "ssh-ed25519", comment=f"jupyter-remote-gpu:{link.pod.name}"
        )
        private_folder(path.parent)
        # Before the pod gets it: a line there without a key here could never be taken away.
        replace(path, key.export_private_key("openssh"), sync=True)
    line = _public(key)
    try:
        await link.run_shell(_script(_ADD, line), timeout=timeout)
    except TransportError:
        raise  # the pod may have it: the next try goes on with the same key
    except LinkError:
        if fresh:
            path.unlink(missing_ok=True)
        raise
    await _try(link.pod, folder, key, line)
    return line


async def _try(pod: Pod, folder: Path, key: asyncssh.SSHKey, line: str) -> None:
    """Log in with our key alone, once."""
    only = Identities()
    for pair in asyncssh.load_keypairs([key]):
        only.add(pair, "our own key for this pod")
    try:
        conn = await Login(folder, pod, lambda _: None).connect(None, only)
    except LinkError as e:
        raise _untried(pod.name, e, line) from e
    conn.abort()


def _untried(pod: str, error: LinkError, line: str) -> LinkError:
    if error.code == "key-refused":
        return LinkError(
            f"Our key is in ~/.ssh/authorized_keys on {pod} now, but its ssh server does not let "
            "it in: it may look for keys elsewhere (AuthorizedKeysFile in its sshd_config, or the "
            "provider's own list). Add this line there, or take the key away with `jupyter "
            f"remote-gpu key {pod} --remove`: {line}",
            code="own-key-refused",
        )
    return type(error)(
        f"Our key is on {pod} now, but a login with it failed: {error.message} Do the same again "
        "when that is mended.",
        code=error.code,
    )


async def remove(link: Shell, folder: Path, timeout: float = 30.0) -> str:
    """Take our key off the pod and off this machine; its public half.

    Parameters
    ----------
    link, folder, timeout
        As for `install`.

    Raises
    ------
    NotFound
        If there is no such key.
    LinkError
        If the link is down, or the pod cannot write; the key is kept then.
    """
    path = own_key_path(folder, link.pod.name)
    key = read_own_key(path)
    if key is None:
        raise NotFound(
            f"There is no key of ours for {link.pod.name}: nothing to take away.", code="no-key"
        )
    line = _public(key)
    await link.run_shell(_script(_TAKE_AWAY, line), timeout=timeout)
    path.unlink(missing_ok=True)
    return line


def _script(body: str, line: str) -> str:
    blob = line.split(" ")[1]
    return f"line={shlex.quote(line)}\nkey={shlex.quote(blob)}\n{body}"


def _public(key: asyncssh.SSHKey) -> str:
    return key.export_public_key("openssh").decode("ascii").strip()


def own_public_half(folder: Path, name: str) -> str | None:
    """The public half of our key for pod `name`; None if there is no key."""
    key = read_own_key(own_key_path(folder, name))
    return None if key is None else _public(key)


def read_own_key(path: Path) -> asyncssh.SSHKey | None:
    """Our private key in `path`; None if there is none. A damaged one is set aside."""
    try:
        os.chmod(path, 0o600)
        return asyncssh.read_private_key(path)
    except FileNotFoundError:
        return None
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError, ValueError) as e:
        log.warning("%s is damaged (%s) and was set aside as %s", path, e, set_aside(path).name)
        return None
