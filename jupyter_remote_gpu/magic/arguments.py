"""What may stand after `%gpu` and `%%gpu`."""

from __future__ import annotations

import argparse
import shlex
from typing import Any, NoReturn

from ..errors import BadInput

__all__ = ["HELP_CELL", "HELP_LINE", "Shown", "parse_cell", "parse_line"]


class Shown(Exception):
    """``--help`` was asked for; the text is the message."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as an exception, and never ends the process."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[:1].upper()}{message[1:]}. {self.format_usage().strip()}")

    def print_help(self, file: Any = None) -> None:
        raise Shown(self.format_help())


def _cell_parser() -> _Parser:
    parser = _Parser(
        prog="%%gpu",
        description="Run this cell on a pod. It survives a cut of the link and a closed lid.",
    )
    parser.add_argument("pod", nargs="?", help="the pod's name; needed if several are connected")
    parser.add_argument(
        "--detach",
        action="store_true",
        help="return a handle at once, so that the notebook stays free (for hours of sampling)",
    )
    return parser


def _line_parser() -> _Parser:
    parser = _Parser(prog="%gpu", description="Pods and kernels of %%gpu cells.")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", parser_class=_Parser)

    def verb(name: str, help: str) -> _Parser:
        return verbs.add_parser(name, help=help, description=help, prog=f"%gpu {name}")

    verb("status", "pods, their kernels and the cells that run (the default)")
    connect = verb("connect", "connect a pod, and tell how it goes")
    connect.add_argument("pod")
    connect.add_argument(
        "--accept-host-key",
        metavar="SHA256:…",
        help="trust the machine that shows this host key",
    )
    for name, help in (
        ("disconnect", "let go of a pod; its kernels run on"),
        ("restart", "end this notebook's kernel on the pod; the next cell gets a fresh one"),
        ("interrupt", "interrupt what runs in this notebook's kernel on the pod"),
        ("kernels", "list the kernels on the pod"),
    ):
        verb(name, help).add_argument("pod", nargs="?")
    attach = verb(
        "attach",
        "show a cell's output from its first line, and follow it (Stop interrupts a cell of this "
        "notebook; one of another it only ceases to follow)",
    )
    attach.add_argument("id", nargs="?", help="the beginning of its id; this notebook's newest")
    for name, help in (
        ("join", "work on in a kernel that lives on the pod (the notebook was renamed, say)"),
        ("stop", "end a kernel"),
    ):
        its_id = "the beginning of its id, as `%%gpu kernels` shows it"
        verb(name, help).add_argument("id", help=its_id)
    return parser


def parse_cell(line: str) -> argparse.Namespace:
    """``pod`` and ``detach`` of a `%%gpu` line.

    Raises
    ------
    BadInput
        With the usage.
    Shown
        With the help that was asked for.
    """
    return _cell_parser().parse_args(_words(line))


def parse_line(line: str) -> argparse.Namespace:
    """``verb`` and its arguments of a `%gpu` line; see `parse_cell` for what it raises."""
    args = _line_parser().parse_args(_words(line) or ["status"])
    if args.verb is None:
        args.verb = "status"
    return args


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError as e:
        raise BadInput(f"The line cannot be read: {e}. See `%gpu --help`.") from e


HELP_CELL = _cell_parser().format_help()
HELP_LINE = _line_parser().format_help()
