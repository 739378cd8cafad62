"""The rows of a review sheet that came back, whatever saved it: XLSX, ODS or CSV."""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from xml.parsers import expat

import python_calamine

from linkage.errors import UserError
from linkage.messages import LANGUAGES, say
from linkage.review.sheet_layout import COLUMNS, Control, printable
from linkage.tables.extent import MOST_CELLS, check_extent
from linkage.tables.files import kind_of
from linkage.tables.files import printable as named
from linkage.tables.headers import normalise
from linkage.tables.lines import read_blocks
from linkage.tables.workbook import HEADER_WITHIN, Cell, cell_text, readable

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

__all__ = ["SAFE", "RawFile", "RawRow", "read_rows", "shown"]

REQUIRED = ("decision", "case_id", "content")
MOST_BYTES = 256 << 20
"""Of a file, unpacked: many times what the sheet of a unit takes."""
WORKBOOKS = (".xlsx", ".xlsm", ".ods")
"""Workbooks in which a formula can be told from a text."""
SAFE = "\u00a0"
"""Before every cell of a CSV file: a spreadsheet then takes it for text."""


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row as it came back.

    Args:
        sheet: of a workbook.
        row: as a person counts.
        cells: our column, or the header as it stands, → the cell.
        formulas: the columns in which a formula stands instead of a text.
    """

    sheet: str | None
    row: int
    cells: Mapping[str, Cell]
    formulas: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file that came back: its rows, what it says of itself, and the name that its reviewer wrote."""

    file: Path
    rows: tuple[RawRow, ...]
    control: Control | None
    reviewer: str


def read_rows(file: Path) -> RawFile:
    """Read all review sheets of a file; what else is in it is left alone.

    Raises:
        UserError: the file cannot be read, is far too large, or holds no review sheet.
    """
    kind = kind_of(file)
    if kind == "text":
        return _of_table(file, None, list(_text_rows(file)), {}) or _refuse(file)
    if kind != "workbook" or file.suffix.lower() not in WORKBOOKS:
        raise UserError("review_sheet.kind", file=named(file))
    return _of_workbook(file)


def shown(cell: Cell) -> str:
    """What a cell shows a person, as text."""
    return cell_text(cell)


def _refuse(file: Path) -> RawFile:
    raise UserError("review_sheet.none", file=named(file))


