"""Cases and answers for machines: CSV with a row for each candidate, every value as typed.

Before every cell stands a no-break space, and one before = + - @ after a quote, a space or what may be taken for a
delimiter: a spreadsheet then computes nothing. Whoever reads the values takes them away; `read_answers` does.
"""

import csv
import re
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from linkage.review.cases import PAIRED
from linkage.review.sheet_layout import Content
from linkage.review.sheet_rows import SAFE
from linkage.review.views import View
from linkage.tables import whole

__all__ = ["TABLE", "safe", "write_table"]

_RECORD = tuple(record for record, _ in PAIRED.values() if record)
_REGISTRY = tuple(column for _, registry in PAIRED.values() for column in registry if column != "citizen_id")

TABLE = (
    *("case_id", "unit", "doses", "candidate", "citizen_id", "decision", "comment"),
    *(f"record_{column}" for column in _RECORD),
    *(f"registry_{column}" for column in _REGISTRY),
    *("probability", "match_weight", "run", "model", "content"),
)
"""The columns: ``candidate`` counts from 1, ``doses`` are joined by spaces, ``content`` is for the way back.

A decision is ``citizen`` in the row of the candidate, or in any row of the case its number, ``none``, ``cannot_tell``,
``mixed_up`` or ``send_back`` and one of ``linkage.review.cases.ASKED``.
"""

_NAMESPACE = uuid.UUID("8f0c6b0e-3c0e-5d0a-9d5b-6b686f700626")


def write_table(cases: Sequence[View], path: Path) -> int:
    """Write a row for each candidate, one without candidate for a case that has none; returns the number of rows.

    Args:
        cases: in the order in which they are to be decided.
        path: appears whole or not at all; what was there is replaced.

    Raises:
        UserError: it cannot be written.
    """
    rows = 0
    with whole(path) as part, part.open("w", encoding="utf-8-sig", newline="", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(TABLE)
        for row in _rows(cases):
            writer.writerow([safe(cell) for cell in row])
            rows += 1
    return rows


def safe(cell: str) -> str:
    """A cell that no spreadsheet computes, however it splits the line; empty stays empty."""
    return SAFE + re.sub(r"""(?<=[,;|'"\s])(?=[=+\-@])""", SAFE, cell) if cell else ""


def _rows(cases: Sequence[View]) -> Iterator[list[str]]:
    file = str(uuid.uuid5(_NAMESPACE, "|".join(view.case_id for view in cases)))
    for number, view in enumerate(cases, start=1):
        citizens = tuple(candidate.citizen_id for candidate in view.case.candidates)
        record = [view.case.record.get(column) or "" for column in _RECORD]
        for row, candidate in enumerate(view.case.candidates or (None,), start=bool(citizens)):
            content = Content(file, number, len(cases), row, citizens).checked(view.case_id, {})
            registry = [(candidate.registry.get(column) if candidate else None) or "" for column in _REGISTRY]
            figures = [f"{candidate.probability:.6f}", f"{candidate.match_weight:.3f}"] if candidate else ["", ""]
            yield [
                *(
                    view.case_id,
                    view.unit,
                    " ".join(view.case.dose_ids),
                    str(row or ""),
                    citizens[row - 1] if row else "",
                ),
                *("", ""),
                *record,
                *registry,
                *(*figures, view.run, view.model, content.as_text()),
            ]
