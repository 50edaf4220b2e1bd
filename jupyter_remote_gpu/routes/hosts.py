"""The hosts that the user's ssh configuration names."""

from __future__ import annotations

import glob
import logging
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

__all__ = ["ssh_hosts"]

MAX_HOSTS, MAX_FILES, MAX_BYTES = 500, 100, 1 << 20
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.*)")
_ALIAS = re.compile(r"[A-Za-z0-9._:][A-Za-z0-9._:-]{0,252}\Z")
log = logging.getLogger(__name__)


def ssh_hosts(config: Path | None = None) -> list[str]:
    """The aliases of ``~/.ssh/config`` in its order, each once (blocks: call it in a thread).

    Patterns are left out, and names that a pod's address cannot have. Includes are followed.
    """
    path = Path.home() / ".ssh" / "config" if config is None else config
    found: dict[str, None] = {}
    for alias in _aliases(path, path.parent, set()):
        found[alias] = None
        if len(found) == MAX_HOSTS:
            break
    return list(found)


def _aliases(path: Path, folder: Path, seen: set[Path]) -> Iterator[str]:
    path = Path(os.path.realpath(path))  # of links in a circle resolve() raises
    # A file that includes itself is read once, as one that others include too.
    if path in seen or len(seen) == MAX_FILES or not path.is_file():
        return
    seen.add(path)
    try:
        with open(path, "rb") as f:
            text = f.read(MAX_BYTES).decode("utf-8", "replace")
    except OSError as e:
        log.warning("%s cannot be read (%s): its hosts are not offered", path, e.strerror)
        return
    for line in text.splitlines():
        for keyword, word in _words(line):
            if keyword == "host" and _ALIAS.match(word):
                yield word
            elif keyword == "include":
                given = os.path.join(folder, os.path.expanduser(word))
                for name in sorted(glob.glob(given)):
                    yield from _aliases(Path(name), folder, seen)


def _words(line: str) -> Iterator[tuple[str, str]]:
    match = _LINE.match(line)
    keyword = match[1].lower() if match else ""
    if match is None or keyword not in ("host", "include"):
        return
    try:
        words = shlex.split(match[2], comments=True)
    except ValueError:  # a quotation mark without a partner: ssh refuses the line too
        return
    yield from ((keyword, word) for word in words)
