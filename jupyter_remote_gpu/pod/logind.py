"""Whether the pod ends what a session leaves behind, as systemd's logind may be told to."""

from __future__ import annotations

import os
from pathlib import Path

RUNS = Path("/run/systemd/system")
"""It is there where systemd is what started the machine."""
FOLDERS = ("/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd")
"""Where its settings lie; of two files of the same name the later folder's counts."""


def kills_user_processes() -> bool:
    """Whether logind is told to end what this user's sessions leave behind."""
    if not RUNS.is_dir():
        return False
    settings = _settings()
    excluded, only = settings.get("KillExcludeUsers"), settings.get("KillOnlyUsers")
    user = _user()
    if user in (["root"] if excluded is None else excluded):
        return False
    if only:
        return user in only
    value = settings.get("KillUserProcesses") or ["no"]
    return value[-1].lower() in ("yes", "true", "1", "on", "y", "t")


def lingers() -> bool:
    """Whether this user's services outlive the last session."""
    return Path("/var/lib/systemd/linger", _user()).exists()


def _user() -> str:
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


def _settings() -> dict[str, list[str]]:
    """The words of each setting; those of lists add up, and an empty value begins anew."""
    found: dict[str, list[str]] = {}
    for file in _files():
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue  # not there, or not ours to read: the default holds
        for line in lines:
            key, sign, value = line.partition("=")
            if sign and not key.lstrip().startswith(("#", ";")):
                known = found.setdefault(key.strip(), [])
                found[key.strip()] = [*known, *value.split()] if value.strip() else []
    return found


def _files() -> list[Path]:
    """In the order in which they count: the main file, then all the others by their names."""
    main = [Path(folder, "logind.conf") for folder in FOLDERS]
    others: dict[str, Path] = {}
    for folder in FOLDERS:
        others.update((path.name, path) for path in Path(folder, "logind.conf.d").glob("*.conf"))
    return [*[p for p in main if p.exists()][-1:], *(others[name] for name in sorted(others))]
