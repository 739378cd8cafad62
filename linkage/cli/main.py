"""Flags in, exit status out: 0 done, 2 the user can mend it, 1 our fault."""

import argparse
import importlib
import io
import json
import os
import re
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn, Self

import duckdb

from linkage.cli.flags import Command, Group, language_of
from linkage.errors import UserError
from linkage.messages import LANGUAGES, say

PROBLEMS = (
    ("cli.missing", r"the following arguments are required: (?P<flag>.+)"),
    ("cli.unknown", r"unrecognized arguments: (?P<flag>.+)"),
    ("cli.choice", r"argument (?P<flag>.+?): invalid choice: (?P<found>.+) \(choose from (?P<choices>.+)\)"),
    ("cli.value", r"argument (?P<flag>.+?): invalid (?P<kind>.+) value: (?P<found>.+)"),
    ("cli.no_value", r"argument (?P<flag>.+?): expected (one|at least one|\d+) arguments?"),
)
"""What the parser says, by the message that says it in both languages."""

ALONE = frozenset({"persons", "review"})
"""Groups in modules of their own that need little of what the other commands load: people wait for them."""


class _Parser(argparse.ArgumentParser):
    """One message and exit status 2, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        for key, pattern in PROBLEMS:
            if found := re.fullmatch(pattern, message, re.DOTALL):
                raise UserError(key, command=self.prog, **found.groupdict())
        raise UserError("cli.usage", command=self.prog, problem=message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # nearly all that is written holds personal data: nothing of it is for others on this machine
    os.umask(os.umask(0o077) | 0o007)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that knows no Vietnamese shows escapes; it must not fail
            stream.reconfigure(errors="backslashreplace")
    language = language_of(arguments, os.environ)
    with _Interruption() as interruption:
        try:
            flags = _parser(_commands(arguments), language).parse_args(arguments)
            result = flags.run(flags)
        except UserError as error:
            return _complain(error.in_language(language), 2)
        except BaseException as error:
            if interruption.came:
                return _complain(say("interrupted", language), 130)
            if isinstance(error, SystemExit):
                raise
            if os.environ.get("LINKAGE_DEBUG"):
                traceback.print_exc()
            return _complain(*_diagnosed(error, language))
    text = json.dumps(result.data, ensure_ascii=False) if flags.json else result.text.rstrip("\n")
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError:
        # the work is done, and nobody reads on: point the stream elsewhere, so that closing it does not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _diagnosed(error: BaseException, language: str) -> tuple[str, int]:
    """What to say of an error that nothing foresaw: never its own text, which may hold a person's data."""
    cause: BaseException | None = error
    while cause is not None:
        # a commit that lacks room says so in its text alone; and what tidies up after an error may fail and hide it
        of_engine = str(cause).lower() if isinstance(cause, duckdb.Error) else ""
        if isinstance(cause, MemoryError | duckdb.OutOfMemoryException) or "memory" in of_engine:
            return say("run.out_of_memory", language), 2
        if isinstance(cause, OSError):
            return say("run.disk", language, reason=cause.strerror or type(cause).__name__), 2
        if isinstance(cause, duckdb.IOException) or "disk" in of_engine or "space" in of_engine:
            return say("run.disk", language, reason=type(cause).__name__), 2
        cause = cause.__context__
    return say("internal_error", language, error=type(error).__name__), 1


def _complain(text: str, status: int) -> int:
    with suppress(OSError, ValueError):
        sys.stderr.write(f"linkage: {' '.join(text.split())}\n")
    return status


class _Interruption:
    """Remembers Ctrl-C: the engine turns it into errors of its own."""

    def __init__(self) -> None:
        self.came = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._before)

    def _interrupt(self, *_: object) -> NoReturn:
        self.came = True
        raise KeyboardInterrupt


def _commands(arguments: Sequence[str]) -> Sequence[Command | Group]:
    """Every command, or the group alone that the arguments name."""
    name = arguments[0] if arguments else ""
    if name in ALONE:
        group: Group = getattr(importlib.import_module(f"linkage.cli.{name}"), name.upper())
        return (group,)
    commands: Sequence[Command | Group] = importlib.import_module("linkage.cli.commands").COMMANDS
    return commands


def _parser(among: Sequence[Command | Group], language: str) -> argparse.ArgumentParser:
    parser = _Parser(prog="linkage", description=say("cli.about", language), allow_abbrev=False)
    _add(parser, among, "", language)
    return parser


def _add(parser: argparse.ArgumentParser, among: Sequence[Command | Group], group: str, language: str) -> None:
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for command in among:
        name = group + command.name
        about = say(f"cli.{name}", language)
        one = parsers.add_parser(command.name, help=about, description=about, allow_abbrev=False)
        if isinstance(command, Group):
            _add(one, command.commands, f"{name}.", language)
            continue
        for flag in command.flags:
            flag.add_to(one, name, language)
        one.add_argument("--json", action="store_true", help=say("flag.json", language))
        one.add_argument("--lang", choices=LANGUAGES, default=language, help=say("flag.lang", language))
        one.set_defaults(run=command.run)
