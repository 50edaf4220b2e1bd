"""From a pasted ssh command to where it leads; whatever else it carries is refused by name."""

from __future__ import annotations

import shlex
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from ..errors import BadInput
from .endpoint import check_hop, check_host, check_identity, check_port, check_user, split_endpoint

__all__ = ["SSHTarget", "parse_ssh"]

MAX_COMMAND = 4096
_TAKEN = "pilJ"
_WHY = {
    "o": "it can run commands on this machine (ProxyCommand)",
    "F": "another configuration file can run commands on this machine",
    "A": "the rented machine could then use the keys in your agent",
    "L": "no port is forwarded to a pod",
    "R": "no port of this machine is opened to a pod",
    "D": "no port is forwarded to a pod",
    "W": "no port is forwarded to a pod",
    "X": "the rented machine could then watch your screen and keyboard",
    "Y": "the rented machine could then watch your screen and keyboard",
    "S": "the connection is our own",
    "M": "the connection is our own",
    "-": "options have one dash",
}
_CONFIG = {"o", "F"}


@dataclass(frozen=True)
class SSHTarget:
    """Where an ssh command leads. Every instance has passed the checks.

    Attributes
    ----------
    host : str
        Address, name, or an alias of ``~/.ssh/config``.
    user, port : str, int or None
        None: as ``~/.ssh/config`` says.
    identity_files : tuple of str
        Paths on this machine as they were given (``~`` is not expanded).
    jump : str or None
        Hops ``[user@]host[:port]``, separated by commas.

    Raises
    ------
    BadInput
        If a part could be taken for an option, or has characters that have no place in it.
    """

    host: str
    user: str | None = None
    port: int | None = None
    identity_files: tuple[str, ...] = ()
    jump: str | None = None

    def __post_init__(self) -> None:
        check_host(self.host)
        if self.user is not None:
            check_user(self.user)
        if self.port is not None:
            check_port(self.port)
        for path in self.identity_files:
            check_identity(path)
        if self.jump is not None:
            for hop in self.jump.split(","):
                check_hop(hop)

    @property
    def address(self) -> str:
        """``user@host:port`` as shown to the user, without what was not given."""
        user = f"{self.user}@" if self.user is not None else ""
        if self.port is None:
            return f"{user}{self.host}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{user}{host}:{self.port}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "identity_files": list(self.identity_files)}

    @classmethod
    def from_json(cls, data: object) -> SSHTarget:
        """The inverse of `to_json`; checked as a pasted command is, for it comes from a file.

        Raises
        ------
        BadInput
        """
        if not isinstance(data, dict):
            raise BadInput("The address of a pod is not readable: it is no JSON object.")
        user, port, jump = data.get("user"), data.get("port"), data.get("jump")
        files = data.get("identity_files", [])
        if not (
            isinstance(data.get("host"), str)
            and isinstance(user, str | None)
            and isinstance(port, int | None)
            and isinstance(jump, str | None)
            and isinstance(files, list)
            and all(isinstance(f, str) for f in files)
        ):
            raise BadInput("The address of a pod is not readable: a part has the wrong type.")
        return cls(data["host"], user, port, tuple(files), jump)


