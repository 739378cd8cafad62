"""The spreadsheets in which clerks decide, one for each unit: files, their names, how many cases each holds.

A spreadsheet computes a cell that begins with = + - @, eats leading zeros and turns numbers and surnames into dates and
truth values: every cell is text.
"""

import datetime as dt
import re
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import xlsxwriter

from linkage.messages import say
from linkage.review.sheet_layout import Control, control_total, shown_case
from linkage.review.sheet_page import SIZE, Book
from linkage.review.views import View
from linkage.tables import whole

__all__ = ["MOST_CASES", "By", "Written", "file_name", "write_sheet", "write_sheets"]

By = Literal["commune", "reviewer", "facility"]
MOST_CASES = 500
"""Cases of a file: what a person can hold."""

_NAMESPACE = uuid.UUID("8f0c6b0e-3c0e-5d0a-9d5b-6b686f700616")
_EPOCH = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - a workbook knows no time zones
_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "in_memory": True,
    "default_format_properties": {"font_size": SIZE},
}


@dataclass(frozen=True, slots=True)
class Written:
    """A file that was written; its part among those of its unit, and what it says of itself."""

    path: Path
    part: int
    control: Control


@dataclass(frozen=True, slots=True)
class _File:
    """A file to be written: where, of whom, what people call the unit, and the cases."""

    path: Path
    by: By
    unit: str
    title: str
    part: int
    views: Sequence[View]

    def control(self, language: str, rows: int) -> Control:
        ids = [view.case_id for view in self.views]
        run, model = (", ".join(sorted(names)) for names in zip(*{(v.run, v.model) for v in self.views}, strict=True))
        file = uuid.uuid5(_NAMESPACE, "|".join((run, model, language, self.by, self.unit, *ids)))
        return Control(str(file), run, model, self.by, self.unit, len(ids), rows, control_total(ids))


def write_sheets(
    cases: Iterable[View],
    folder: Path,
    *,
    language: str,
    by: By,
    names: Mapping[str, str] | None = None,
    most: int = MOST_CASES,
) -> list[Written]:
    """One workbook for each unit, split at ``most`` cases; each appears whole or not at all.

    The same cases in the same order give the same bytes. Up to ``most`` cases of each unit are held in memory.

    Args:
        cases: in the order in which they are to be decided.
        folder: where the files go; those of the same names are replaced.
        language: ``en`` or ``vi``.
        by: what the unit of a case is.
        names: unit → what people call it.
        most: cases of a file.

    Raises:
        UserError: a file cannot be written.
    """
    waiting: dict[str, list[View]] = {}
    parts: dict[str, int] = {}
    written = []

    def write(unit: str) -> None:
        parts[unit] = parts.get(unit, 0) + 1
        path = folder / file_name(by, unit, parts[unit], "xlsx")
        file = _File(path, by, unit, (names or {}).get(unit, unit), parts[unit], waiting.pop(unit))
        written.append(_write(file, language))

    for view in cases:
        unit = _unit(view, by)
        waiting.setdefault(unit, []).append(view)
        if len(waiting[unit]) == most:
            write(unit)
    for unit in sorted(waiting):
        write(unit)
    return written


def _unit(view: View, by: By) -> str:
    match by:
        case "reviewer":
            return view.reviewer or ""
        case "facility":
            return next((dose.facility_id for dose in view.case.doses if dose.in_case and dose.facility_id), "")
        case _:
            return view.unit


def file_name(by: By, unit: str, part: int, ending: str) -> str:
    """A name for every file system; units whose names had to be changed are told apart by a check value."""
    plain = re.sub("[^a-z0-9-]", "-", unit)[:60]
    safe = plain if plain == unit and plain else f"{plain}-{zlib.crc32(unit.encode()):08x}"
    return f"{by}_{safe}_{part}.{ending}"


def write_sheet(
    views: Sequence[View], path: Path, *, language: str, by: By, unit: str, title: str, part: int = 1
) -> Written:
    """One workbook; appears whole or not at all. The same cases in the same order give the same bytes.

    Args:
        views: its cases, in the order in which they are to be decided.
        path: where it goes; a file that is there is replaced.
        language: ``en`` or ``vi``.
        by: what the unit is.
        unit: code of the unit, or name of the reviewer.
        title: what people call it.
        part: its number among the files of the unit.

    Raises:
        UserError: it cannot be written.
    """
    return _write(_File(path, by, unit, title, part, views), language)


def _write(file: _File, language: str) -> Written:
    cases = [shown_case(view.case_id, view.model, view.case, language) for view in file.views]
    control = file.control(language, sum(len(case.rows) for case in cases))
    with whole(file.path) as target, xlsxwriter.Workbook(str(target), _OPTIONS) as workbook:
        # the same content gives the same bytes
        workbook.set_properties({"title": say("review_sheet.title", language, unit=file.title), "created": _EPOCH})
        book = Book(workbook, control, file.title, language)
        book.write_how_to()
        book.write_cases(cases)
    return Written(file.path, file.part, control)
