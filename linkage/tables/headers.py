"""From the headers people write to the names of our columns."""

import csv
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from linkage.errors import UserError
from linkage.tables.files import printable
from linkage.tables.schema import SCHEMAS, TableSchema

LONGEST_NAMED = 40


@dataclass(frozen=True, slots=True)
class Header:
    """Where each of our columns stands in a file (0-based), and the headers nobody asked for, as they are.

    A header nobody asked for may be a cell of a person: it is shown only when `nameable`.
    """

    positions: dict[str, int]
    unknown: tuple[str, ...]


def normalise(header: str) -> str:
    """Letters and digits only, lower case, without accents: ``Số CMND/CCCD`` → ``socmndcccd``."""
    plain = unicodedata.normalize("NFKD", re.sub("[đĐÐƉ]", "d", header)).lower()
    return "".join(letter for letter in plain if letter.isalnum())


@cache
def _aliases(schema: TableSchema) -> dict[str, str]:
    text = files(__package__).joinpath("aliases.toml").read_text(encoding="utf-8")
    entries = tomllib.loads(text)
    named = {**entries["every"], **entries[schema.name]}
    return {normalise(alias): column for column in schema.columns for alias in (column, *named.get(column, ()))}


def recognise(headers: Sequence[str], schema: TableSchema, columns: Mapping[str, str], file: str) -> Header:
    """Find our columns among the headers of a file.

    A column found through ``columns`` (their header → our column) is not looked for under its known aliases.

    Raises:
        UserError: two headers mean the same column.
    """
    names = [normalise(header) for header in headers]
    theirs = {normalise(header): column for header, column in columns.items() if column in schema.columns}
    mapped = {theirs[name] for name in names if name in theirs}
    known = {name: column for name, column in _aliases(schema).items() if column not in mapped}
    positions: dict[str, int] = {}
    unknown: list[str] = []
    for position, (header, name) in enumerate(zip(headers, names, strict=True)):
        column = theirs.get(name) or known.get(name)
        if column is None:
            unknown += [_shown(header)] if header.strip() and not re.fullmatch(schema.unread, header.strip()) else []
        elif column in positions:
            first = _shown(headers[positions[column]])
            raise UserError("same_column_twice", file=file, first=first, second=_shown(header), column=column)
        else:
            positions[column] = position
    return Header(positions, tuple(unknown))


def columns_in(headers: Sequence[str], schema: TableSchema, columns: Mapping[str, str]) -> set[str]:
    """Our columns that a row of cells names, if it is a row of headers."""
    theirs = {normalise(header): column for header, column in columns.items() if column in schema.columns}
    known = {**_aliases(schema), **theirs}
    return {known[name] for name in map(normalise, headers) if name in known}


def require(header: Header, schema: TableSchema, headers: Sequence[str], file: str) -> None:
    """Check that every required column was found.

    Raises:
        UserError: one is missing; the message names it and the known headers, and counts the others, which
            may be the cells of a person when the file has no headers.
    """
    missing = [column for column in schema.required if column not in header.positions]
    if missing:
        found = ", ".join(_shown(headers[position]) for position in header.positions.values()) or "—"
        others = len(header.unknown)
        raise UserError("missing_column", file=file, column=", ".join(missing), found=found, others=others)


def nameable(header: str) -> bool:
    """Whether a header nobody asked for may be shown: short, and without digits or signs of a value."""
    letters = unicodedata.normalize("NFC", header)
    return len(letters) <= LONGEST_NAMED and all(letter.isalpha() or letter in " _/()" for letter in letters)


def _shown(header: str) -> str:
    return printable(" ".join(header.split())[:80])


def load_column_map(path: str | Path) -> dict[str, str]:
    """Read the file given with ``--columns``: their header → our column.

    A ``.toml`` file holds lines ``"Tên KH" = "full_name"``; any other file is CSV with their header and our
    column on each line, without a line of headers.

    Raises:
        UserError: the file cannot be read, a line is malformed, or a column is none of ours.
    """
    file = printable(path)
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise UserError("not_a_regular_file", file=file)
        text = Path(path).read_text(encoding="utf-8-sig")
        entries = _toml_entries(text, file) if Path(path).suffix.lower() == ".toml" else _csv_entries(text, file)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = str(error) if isinstance(error, csv.Error) else type(error).__name__
        raise UserError("column_map_unreadable", file=file, reason=reason) from error
    ours = {column for schema in SCHEMAS for column in schema.columns}
    mapping: dict[str, str] = {}
    for line, theirs, column in entries:
        if column not in ours:
            named = column if re.fullmatch("[a-z_]{1,40}", column) else "?"
            raise UserError("column_map_unknown", file=file, row=line, column=named, known=", ".join(sorted(ours)))
        mapping[theirs] = column
    return mapping


def _csv_entries(text: str, file: str) -> list[tuple[int, str, str]]:
    entries = []
    reader = csv.reader(text.splitlines(), delimiter=";" if ";" in text and "," not in text else ",")
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != 2 or not cells[0].strip():
            raise UserError("column_map_line", file=file, row=reader.line_num)
        entries.append((reader.line_num, cells[0].strip(), cells[1].strip()))
    return entries


def _toml_entries(text: str, file: str) -> list[tuple[int, str, str]]:
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+)", str(error))
        row = int(place[1]) if place else text.count("\n") + 1
        raise UserError("column_map_line", file=file, row=row) from error
    lines = text.splitlines()
    entries = []
    for theirs, ours in table.items():
        row = next((number for number, line in enumerate(lines, 1) if theirs in line), 1)
        if not isinstance(ours, str):
            raise UserError("column_map_line", file=file, row=row)
        entries.append((row, theirs, ours))
    return entries
