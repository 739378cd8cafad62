"""The list of a unit on paper: the police tick and sign, the health station enters what they said."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from linkage.reports.pages import environment
from linkage.review import words
from linkage.review.cases import Answer
from linkage.review.sheet_layout import ShownRow, control_total, printable, shown_case
from linkage.review.views import View

__all__ = ["signing_page"]

PLACES = ("name", "birth_date", "sex", "number", "phone", "home")
"""Columns of record and citizens."""
OTHERWISE = ("none", "cannot_tell", "mixed_up", "send_back")
"""What may be ticked beside the citizens."""

MOST_DOSES = 12


@dataclass(frozen=True, slots=True)
class _Entry:
    """A case on paper: its number, the rows, its doses, and the answer it has, if any."""

    number: int
    rows: tuple[ShownRow, ...]
    doses: tuple[str, ...]
    answer: Answer | None
    chosen: int | None


def signing_page(cases: Iterable[View], language: str, *, unit: str) -> str:
    """A page that needs nothing beside itself, to print across A4: records, citizens, boxes to tick, who signs.

    Where a case has an answer, its box is ticked and the answer's comment stands beside it.

    Args:
        cases: in the order in which they are printed.
        language: ``en`` or ``vi``.
        unit: what people call the commune or facility.
    """
    views = list(cases)
    pages = environment(language, "linkage.review")
    pages.filters["printable"] = printable
    pages.filters["outcome"] = lambda name: words.outcome(name, language)
    pages.filters["css"] = lambda text: "".join(f"\\{ord(letter):06x}" for letter in text)
    pages.filters["asked"] = lambda field: words.line(field, language)
    return pages.get_template("signing.html").render(
        unit=printable(unit),
        entries=list(_entries(views, language)),
        places=PLACES,
        otherwise=OTHERWISE,
        total=f"{control_total(view.case_id for view in views):09}",
        runs=sorted({view.run[:12] for view in views}),
    )


def _entries(views: Iterable[View], language: str) -> Iterator[_Entry]:
    for number, view in enumerate(views, start=1):
        case = shown_case(view.case_id, view.model, view.case, language)
        given = view.answers[-1] if view.answers else view.mine
        answer = given.answer if given else None
        chosen = case.citizens.index(answer.citizen_id) + 1 if answer and answer.citizen_id in case.citizens else None
        doses = tuple(printable(each) for each in words.doses(view.case, language)[:MOST_DOSES])
        yield _Entry(number, case.rows, doses, answer, chosen)
