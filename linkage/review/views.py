"""What somebody at the desk is shown of a case, and what became of what they said."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Row, select

from linkage.review.accounts import Account
from linkage.review.cases import Answer, Case, from_json
from linkage.store import Reader
from linkage.store.schema import ANSWER, CASE_CONTENT, ENTRY, REVIEW_CASE

__all__ = ["Applied", "Changed", "Given", "Loaded", "Settled", "State", "View", "answers_of", "load"]

State = Literal["open", "disputed", "settled", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Given:
    """An answer that counts.

    Args:
        reader: name of the account.
        at: UTC, ISO 8601.
        answer: what was said.
        entry: number of the entry of the ledger.
        reading: 1 or 2; 3 of who settled a dispute.
    """

    reader: str
    at: str
    answer: Answer
    entry: int
    reading: int


@dataclass(frozen=True, slots=True)
class View:
    """A case as one account sees it: whether it is hidden or read again for control cannot be seen.

    Args:
        case_id: UUID.
        version: goes up with every change; whoever answers says which one they saw.
        case: what is shown.
        unit: where it belongs: a code, ``facility:`` and an id, or empty.
        state: of the case.
        readings: answers it needs, 1 or 2.
        run: digest of the run.
        model: ``name@digest``.
        reviewer: to whom it was dealt.
        answers: those that count, by reading; only for who supervises, and only once the readers have said theirs.
        mine: what this account said.
        held_by: somebody else who has it before them now.
    """

    case_id: str
    version: int
    case: Case
    unit: str
    state: State
    readings: int
    run: str
    model: str
    reviewer: str | None = None
    answers: tuple[Given, ...] = ()
    mine: Given | None = None
    held_by: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """What an answer did: the state of the case after it, and the number of its entry."""

    state: State
    entry: int


class Changed(Exception):  # noqa: N818 # a conflict is no error of anybody
    """The case is not as it was seen: nothing was written.

    Args:
        view: the case as it is now.
        given: what settled it and by whom; empty where it may still be read without knowing.
    """

    def __init__(self, view: View, given: tuple[Given, ...] = ()) -> None:
        self.view = view
        self.given = given
        super().__init__(view.case_id)


@dataclass(frozen=True, slots=True)
class Applied:
    """What many answers did, or would do.

    Args:
        entry: number of their one entry; None where nothing was written.
        applied: the cases that have a new answer.
        unchanged: the cases that had the same answer of the same account already.
        refused: case and message: ``review.refused.no_case``, ``.not_yours``, ``.withdrawn``, ``.settled``,
            ``.disputed``, ``.answered`` (otherwise, by the same account), ``.not_candidate``, ``.twice``.
    """

    entry: int | None
    applied: tuple[str, ...]
    unchanged: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A case as it stands in the store: its row of ``review_case``, the answers that count, and what is shown."""

    row: Row[Any]
    given: tuple[Given, ...]
    case: Case

    def said_by(self, name: str) -> Given | None:
        """What an account said of it."""
        return next((given for given in self.given if given.reader == name), None)

    def belongs_to(self, account: Account) -> bool:
        """Whether an account may see it."""
        row = self.row
        return account.covers(row.province, row.district, row.commune, row.facility)

    def held_by_another(self, name: str, now: str) -> str | None:
        """Who else has it before them."""
        row = self.row
        return row.holder if row.holder not in (None, name) and row.held_until >= now else None

    def seen_by(self, account: Account | None, now: str) -> View:
        """The case for an account; for None as it leaves the house."""
        row, name = self.row, account.name if account else ""
        told = (account is None or account.supervises) and row.state in ("disputed", "settled")
        return View(
            case_id=row.case_id,
            version=row.version,
            case=self.case,
            unit=row.unit,
            state=row.state,
            readings=row.readings,
            run=row.run,
            model=row.model,
            reviewer=row.reviewer,
            answers=self.given if told else (),
            mine=self.said_by(name),
            held_by=self.held_by_another(name, now),
        )


def load(reader: Reader, case_ids: Iterable[str]) -> dict[str, Loaded]:
    """These cases, all in memory; those that do not exist are missing."""
    wanted = set(case_ids)
    given = answers_of(reader, wanted)
    joined = select(REVIEW_CASE, CASE_CONTENT.c.content).join(
        CASE_CONTENT, CASE_CONTENT.c.case_id == REVIEW_CASE.c.case_id
    )
    rows = reader.rows_among(wanted, lambda keys: joined.where(REVIEW_CASE.c.case_id.in_(keys)))
    return {row.case_id: Loaded(row, given.get(row.case_id, ()), from_json(row.content)) for row in rows}


def answers_of(reader: Reader, case_ids: Iterable[str]) -> dict[str, tuple[Given, ...]]:
    """The answers to these cases that count, by reading."""
    columns = (ANSWER.c.case_id, ENTRY.c.actor, ENTRY.c.at, *ANSWER.c["outcome", "citizen_id", "field", "comment"])
    query = select(*columns, ANSWER.c.entry, ANSWER.c.reading).join(ENTRY, ENTRY.c.number == ANSWER.c.entry)
    rows = reader.among(case_ids, lambda keys: query.where(ANSWER.c.case_id.in_(keys)))
    found: dict[str, dict[str, Given]] = {}
    for case_id, actor, at, outcome, citizen, field, comment, entry, reading in sorted(rows, key=_entry_of):
        given = found.setdefault(case_id, {})
        given.pop(actor, None)
        if reading:
            given[actor] = Given(actor, at, Answer(outcome, citizen, field, comment), entry, reading)
    return {case_id: _by_reading(list(given.values())) for case_id, given in found.items()}


def _entry_of(row: Sequence[Any]) -> int:
    return int(row[-2])


def _by_reading(given: list[Given]) -> tuple[Given, ...]:
    return tuple(sorted(given, key=lambda one: one.reading))
