"""The pages of a review workbook: how to fill it in, the cases, and the lists behind the drop-downs."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from xlsxwriter import Workbook
from xlsxwriter.format import Format
from xlsxwriter.utility import xl_col_to_name
from xlsxwriter.worksheet import Worksheet

from linkage.messages import say
from linkage.review import words
from linkage.review.cases import ASKED, Outcome
from linkage.review.differing import Piece, Pieces
from linkage.review.sheet_layout import CHECKED, COLUMNS, MACHINE, Content, Control, ShownCase, ShownRow

__all__ = ["SIZE", "Book"]

WIDTHS: Mapping[str, float] = {
    "case": 5,
    "row": 10,
    "decision": 23,
    "name": 23,
    "birth_date": 11,
    "sex": 6,
    "number": 15,
    "phone": 14,
    "insurance_no": 17,
    "home": 30,
    "other": 13,
    "reason": 44,
    "doses": 42,
    "comment": 24,
    "case_id": 37,
    "model": 20,
    "content": 12,
}
"""Columns in characters."""
FROZEN = COLUMNS.index("birth_date")
DECISION = COLUMNS.index("decision")
INPUTS = ("decision", "comment")
SPARED = ("phone", "insurance_no", "other")
"""Columns that are hidden where no row of the file fills them."""
BANDS = ("#FFFFFF", "#E8F1FA")
INPUT = "#FFF6CC"
DARK = "#1F4E78"
DIFFERS: Mapping[str, Any] = {"bold": True, "underline": 1, "font_color": "#C00000"}
"""Told on paper without colours, too."""
MACHINE_LOOK: Mapping[str, Any] = {"font_color": "#808080", "font_size": 8, "align": "fill"}
GREY: Mapping[str, Any] = {"font_color": "#595959"}
A4 = 9
STEPS = ("open", "compare", "decide", "comment", "return")
MEANT: tuple[Outcome, ...] = ("citizen", "none", "cannot_tell", "mixed_up", "send_back")
PROTECTED = {"autofilter": True, "format_columns": True, "format_rows": True}
LOOKS_ESCAPED = re.compile("_x[0-9A-Fa-f]{4}_")

Look = Mapping[str, Any]
"""Properties of a format, as XlsxWriter names them; a cell is text at its top if they do not say."""

SIZE = 10
LINE = 13.5
"""Points: of letters, and from line to line."""
HIGHEST = 405.0
"""Points that a row of a spreadsheet may have."""


class Book:
    """A workbook while it is written.

    Args:
        book: empty.
        control: what the file says of itself.
        title: what people call its unit.
        language: ``en`` or ``vi``.
    """

    def __init__(self, book: Workbook, control: Control, title: str, language: str) -> None:
        self._book = book
        self._control = control
        self._title = title
        self._language = language
        self._formats: dict[tuple[tuple[str, Any], ...], Format] = {}

    def write_how_to(self) -> None:
        """The first page: what to do, what may be answered, and where the file comes from."""
        sheet = self._book.add_worksheet(self._say("how_to"))
        wrapped = {"text_wrap": True}
        self._write(sheet, (0, 0), self._say("title", unit=self._title), {"bold": True, "font_size": 16})
        at = 2
        for step in STEPS:
            parts = self._say(f"step.{step}").split("*")
            pieces = tuple(Piece(part, bool(place % 2)) for place, part in enumerate(parts) if part)
            self._write(sheet, (at, 0), self._say(f"head.{step}"), {"bold": True})
            self._write_pieces(sheet, (at, 1), pieces, wrapped)
            at += 1
        for outcome in MEANT:
            at += 1
            self._write(sheet, (at, 0), words.outcome(outcome, self._language), {"bold": True})
            self._write(sheet, (at, 1), self._say(f"means.{outcome}"), wrapped)
        at += 2
        self._write(sheet, (at, 0), self._say("reviewer"), {"bold": True})
        self._write(sheet, (at, 1), "", {"bg_color": INPUT, "border": 1, "locked": False})
        facts = [(name, str(getattr(self._control, name))) for name in ("run", "model", "file")]
        for name, text in (*facts, ("control", self._total())):
            at += 1
            self._write(sheet, (at, 0), self._say(f"fact.{name}"), GREY)
            self._write(sheet, (at, 1), text, {**GREY, "text_wrap": True})
        self._write(sheet, (at + 1, 0), self._control.as_text(), {"font_color": "#FFFFFF", "font_size": 1})
        sheet.set_column(0, 0, 30)
        sheet.set_column(1, 1, 118)
        sheet.hide_gridlines(2)
        self._set_up(sheet, (at, 1))
        sheet.activate()

    def write_cases(self, cases: Sequence[ShownCase]) -> None:
        """The cases: a record row, under it a row for each candidate; and a last row with the control total."""
        sheet = self._book.add_worksheet(self._say("sheet"))
        lists = self._write_lists(sorted({len(case.citizens) for case in cases}))
        header = {"bold": True, "text_wrap": True, "font_color": "#FFFFFF", "bg_color": DARK, "border": 1}
        for place, column in enumerate(COLUMNS):
            self._write(sheet, (0, place), self._say(f"column.{column}"), header)
        at = 1
        records: dict[int, list[list[int]]] = {number: [] for number in lists}
        for number, case in enumerate(cases, start=1):
            records[len(case.citizens)].append([at, DECISION, at, DECISION])
            for row in case.rows:
                self._write_row(sheet, at, number, case, row)
                sheet.set_row(at, _height(row))
                at += 1
        for number, cells in records.items():
            first, *others = cells
            sheet.data_validation(*first, {**self._choice(lists[number]), "other_cells": others})
        self._write(sheet, (at, COLUMNS.index("row")), self._say("end"), {"bold": True})
        self._write(sheet, (at, COLUMNS.index("reason")), self._total(), {"bold": True, "text_wrap": True})
        sheet.set_row(0, 2 * LINE + 4)
        sheet.set_row(at, 4 * LINE)
        self._write(sheet, (at, COLUMNS.index("content")), self._control.as_text(), MACHINE_LOOK)
        filled = {column for case in cases for row in case.rows for column in row.cells if row.text(column)}
        for place, column in enumerate(COLUMNS):
            hidden = column == "content" or (column in SPARED and column not in filled)
            sheet.set_column(place, place, WIDTHS[column], None, {"hidden": hidden})
        sheet.freeze_panes(1, FROZEN)
        sheet.autofilter(0, 0, max(at - 1, 1), len(COLUMNS) - 1)
        sheet.repeat_rows(0)
        self._set_up(sheet, (at, len(COLUMNS) - len(MACHINE) - 1))

    def _write_lists(self, candidates: Sequence[int]) -> dict[int, str]:
        """A hidden page with the answers; number of candidates → where its list stands.

        A list in the drop-down itself may have no more than 255 characters.
        """
        sheet = self._book.add_worksheet(self._say("lists"))
        sheet.hide()
        places = {}
        for column, number in enumerate(candidates):
            choices = [words.outcome("citizen", self._language, number=each) for each in range(1, number + 1)]
            choices += [words.outcome(name, self._language) for name in MEANT[1:-1]]
            choices += [words.outcome("send_back", self._language, field=field) for field in ASKED]
            for row, choice in enumerate(choices):
                self._write(sheet, (row, column), choice, {})
            letter = xl_col_to_name(column, col_abs=True)
            places[number] = f"='{self._say('lists')}'!{letter}$1:{letter}${len(choices)}"
        return places

    def _write_row(self, sheet: Worksheet, at: int, number: int, case: ShownCase, row: ShownRow) -> None:
        look: Look = {"bg_color": BANDS[number % 2], "border": 1, "border_color": "#B8C4CE", "text_wrap": True}
        # a line above each record tells the cases apart on paper
        look = look if row.number else {**look, "top": 2, "top_color": DARK}
        texts = {column: row.text(column) for column in CHECKED}
        content = Content(self._control.file, number, self._control.cases, row.number, case.citizens)
        content = content.checked(case.case_id, texts)
        machine = {"case_id": case.case_id, "model": case.model, "content": content.as_text()}
        label = self._say("candidate", number=row.number) if row.number else self._say("record")
        named = {"case": str(number), "row": label}
        for place, column in enumerate(COLUMNS):
            where = at, place
            if column in machine:
                self._write(sheet, where, machine[column], MACHINE_LOOK)
            elif column in named:
                self._write(sheet, where, named[column], {**look, "bold": not row.number})
            elif column in INPUTS and not row.number:
                self._write(sheet, where, "", {**look, "bg_color": INPUT, "locked": False})
            else:
                self._write_pieces(sheet, where, row.cells.get(column, ()), look)

    def _write_pieces(self, sheet: Worksheet, where: tuple[int, int], pieces: Pieces, look: Look) -> None:
        """Text with what differs bold, underlined and red."""
        runs = [
            (differs, "".join(each.text for each in run)) for differs, run in groupby(pieces, attrgetter("differs"))
        ]
        text = "".join(part for _, part in runs)
        # XlsxWriter escapes twice what looks like an escape (_x000D_) in a text of several formats
        if len(runs) > 1 and not LOOKS_ESCAPED.search(text):
            size = {"font_size": look.get("font_size", 10)}
            parts = [
                part for differs, run in runs for part in (self._format({**size, **(DIFFERS if differs else {})}), run)
            ]
            sheet.write_rich_string(*where, *parts, self._format(look))
        else:
            self._write(sheet, where, text, {**look, **(DIFFERS if any(differs for differs, _ in runs) else {})})

    def _write(self, sheet: Worksheet, where: tuple[int, int], text: str, look: Look) -> None:
        if text:
            sheet.write_string(*where, text, self._format(look))
        else:
            sheet.write_blank(*where, None, self._format(look))

    def _format(self, look: Look) -> Format:
        key = tuple(sorted(look.items()))
        if key not in self._formats:
            self._formats[key] = self._book.add_format({"num_format": "@", "valign": "top", **look})
        return self._formats[key]

    def _set_up(self, sheet: Worksheet, last: tuple[int, int]) -> None:
        sheet.protect("", PROTECTED)
        sheet.set_landscape()
        sheet.set_paper(A4)
        sheet.fit_to_pages(1, 0)
        sheet.print_area(0, 0, *last)
        sheet.set_margins(left=0.3, right=0.3, top=0.6, bottom=0.6)
        sheet.set_header("&L" + self._title.replace("&", "&&")[:200] + "&R&P / &N")

    def _choice(self, source: str) -> dict[str, Any]:
        title, message = self._say("choose_title"), self._say("choose")
        return {"validate": "list", "source": source, "error_title": title, "error_message": message}

    def _total(self) -> str:
        control = self._control
        total = f"{control.total:09}"
        return self._say("control", cases=control.cases, rows=control.rows, total=total, file=control.file)

    def _say(self, name: str, **facts: object) -> str:
        return say(f"review_sheet.{name}", self._language, **facts)


def _height(row: ShownRow) -> float:
    """Points for all lines of all cells, which not every spreadsheet finds by itself."""
    lines = max((_lines(row.text(column), WIDTHS[column]) for column in row.cells), default=1)
    return min(max(lines, 1) * LINE + 2, HIGHEST)


def _lines(text: str, width: float) -> int:
    return sum(max(1, math.ceil(len(line) / (width * 0.95))) for line in text.split("\n"))
