"""How far the sheets of a workbook reach, before anyone makes room for all their cells."""

import lzma
import string
import zipfile
import zlib
from functools import partial
from pathlib import Path
from xml.parsers import expat

from linkage.errors import UserError
from linkage.tables.files import printable

MOST_CELLS = 1 << 25
"""Cells of a sheet, empty ones between filled ones included: as many rows as Excel has, 32 columns wide."""
MOST_BYTES = 4 << 30
"""All parts of a workbook, unpacked."""
PIECE = 1 << 20


def check_extent(file: Path) -> None:
    """Check the sheets of an Office Open XML workbook; other files pass.

    The whole rectangle around the filled cells of a sheet is held in memory when the sheet is read, so one
    stray cell in the last column and row would take hundreds of gigabytes.

    Raises:
        UserError: the workbook or one of its sheets is too large, or it is damaged.
    """
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            parts = [part for part in archive.infolist() if part.filename.lower().endswith((".xml", ".rels"))]
            if sum(part.file_size for part in parts) > MOST_BYTES:
                raise UserError("workbook_too_large", file=file)
            for part in parts:
                extent = _measure(archive, part)
                if extent.rows * extent.columns > MOST_CELLS:
                    sheet = printable(_sheet_name(archive, part.filename))
                    raise UserError("sheet_too_large", file=file, sheet=sheet, row=extent.rows, column=extent.columns)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        raise UserError("damaged_file", file=file) from error
    except (expat.ExpatError, ValueError, RuntimeError) as error:
        raise UserError("damaged_file", file=file) from error


class _Extent:
    """The last row and the last column with a filled cell, found while a sheet streams by."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns = 0
        self.is_sheet: bool | None = None
        self._row = 0
        self._column = 0
        self._columns: dict[str, int] = {}

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins; the prefix of its name does not count."""
        element = name[name.index(":") + 1 :] if ":" in name else name
        if element == "c":
            self._move_to(attributes.get("r"))
        elif element in {"v", "is"}:
            if self._row > self.rows or self._column > self.columns:
                self.rows, self.columns = max(self.rows, self._row), max(self.columns, self._column)
        elif element == "row":
            self._row = int(attributes["r"]) if "r" in attributes else self._row + 1
            self._column = 0
        elif self.is_sheet is None:
            self.is_sheet = element == "worksheet"

    def _move_to(self, reference: str | None) -> None:
        if reference is None:
            self._column += 1
            return
        letters = reference.rstrip(string.digits)
        column = self._columns.get(letters)
        if column is None:
            column = self._columns[letters] = _column_number(letters)
        self._column = column
        self._row = int(reference[len(letters) :])


def _column_number(letters: str) -> int:
    if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
        raise ValueError
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _measure(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> _Extent:
    """How far a part reaches, if it is a sheet; every part is unpacked, so that none is larger than it says."""
    extent = _Extent()
    parser = expat.ParserCreate()
    parser.StartElementHandler = extent.start
    with archive.open(part) as stream:
        for piece in iter(partial(stream.read, PIECE), b""):
            if extent.is_sheet is not False:
                parser.Parse(piece, False)
    if extent.is_sheet:
        parser.Parse(b"", True)
    return extent


def _sheet_name(archive: zipfile.ZipFile, part: str) -> str:
    """What the workbook calls a part; the name of the part when it calls it nothing."""
    names = {
        value: attributes.get("name", part)
        for attributes in _attributes(archive, "xl/workbook.xml")
        for key, value in attributes.items()
        if key.endswith(":id")
    }
    for attributes in _attributes(archive, "xl/_rels/workbook.xml.rels"):
        target = attributes.get("Target", "").removeprefix("/").removeprefix("xl/")
        if f"xl/{target}".lower() == part.lower():
            return names.get(attributes.get("Id", ""), part)
    return part


def _attributes(archive: zipfile.ZipFile, part: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    if part in archive.namelist():
        parser = expat.ParserCreate()
        parser.StartElementHandler = lambda _name, attributes: found.append(attributes)
        parser.Parse(archive.read(part), True)
    return found
