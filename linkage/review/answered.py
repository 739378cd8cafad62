"""What was answered, as a table for machines: for the platform, and for the facilities that must correct a record."""

import csv
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import select

from linkage.review.answering import ADJUDICATION
from linkage.review.sheet_rows import SAFE
from linkage.review.views import Given, answers_of
from linkage.store import Reader, Store
from linkage.store.schema import CASE_DOSE, REVIEW_CASE
from linkage.tables import refuse_to_overwrite, whole

__all__ = ["ANSWERED", "write_answered"]

ANSWERED = (
    *("dose_id", "subject_id", "facility_id", "outcome", "citizen_id", "field", "comment"),
    *("reader", "answered_at", "entry", "model", "case_id"),
)
"""The columns; ``field`` is what the facility is asked to correct where ``outcome`` is ``send_back``."""

_AT_ONCE = 500


def write_answered(store: Store, out: Path, *, force: bool = False) -> int:
    """Write a row for each dose of each settled case of the queue; returns how many.

    Hidden cases and those read again for acceptance sampling are no part of it. Values are as they are, so that tables
    can be joined; but a no-break space stands before one that a spreadsheet would compute.

    Args:
        store: holds the answers.
        out: a CSV file; appears whole or not at all.
        force: replace it.

    Raises:
        UserError: ``out`` exists or cannot be written.
    """
    refuse_to_overwrite(out, force=force)
    rows = 0
    with (
        store.reading() as reader,
        whole(out) as part,
        part.open("w", encoding="utf-8-sig", newline="", errors="replace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(ANSWERED)
        for row in _rows(reader):
            writer.writerow([_inert(cell) for cell in row])
            rows += 1
    return rows


def _inert(cell: str) -> str:
    return SAFE + cell if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _rows(reader: Reader) -> Iterator[list[str]]:
    of = REVIEW_CASE.c
    settled = (
        select(of.case_id, of.subject, of.facility, of.outcome, of.citizen_id, of.field, of.model)
        .where(of.kind == "queue", of.state == "settled")
        .order_by(of.case_id)
    )
    for cases in reader.stream(settled):
        for first in range(0, len(cases), _AT_ONCE):
            some = cases[first : first + _AT_ONCE]
            ids = [case[0] for case in some]
            given = answers_of(reader, ids)
            doses: dict[str, list[str]] = {}
            held = select(CASE_DOSE.c.case_id, CASE_DOSE.c.dose_id).where(CASE_DOSE.c.case_id.in_(ids))
            for case_id, dose_id in reader.connection.execute(held.order_by(CASE_DOSE.c.dose_id)):
                doses.setdefault(case_id, []).append(dose_id)
            for case_id, subject, facility, outcome, citizen, field, model in some:
                final = _final(given[case_id])
                said = (outcome, citizen or "", field or "", final.answer.comment, final.reader, final.at)
                for dose_id in doses.get(case_id, ()):
                    yield [dose_id, subject, facility or "", *said, str(final.entry), model, case_id]


def _final(given: tuple[Given, ...]) -> Given:
    """The answer that settled a case: of who judged a dispute, else of the first reader."""
    return given[-1] if given[-1].reading == ADJUDICATION else given[0]
