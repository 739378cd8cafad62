"""Answers of review sheets that came back: staged, with every row that cannot be used named; nothing is guessed."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linkage.messages import say, word
from linkage.review.cases import Answer
from linkage.review.decisions import Said, read_decision
from linkage.review.sheet_check import Fit, fit
from linkage.review.sheet_layout import Content, Control, control_total
from linkage.review.sheet_rows import RawFile, RawRow, read_rows, shown
from linkage.tables.files import printable as named
from linkage.tables.schema import GIANT_CELL

__all__ = ["Missing", "Notice", "ReadFile", "Staged", "StagedRow", "Unusable", "read_answers"]

MOST_NAMED = 40
"""Cases that a message names."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What was tolerated or may have been overlooked: the key of a message, and the names in it."""

    key: str
    facts: Mapping[str, object]

    def in_language(self, language: str) -> str:
        """The message in ``en`` or ``vi``."""
        return say(self.key, language, **_worded(self.facts, language))


@dataclass(frozen=True, slots=True)
class StagedRow:
    """An answer, and where it stands; ``row`` as a person counts."""

    file: Path
    sheet: str | None
    row: int
    case_id: str
    answer: Answer


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that cannot be used; ``reason`` is the key of a message and ``facts`` the names in it."""

    file: Path
    sheet: str | None
    row: int
    reason: str
    facts: Mapping[str, object] = field(default_factory=dict)

    def in_language(self, language: str) -> str:
        """File, row and reason in ``en`` or ``vi``."""
        reason = say(self.reason, language, **_worded(self.facts, language))
        return say("review_sheet.unusable", language, file=named(self.file), row=self.row, reason=reason)


@dataclass(frozen=True, slots=True)
class Missing:
    """Cases that went out in a file and are in none that came back: their numbers, of how many."""

    file: Path
    cases: tuple[int, ...]
    of: int

    def in_language(self, language: str) -> str:
        """File and numbers in ``en`` or ``vi``."""
        numbers = ", ".join(map(str, self.cases[:MOST_NAMED])) + "…" * (len(self.cases) > MOST_NAMED)
        facts = {"file": named(self.file), "of": self.of, "count": len(self.cases), "cases": numbers}
        return say("review_sheet.missing", language, **facts)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read; ``control`` is what it says of itself, ``reviewer`` what was written as a name."""

    file: Path
    control: Control | None
    reviewer: str
    rows: int


