"""Check values of cells: whether a cell that came back is what went out, and what a spreadsheet made of it."""

import datetime as dt
import re
import unicodedata
import zlib
from collections.abc import Iterator
from typing import Literal

from linkage.tables.workbook import Cell, cell_text

__all__ = ["Fit", "check_of", "fit"]

Fit = Literal["same", "mangled", "changed"]

DAYS = ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y", "%Y/%m/%d", "%m/%d/%Y", "%d.%m.%Y")
NUMBERS = ("number", "phone", "insurance_no", "birth_date")
"""Columns whose digits a spreadsheet may have rounded away."""

_ROUNDED = re.compile(r"\d+([.,]\d+)?[eE]\+?\d+")
_DAY = re.compile(r"(\d{1,4})([/.-])(\d{1,2})\2(\d{1,4})")


def check_of(case_id: str, row: int, column: str, text: str) -> str:
    """A short check value of a cell and of whose it is; white space and the encoding of accents do not count."""
    bare = "".join(unicodedata.normalize("NFC", text).split())
    return f"{zlib.crc32(f'{case_id}|{row}|{column}|{bare}'.encode(errors='replace')):08x}"


def fit(check: str, case_id: str, row: int, column: str, cell: Cell) -> Fit:
    """Whether a cell is what went out, or what a spreadsheet would make of it: a number, a date, a truth value."""
    text = cell_text(cell)
    if check_of(case_id, row, column, text) == check:
        return "same"
    if any(check_of(case_id, row, column, origin) == check for origin in _origins(cell, text)):
        return "mangled"
    return "mangled" if column in NUMBERS and _ROUNDED.fullmatch(text.strip()) else "changed"


def _origins(cell: Cell, text: str) -> Iterator[str]:
    """Texts of which a spreadsheet may have made this cell."""
    bare = text.strip()
    if bare.isascii() and bare.isdigit():
        yield f"+{bare}"
        yield from (bare.zfill(length) for length in range(len(bare) + 1, len(bare) + 4))
    if bare.lower() in {"true", "false"}:
        yield from (bare.upper(), bare.lower(), bare.title())
    yield from _days(cell, bare)


def _days(cell: Cell, bare: str) -> Iterator[str]:
    days: list[dt.date] = [cell] if isinstance(cell, dt.date) else []
    if parts := _DAY.fullmatch(bare):
        numbers = [int(parts[place]) for place in (1, 3, 4)]
        for year, month, day in ((2, 1, 0), (2, 0, 1), (0, 1, 2)):
            try:
                days.append(dt.date(numbers[year], numbers[month], numbers[day]))
            except ValueError:
                continue
    for each in days:
        yield from (each.strftime(form) for form in DAYS)
        yield f"{each.day}/{each.month}/{each.year}"