def _text_rows(file: Path) -> Iterator[tuple[int, list[Cell]]]:
    data = b""
    for block in read_blocks(file):
        data += block.data
        if len(data) > MOST_BYTES:
            raise UserError("review_sheet.too_large", file=named(file))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UserError("header_not_utf8", file=named(file), row=data.count(b"\n", 0, error.start) + 1) from error
    first = text.lstrip("\r\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    row = 1
    try:
        for cells in reader:
            yield row, [cell.removeprefix(SAFE) for cell in cells]
            row = reader.line_num + 1
    except csv.Error as error:
        raise UserError("review_sheet.bad_line", file=named(file), row=row) from error


def _of_workbook(file: Path) -> RawFile:
    _check_size(file)
    check_extent(file)
    with readable(file):
        formulas = _formulas(file)
        workbook = python_calamine.load_workbook(str(file))
        sheets = {name: workbook.get_sheet_by_name(name) for name in workbook.sheet_names}
        tables = {name: list(enumerate(sheet.iter_rows(), start=1)) for name, sheet in sheets.items()}
    found = [_of_table(file, name, rows, formulas.get(name, {})) for name, rows in tables.items()]
    read = [each for each in found if each]
    if not read:
        _refuse(file)
    cells = [cell for rows in tables.values() for _, row in rows for cell in row if isinstance(cell, str)]
    controls = [control for cell in cells if cell.startswith("{") and (control := Control.from_text(cell))]
    reviewers = [name for rows in tables.values() for _, row in rows if (name := _reviewer(row))]
    rows = tuple(row for each in read for row in each.rows)
    return RawFile(file, rows, controls[0] if controls else None, reviewers[0] if reviewers else "")


def _reviewer(row: Sequence[Cell]) -> str:
    if not row or normalise(str(row[0])) not in {normalise(say("review_sheet.reviewer", each)) for each in LANGUAGES}:
        return ""
    return next((printable(str(cell), 100).strip() for cell in row[1:] if str(cell).strip()), "")


def _check_size(file: Path) -> None:
    try:
        with zipfile.ZipFile(file) as archive:
            size = sum(part.file_size for part in archive.infolist())
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError("damaged_file", file=named(file)) from error
    if size > MOST_BYTES:
        raise UserError("review_sheet.too_large", file=named(file))


def _formulas(file: Path) -> dict[str, dict[int, set[int]]]:
    """Sheet → row → the places (0 first) of its formulas.

    Raises:
        UserError: there are some, and in a format whose formulas cannot be found again; or far too many cells.
    """
    with zipfile.ZipFile(file) as archive:
        if "content.xml" in archive.namelist():
            _check_ods(file, archive.read("content.xml"))
            return {}
        sheets = [name for name in archive.namelist() if name.lower().startswith("xl/worksheets/")]
        if not any(sign in archive.read(name) for name in sheets for sign in (b"<f", b":f")):
            return {}
    import openpyxl  # noqa: PLC0415 - it takes long to load, and few files have formulas

    try:
        book = openpyxl.load_workbook(file, read_only=True)
        return {sheet.title: dict(_formulas_of(sheet)) for sheet in book.worksheets}
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise UserError("damaged_file", file=named(file)) from error


def _formulas_of(sheet: "Worksheet") -> Iterator[tuple[int, set[int]]]:
    for row, cells in enumerate(sheet.iter_rows(), start=1):
        if places := {place for place, cell in enumerate(cells) if cell.data_type == "f"}:
            yield row, places


def _check_ods(file: Path, content: bytes) -> None:
    reach = _Reach()
    parser = expat.ParserCreate()
    parser.StartElementHandler = reach.start
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise UserError("damaged_file", file=named(file)) from error
    if reach.formula:
        raise UserError("review_sheet.formulas", file=named(file))
    if reach.cells > MOST_CELLS:
        raise UserError("review_sheet.too_large", file=named(file))


class _Reach:
    """How many filled cells an OpenDocument table says it has, and whether one is a formula."""

    def __init__(self) -> None:
        self.cells = 0
        self.formula = False
        self._rows = 1

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if name == "table:table-row":
            self._rows = int(attributes.get("table:number-rows-repeated", "1"))
        elif "office:value-type" in attributes:
            self.cells += self._rows * int(attributes.get("table:number-columns-repeated", "1"))
            self.formula = self.formula or "table:formula" in attributes


def _of_table(
    file: Path, sheet: str | None, rows: Sequence[tuple[int, list[Cell]]], formulas: Mapping[int, set[int]]
) -> RawFile | None:
    """The rows under the headers; None without headers.

    Raises:
        UserError: a column is there twice.
    """
    for place, (_, header) in enumerate(islice(rows, HEADER_WITHIN)):
        columns = [_columns().get(normalise(str(cell)), str(cell).strip()) for cell in header]
        if not set(REQUIRED) <= set(columns):
            continue
        for column in REQUIRED:
            if columns.count(column) > 1:
                first, second = [str(cell) for cell, each in zip(header, columns, strict=True) if each == column][:2]
                raise UserError("same_column_twice", file=named(file), first=first, second=second, column=column)
        found = tuple(
            RawRow(
                sheet,
                number,
                dict(zip(columns, cells, strict=False)),
                frozenset(columns[each] for each in formulas.get(number, ()) if each < len(columns)),
            )
            for number, cells in rows[place + 1 :]
            if any(str(cell).strip() for cell in cells)
        )
        return RawFile(file, found, None, "")
    return None


@cache
def _columns() -> dict[str, str]:
    """What a header says, without accents and signs → the column."""
    spoken = {normalise(say(f"review_sheet.column.{column}", each)): column for column in COLUMNS for each in LANGUAGES}
    return spoken | {normalise(column): column for column in COLUMNS}
