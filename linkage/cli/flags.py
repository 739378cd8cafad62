"""What a command and its flags are made of."""

import argparse
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from linkage.messages import LANGUAGES, catalogue, say
from linkage.tables import load_column_map

DEFAULT_MEMORY = "4GB"
MOST_THREADS = 256


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag; its help is the message ``flag.<command>.<name>``, or else ``flag.<name>``."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def add_to(self, parser: argparse.ArgumentParser, command: str, language: str) -> None:
        """Add the flag to the parser of a command."""
        name = self.name.lstrip("-").lower().replace("-", "_")
        own = f"flag.{command}.{name}"
        text = say(own if own in catalogue() else f"flag.{name}", language).replace("%", "%%")
        parser.add_argument(self.name, help=text, **self.options)


@dataclass(frozen=True, slots=True)
class Result:
    """What a command has to say: to people, and as plain data."""

    text: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """One command; its description is the message ``cli.<name>``."""

    name: str
    flags: tuple[Flag, ...]
    run: Callable[[argparse.Namespace], Result]


@dataclass(frozen=True, slots=True)
class Group:
    """Commands of one kind under a name, as ``linkage model show``; the messages of each are ``<group>.<name>``."""

    name: str
    commands: tuple[Command, ...]


def language_of(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    """The language of messages: ``--lang``, else ``LINKAGE_LANG``, else the locale's where we have it, else English."""
    wanted = [after for flag, after in pairwise(arguments) if flag == "--lang"]
    wanted += [argument.removeprefix("--lang=") for argument in arguments if argument.startswith("--lang=")]
    wanted += [environment.get("LINKAGE_LANG", ""), environment.get("LC_ALL", "")[:2], environment.get("LANG", "")[:2]]
    return next((language for language in wanted if language in LANGUAGES), "en")


def threads() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0))


def column_map(flags: argparse.Namespace) -> Mapping[str, str]:
    """What ``--columns`` says: header → our column.

    Raises:
        UserError: the file cannot be used.
    """
    return load_column_map(flags.columns) if flags.columns else {}


def natural(text: str) -> int:
    """A number from 1.

    Raises:
        ValueError: it is none.
    """
    number = int(text.replace(",", "").replace("_", ""))
    if number < 1:
        raise ValueError(text)
    return number


def _threads(text: str) -> int:
    number = natural(text)
    if number > MOST_THREADS:
        raise ValueError(text)
    return number


# argparse names the type in its message
natural.__name__, _threads.__name__ = "count", "number of threads"
NEEDED = {"required": True}
FORCE = Flag("--force", {"action": "store_true"})
OUT = Flag("--out", {"required": True, "type": Path, "metavar": "DIR"})
TABLES = (Flag("--doses", NEEDED), Flag("--citizens", NEEDED))
COLUMNS = Flag("--columns", {"metavar": "FILE"})
ENGINE = (
    Flag("--threads", {"type": _threads, "default": threads(), "metavar": "N"}),
    Flag("--memory", {"default": DEFAULT_MEMORY}),
    COLUMNS,
    FORCE,
)
