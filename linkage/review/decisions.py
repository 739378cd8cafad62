"""The words of a decision cell, as whoever typed them: what they say, or nothing where that is not certain."""

import re
from dataclasses import dataclass
from functools import cache

from linkage.messages import LANGUAGES
from linkage.review import words
from linkage.review.cases import ASKED, OUTCOMES, Outcome
from linkage.tables.headers import normalise

__all__ = ["Said", "read_decision"]

MARKS = frozenset({"x", "✓", "✔"})
"""Said beside a candidate: this one."""
_NUMBERED = re.compile(r"(\d{1,4})(?:[.,]0+)?\s*[:.)-]?\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Said:
    """An outcome; of ``citizen`` the number of the candidate, of ``send_back`` what to ask for."""

    outcome: Outcome
    number: int | None = None
    field: str | None = None


def read_decision(text: str, row: int, candidates: int) -> Said | str:
    """What a decision says, in either language; or why it says nothing.

    A candidate is named by its number, or by standing in its row; the one candidate of a case by its outcome alone.

    Args:
        text: of the cell, not blank.
        row: 0 for the record, else the number of the candidate.
        candidates: how many the case has.

    Returns:
        What was said, or the last part of a key ``review_sheet.unusable.<…>``: ``unreadable``, ``no_candidate``,
        ``another_row``, ``which_citizen``.
    """
    numbered = _NUMBERED.fullmatch(text.strip())
    number = int(numbered[1]) if numbered else None
    rest = normalise(numbered[2]) if numbered else normalise(text)
    said = (
        Said("citizen")
        if (numbered and not numbered[2]) or (row and text.strip().lower() in MARKS)
        else _words().get(rest)
    )
    if said is None or (numbered and said.outcome != "citizen"):
        return "unreadable"
    if said.outcome != "citizen":
        return said
    number = number if number is not None else row or (1 if candidates == 1 else None)
    if number is None:
        return "which_citizen"
    if not 1 <= number <= candidates:
        return "no_candidate"
    return "another_row" if row and number != row else Said("citizen", number)


@cache
def _words() -> dict[str, Said]:
    """What is said, without accents and signs → what it means."""
    plain = [name for name in OUTCOMES if name != "send_back"]
    said = {normalise(name): Said(name) for name in plain}
    said |= {normalise(f"send_back {field}"): Said("send_back", field=field) for field in ASKED}
    for each in LANGUAGES:
        said |= {normalise(words.outcome(name, each)): Said(name) for name in plain}
        said |= {
            normalise(words.outcome("send_back", each, field=field)): Said("send_back", field=field) for field in ASKED
        }
    return said
