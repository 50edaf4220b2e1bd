"""The words of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from .._version import __version__
from . import daemons, kernels, outputs, pods, trying

__all__ = ["UsageError", "parse"]


class UsageError(Exception):
    """The words do not make a command; the text says what would."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def parse(argv: list[str]) -> argparse.Namespace:
    """The command of `argv` (``.command``) with its arguments.

    Raises
    ------
    UsageError
        If there is no such command, or its arguments do not fit.
    """
    ours, ssh = _split_add([w for w in argv if w != "--debug"])
    arguments = _parser().parse_args(ours)
    if arguments.command is pods.add:
        arguments.ssh = ssh
        if arguments.name == "ssh" or "@" in arguments.name:
            begin = ["ssh"] if arguments.name == "ssh" else ["ssh", arguments.name]
            words = " ".join([*begin, *ssh])
            raise UsageError(f"the name is missing: jupyter remote-gpu add NAME {words}")
        if not ssh:
            raise UsageError(
                "the ssh command is missing. Paste the one that the provider shows:\n"
                "usage: jupyter remote-gpu add NAME ssh root@203.0.113.7 -p 40022 [--python PATH]"
            )
    return arguments


def _split_add(argv: list[str]) -> tuple[list[str], list[str]]:
    """Take the ssh command out of ``add NAME SSH-COMMAND… [--python PATH]``.

    Its own options (``-p -i``) are not ours to read; ssh has none that begin with two dashes.
    """
    if argv[:1] != ["add"]:
        return argv, []
    ours, rest = ["add"], []
    words = iter(argv[1:])
    for word in words:
        if word == "--python":
            ours += [word, *([value] if (value := next(words, None)) is not None else [])]
        elif word in ("--help", "-h") or word.startswith("--python="):
            ours.append(word)
        else:
            rest.append(word)
    # Behind "--" a name such as "-x" reaches the check that explains what a name may be.
    return ([*ours, "--", rest[0]], rest[1:]) if rest else (ours, [])


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="jupyter remote-gpu",
        description="Pods: their links, and the kernels that run on them.",
        epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of an error (anywhere)"
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, does: Callable[[Any], Any], text: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text, allow_abbrev=False
        )
        made.set_defaults(command=does)
        return made

    def json_option(of: argparse.ArgumentParser) -> None:
        of.add_argument("--json", action="store_true", help="print JSON, for programs")

    c = command("add", pods.add, "remember a pod: its name and the ssh command that reaches it")
    c.usage = "jupyter remote-gpu add NAME SSH-COMMAND... [--python PATH]"
    c.add_argument("name")
    c.add_argument("--python", metavar="PATH", help="the pod's Python, if not its kernelspec's")
    c = command("remove", pods.remove, "forget a pod, its host key and our own key")
    c.add_argument("name")
    c = command("list", pods.show_list, "the pods and their addresses")
    json_option(c)
    c = command("connect", pods.connect, "connect a pod; returns when it is, or cannot be")
    c.add_argument("name")
    c.add_argument("--accept-host-key", metavar="SHA256:...", help="the host key to trust")
    c = command("disconnect", pods.disconnect, "let go of a pod; its kernels run on")
    c.add_argument("name")
    c = command("status", pods.status, "the states of the pods")
    c.add_argument("name", nargs="?")
    json_option(c)
    c = command("kernels", kernels.show, "the kernels on the pods, with age and memory")
    c.add_argument("name", nargs="?")
    json_option(c)
    c = command("attach", kernels.attach, "print a cell's output from its first line, and follow")
    c.add_argument("id", help="the execution's id, or its first digits (at least 4)")
    c = command(
        "outputs", outputs.outputs, "complete a saved notebook; without --write: what would be"
    )
    c.add_argument("notebook", metavar="NOTEBOOK", help="its file (.ipynb)")
    c.add_argument("--write", action="store_true", help="write the outputs into it")
    c.add_argument("--force", action="store_true", help="also if it is open in JupyterLab")
    c.add_argument("--ran-as", metavar="PATH", help="where it was when it ran, if it was moved")
    json_option(c)
    c = command("shutdown-kernels", kernels.shutdown, "end every kernel on a pod")
    c.add_argument("name")
    c = command("key", pods.key, "put a key of our own on a pod, for what runs unattended")
    c.add_argument("name")
    c.add_argument("--remove", action="store_true", help="take it away again")
    c = command("log", daemons.log, "what happened: a pod's events, or the daemon's log")
    c.add_argument("name", nargs="?")
    c = command("demo", trying.demo, "a pod on this machine, until Ctrl-C")
    c.add_argument("--python", metavar="PATH", help="in which its kernels run (default: this one)")
    c.add_argument(
        "--cut", metavar="SECONDS", help="take the running demo pod's network away for so long"
    )
    json_option(c)
    c = command("doctor", daemons.doctor, "what lies where on both sides, and how large")
    json_option(c)
    c = command("daemon", daemons.daemon, "the laptop's process that holds the links")
    c.add_argument("action", nargs="?", choices=("start", "stop", "status"), default="status")
    return parser
