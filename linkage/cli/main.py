"""Flags in, exit status out: 0 done, 2 the user can mend it, 1 our fault."""

import argparse
import io
import json
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from linkage.cli import commands
from linkage.cli.flags import language_of
from linkage.errors import UserError
from linkage.messages import LANGUAGES, say


class _Parser(argparse.ArgumentParser):
    """One message and exit status 2, without the usage above it."""

    def error(self, message: str) -> NoReturn:
        raise UserError("cli.usage", command=self.prog, problem=message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a terminal that knows no Vietnamese shows escapes; it must not fail
            stream.reconfigure(errors="backslashreplace")
    language = language_of(arguments, os.environ)
    try:
        flags = _parser(language).parse_args(arguments)
        result = flags.run(flags)
    except UserError as error:
        sys.stderr.write(f"linkage: {error.in_language(language)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"\nlinkage: {say('interrupted', language)}\n")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:  # noqa: BLE001 - the last resort: the text of an error may hold a person's data
        if os.environ.get("LINKAGE_DEBUG"):
            traceback.print_exc()
        sys.stderr.write(f"linkage: {say('internal_error', language, error=type(error).__name__)}\n")
        return 1
    if flags.json:
        sys.stdout.write(json.dumps(result.data, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(result.text.rstrip("\n") + "\n")
    return 0


def _parser(language: str) -> argparse.ArgumentParser:
    parser = _Parser(prog="linkage", description=say("cli.about", language), allow_abbrev=False)
    parsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for command in commands.COMMANDS:
        about = say(f"cli.{command.name}", language)
        one = parsers.add_parser(command.name, help=about, description=about, allow_abbrev=False)
        for flag in command.flags:
            flag.add_to(one, language)
        one.add_argument("--json", action="store_true", help=say("flag.json", language))
        one.add_argument("--lang", choices=LANGUAGES, default=language, help=say("flag.lang", language))
        one.set_defaults(run=command.run)
    return parser