def parse_ssh(command: str | Sequence[str]) -> SSHTarget:
    """Read an ssh command as a provider shows it.

    Parameters
    ----------
    command : str or sequence of str
        ``ssh root@203.0.113.7 -p 40022 -i ~/.ssh/id_ed25519``, ``user@host:port``, or an
        alias of ``~/.ssh/config``; as one string, or as the words that a shell made of it.

    Raises
    ------
    BadInput
        For anything but ``-p -i -l -J``, a user and a host, each with its own sentence.
    """
    words = _words(command)
    if words and words[0].rpartition("/")[2] == "ssh":
        words = words[1:]
    for word in words:
        # Of a proxy's command nothing else matters.
        if word.lower().endswith("@ssh.runpod.io"):
            check_host("ssh.runpod.io")
    options, places = _options(words)
    if not places:
        raise BadInput("There is no host in the ssh command: paste it as the provider shows it.")
    user, host, port = split_endpoint(places[0])
    check_host(host)
    if len(places) > 1:
        raise BadInput(
            f"The ssh command ends with a command to run there ({' '.join(places[1:])!r:.80}). "
            "Leave it out: only the address is needed."
        )
    login = _once(options, "l", "user")
    if login is not None and user is not None and login != user:
        raise BadInput(f"Two users are given, {user!r:.60} and {login!r:.60}: which one is it?")
    given = _once(options, "p", "port")
    if given is not None and port is not None and check_port(given) != check_port(port):
        raise BadInput(f"Two ports are given, {port:.60} and {given:.60}: which one is it?")
    number = given if given is not None else port
    return SSHTarget(
        host,
        login if login is not None else user,
        None if number is None else check_port(number),
        tuple(value for letter, value in options if letter == "i"),
        _once(options, "J", "list of jump hosts"),
    )


def _words(command: str | Sequence[str]) -> list[str]:
    if isinstance(command, str):
        text = command.strip()
        _check_text(text)
        try:
            words = shlex.split(text)
        except ValueError:
            raise BadInput(
                "A quotation mark in the ssh command has no partner: paste the whole command."
            ) from None
    else:
        words = list(command)
    if not all(isinstance(w, str) for w in words):
        raise BadInput("The ssh command is neither one text nor a list of words.")
    if not isinstance(command, str) and len(words) == 1 and " " in words[0]:
        return _words(words[0])
    for word in words:
        _check_text(word)
        if not word:
            raise BadInput("The ssh command has an empty word: paste it as the provider shows it.")
    return words


def _check_text(text: str) -> None:
    if len(text) > MAX_COMMAND:
        raise BadInput(f"The ssh command is longer than {MAX_COMMAND} characters.")
    if "\n" in text or "\r" in text:
        raise BadInput("The ssh command has a line break in it: paste one line.")
    for character in text:
        if unicodedata.category(character)[0] == "C":
            raise BadInput(
                f"The ssh command has an invisible character in it (U+{ord(character):04X}): type "
                "that place again."
            )


def _options(words: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """The options with their values, and the words that are none."""
    options: list[tuple[str, str]] = []
    places: list[str] = []
    rest = iter(words)
    for word in rest:
        if unicodedata.category(word[0]) == "Pd" and not word[0].isascii():
            raise BadInput(
                f"{word!r:.60} begins with a typographic dash, as web pages make them: type it "
                "again with '-'."
            )
        if not word.startswith("-") or len(places) > 1:
            places.append(word)
            continue
        letter, value = word[1:2], word[2:]
        if letter not in _TAKEN or not letter:
            _refuse(letter, value or next(rest, ""))
        if not value:
            value = next(rest, "")
        if not value or value.startswith("-"):
            raise BadInput(f"-{letter} in the ssh command has no value behind it.")
        options.append((letter, value))
    return options, places


def _refuse(letter: str, value: str) -> NoReturn:
    name = f"-{letter}"
    if letter == "o":
        key = value.replace("=", " ").split(" ")[0]
        name += f" {key}" if key.isascii() and key.isalnum() else ""
    advice = "leave it out"
    if letter in _CONFIG:
        advice = "write what you need into ~/.ssh/config and give the alias from there"
    why = _WHY.get(letter, "")
    raise BadInput(
        f"{name!r:.60} in the ssh command is not taken{': ' if why else ''}{why}. Only -p, -i, -l "
        f"and -J are; {advice}."
    )


def _once(options: list[tuple[str, str]], letter: str, what: str) -> str | None:
    values = [v for k, v in options if k == letter]
    if len(values) > 1:
        raise BadInput(f"-{letter} is given {len(values)} times: the {what} can be only one.")
    return values[0] if values else None