@dataclass(frozen=True, slots=True)
class Staged:
    """What the files say, before anything is applied.

    Args:
        rows: one for every case with one usable answer, in the order of the files.
        unusable: every row that would have been an answer and is none.
        missing: cases that did not come back.
        undecided: cases without a decision.
        notices: what was tolerated or may have been overlooked.
        files: those that were read.
    """

    rows: tuple[StagedRow, ...]
    unusable: tuple[Unusable, ...]
    missing: tuple[Missing, ...]
    undecided: int
    notices: tuple[Notice, ...]
    files: tuple[ReadFile, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that belongs to a case."""

    file: Path
    raw: RawRow
    content: Content
    case_id: str

    def unusable(self, reason: str, **facts: object) -> Unusable:
        return Unusable(self.file, self.raw.sheet, self.raw.row, f"review_sheet.unusable.{reason}", facts)

    def text(self, column: str) -> str:
        return shown(self.raw.cells.get(column, "")).strip()

    def fits(self) -> Iterator[tuple[str, Fit]]:
        """Column → whether its cell is what went out; columns that are no longer there are left out."""
        content = self.content
        for column, check in content.check.items():
            if column in self.raw.cells:
                yield column, fit(check, self.case_id, content.row, column, self.raw.cells[column])


def _where(row: _Row) -> dict[str, object]:
    return {"file": named(row.file), "row": row.raw.row}


def read_answers(files: Iterable[Path]) -> Staged:
    """Read review sheets and tables back, in whatever order, language and format they come.

    A blank decision is none. A case with two different decisions, or with a row that cannot be trusted, has no answer.

    Raises:
        UserError: a file cannot be read or holds no review sheet.
    """
    read = [read_rows(file) for file in files]
    lost: list[Unusable] = []
    cases: dict[str, list[_Row]] = {}
    for raw_file in read:
        for raw in raw_file.rows:
            row = _known(raw_file.file, raw)
            if isinstance(row, _Row):
                cases.setdefault(row.case_id, []).append(row)
            elif row:
                lost.append(row)
    answers = [_answer(rows) for rows in cases.values()]
    place = {raw_file.file: number for number, raw_file in enumerate(read)}

    def order(row: StagedRow | Unusable) -> tuple[int, str, int]:
        return place[row.file], row.sheet or "", row.row

    unusable = [each for answer in answers if isinstance(answer, list) for each in answer]
    return Staged(
        rows=tuple(sorted((answer for answer in answers if isinstance(answer, StagedRow)), key=order)),
        unusable=tuple(sorted((*lost, *unusable), key=order)),
        missing=_missing(read, cases.values()),
        undecided=answers.count(None),
        notices=tuple(_notices(read, cases, {answer.case_id for answer in answers if isinstance(answer, StagedRow)})),
        files=tuple(ReadFile(raw.file, raw.control, raw.reviewer, len(raw.rows)) for raw in read),
    )


def _known(file: Path, raw: RawRow) -> _Row | Unusable | None:
    """The case of a row; None of a row that says nothing."""
    text = shown(raw.cells.get("content", ""))
    if Control.from_text(text):
        return None
    content = Content.from_text(text)
    case_id = shown(raw.cells.get("case_id", "")).strip().lower()
    if content and content.belongs_to(case_id):
        return _Row(file, raw, content, case_id)
    said = shown(raw.cells.get("decision", "")).strip() or "decision" in raw.formulas
    return Unusable(file, raw.sheet, raw.row, "review_sheet.unusable.no_case") if said else None


def _answer(rows: Sequence[_Row]) -> StagedRow | list[Unusable] | None:
    """The one answer of a case; or why it has none; or None where nothing was decided."""
    decided = list(filter(_decided, rows))
    if not decided:
        return None
    problems = [problem for row in rows if (problem := _problem(row))]
    if problems:
        return problems
    read = [read_decision(row.text("decision"), row.content.row, len(row.content.citizens)) for row in decided]
    problems = [row.unusable(each) for row, each in zip(decided, read, strict=True) if isinstance(each, str)]
    if problems:
        return problems
    said = [each for each in read if isinstance(each, Said)]
    if len(set(said)) > 1:
        others = [next(row for row, each in zip(decided, said, strict=True) if each != mine) for mine in said]
        return [row.unusable("contradiction", **_where(other)) for row, other in zip(decided, others, strict=True)]
    return _staged(rows, decided[0], said[0])


def _decided(row: _Row) -> bool:
    return bool(row.text("decision")) or "decision" in row.raw.formulas


def _problem(row: _Row) -> Unusable | None:
    """Why a row of a decided case cannot be trusted."""
    if row.raw.formulas & {"decision", "comment"}:
        return row.unusable("formula")
    if max(len(row.text(column)) for column in ("decision", "comment")) > GIANT_CELL:
        return row.unusable("giant_cell")
    changed = [column for column, fits in row.fits() if fits == "changed"]
    return row.unusable("changed", column=changed[0]) if changed else None


def _staged(rows: Sequence[_Row], first: _Row, said: Said) -> StagedRow:
    citizen = first.content.citizens[said.number - 1] if said.number else None
    comments = dict.fromkeys(row.text("comment") for row in rows)
    answer = Answer(said.outcome, citizen, said.field, "\n".join(filter(None, comments)))
    return StagedRow(first.file, first.raw.sheet, first.raw.row, first.case_id, answer)


def _missing(read: Iterable[RawFile], cases: Iterable[Sequence[_Row]]) -> tuple[Missing, ...]:
    """What went out in the files that are here, and is not here."""
    here: dict[tuple[str, int], tuple[Path, set[int]]] = {
        (raw.control.file, raw.control.cases): (raw.file, set()) for raw in read if raw.control
    }
    for rows in cases:
        for row in rows:
            here.setdefault((row.content.file, row.content.of), (row.file, set()))[1].add(row.content.case)
    absent = (
        Missing(file, tuple(sorted(set(range(1, of + 1)) - numbers)), of) for (_, of), (file, numbers) in here.items()
    )
    return tuple(each for each in absent if each.cases)


def _notices(read: Iterable[RawFile], cases: Mapping[str, Sequence[_Row]], usable: Container[str]) -> Iterator[Notice]:
    for rows in cases.values():
        if not any(map(_decided, rows)):
            yield from (Notice("review_sheet.comment_alone", _where(row)) for row in rows if row.text("comment"))
    taken = (row for case_id, rows in cases.items() if case_id in usable for row in rows)
    mangled = Counter((row.file, column) for row in taken for column, fits in row.fits() if fits == "mangled")
    for (file, column), cells in mangled.items():
        yield Notice("review_sheet.mangled", {"file": named(file), "column": column, "cells": cells})
    for raw in read:
        if raw.control is not None:
            yield from _control_notices(raw.file, raw.control, cases.values())
        elif raw.rows and raw.rows[0].sheet is not None:
            yield Notice("review_sheet.no_control", {"file": named(raw.file)})


def _control_notices(file: Path, control: Control, cases: Iterable[Sequence[_Row]]) -> Iterator[Notice]:
    """Where all cases are here, whether they are those that went out, and with all their rows."""
    rows = [row for each in cases for row in each if row.content.file == control.file]
    ids = {row.case_id for row in rows}
    places = {(row.case_id, row.content.row) for row in rows}
    if len(ids) == control.cases and control_total(ids) != control.total:
        yield Notice("review_sheet.total_differs", {"file": named(file)})
    if len(ids) == control.cases and len(places) < control.rows:
        yield Notice("review_sheet.rows_lacking", {"file": named(file), "rows": control.rows - len(places)})


def _worded(facts: Mapping[str, object], language: str) -> dict[str, object]:
    if "column" not in facts:
        return dict(facts)
    return {**facts, "column": word(f"review_sheet.column.{facts['column']}", language)}
