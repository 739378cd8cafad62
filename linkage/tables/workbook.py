"""Spreadsheets: what a cell shows a person, as text; numbers without the decimals Excel gives them."""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pyarrow as pa
import python_calamine

from linkage.errors import UserError
from linkage.tables.extent import check_extent
from linkage.tables.headers import Header, columns_in, recognise, require
from linkage.tables.schema import Chunk, TableSchema

HEADER_WITHIN = 30
CHUNK_ROWS = 50_000

Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet with a row of headers, and its rows."""

    name: str
    header: Header
    chunks: Iterator[Chunk]


@dataclass(frozen=True, slots=True)
class Workbook:
    """The sheets of a workbook that hold the table, and the names of the others."""

    sheets: tuple[Sheet, ...]
    ignored: tuple[str, ...]


def read_workbook(file: Path, schema: TableSchema, columns: Mapping[str, str]) -> Workbook:
    """The sheets with the required headers near the top; titles above and two rows of headers are allowed.

    Raises:
        UserError: the file is damaged, protected or far too large, no sheet has the headers, or one has a
            column twice.
    """
    check_extent(file)
    with readable(file):
        workbook = python_calamine.load_workbook(str(file))
        names = [sheet.name for sheet in workbook.sheets_metadata if sheet.typ == _WORKSHEET]
        sheets = [workbook.get_sheet_by_name(name) for name in names]
    recognised: list[Sheet] = []
    ignored: list[str] = []
    best: list[str] = []
    for sheet in sheets:
        with readable(file):
            top = [[cell_text(cell) for cell in row] for row in islice(sheet.iter_rows(), HEADER_WITHIN + 1)]
        headers, data_row = _find_header(top, schema, columns)
        if set(schema.required) <= columns_in(headers, schema, columns):
            header = recognise(headers, schema, columns, f"{file} [{sheet.name}]")
            recognised.append(Sheet(sheet.name, header, _chunks(file, sheet, header, data_row)))
        else:
            ignored.append(sheet.name)
            best = max(best, headers, key=lambda row: (len(columns_in(row, schema, columns)), sum(map(bool, row))))
    if not recognised:
        if not any(cell.strip() for cell in best):
            raise UserError("empty_file", file=file)
        require(recognise(best, schema, columns, str(file)), schema, best, str(file))
    return Workbook(tuple(recognised), tuple(ignored))


_WORKSHEET = python_calamine.SheetTypeEnum.WorkSheet


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Damage is reported in many ways; a panic of the reader is no `Exception`.

    Raises:
        UserError: the file is damaged or protected.
    """
    try:
        yield
    except python_calamine.PasswordError as error:
        raise UserError("workbook_protected", file=file) from error
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise UserError("damaged_file", file=file) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise UserError("damaged_file", file=file) from error


def _find_header(top: list[list[str]], schema: TableSchema, columns: Mapping[str, str]) -> tuple[list[str], int]:
    """The row of headers, or two rows read as one, that names most columns; and how many rows end with it."""
    found: tuple[list[str], int] = ([], 0)
    most = -1
    for number, row in enumerate(top[:HEADER_WITHIN]):
        pairs = [(row, number + 1)]
        if number + 1 < len(top):
            pairs.append((_merged(row, top[number + 1], schema, columns), number + 2))
        for headers, below in pairs:
            count = len(columns_in(headers, schema, columns))
            if count > most:
                found, most = (headers, below), count
    return found


def _merged(upper: list[str], lower: list[str], schema: TableSchema, columns: Mapping[str, str]) -> list[str]:
    width = max(len(upper), len(lower))
    above = upper + [""] * (width - len(upper))
    below = lower + [""] * (width - len(lower))
    return [
        high if not low or (columns_in([high], schema, columns) and not columns_in([low], schema, columns)) else low
        for high, low in zip(above, below, strict=True)
    ]


def _chunks(file: Path, sheet: python_calamine.CalamineSheet, header: Header, data_row: int) -> Iterator[Chunk]:
    rows = enumerate(islice(sheet.iter_rows(), data_row, None), data_row + 1)
    total = max(sheet.total_height, 1)
    ordinal = 0
    while True:
        with readable(file):
            batch = list(islice(rows, CHUNK_ROWS))
        if not batch:
            return
        filled = [(number, row) for number, row in batch if any(cell != "" for cell in row)]
        numbers = [number for number, _ in filled]
        columns = {
            "ordinal": pa.array(range(ordinal, ordinal + len(filled)), pa.int64()),
            "row": pa.array(numbers, pa.int64()),
        }
        for column, position in header.positions.items():
            texts = [cell_text(row[position]) if position < len(row) else "" for _, row in filled]
            columns[column] = pa.array(texts, pa.string())
        ordinal += len(filled)
        yield Chunk(pa.table(columns), (), min(batch[-1][0] / total, 1.0))


def cell_text(cell: Cell) -> str:
    match cell:
        case str():
            return cell
        case bool():
            return str(cell).upper()
        case float() if cell.is_integer():
            return str(int(cell))
        case dt.datetime():
            return str(cell).removesuffix(" 00:00:00")
        case _:
            return str(cell)
