"""How far the queue is: by unit, by day, and case by case for whoever takes them out of the house."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

from sqlalchemy import Select, and_, func, literal, select, text

from linkage.review.accounts import Account
from linkage.review.views import View, load
from linkage.store import Store, stamp
from linkage.store.schema import ANSWER, ENTRY, OPEN, REVIEW_CASE

__all__ = ["Throughput", "UnitProgress", "cases_of", "progress", "throughput", "with_open"]

_LOADED = 500
"""Cases that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class UnitProgress:
    """How many cases of the queue are in which state, of one unit and who they were dealt to.

    Args:
        unit: a code, ``facility:`` and an id, or empty.
        reviewer: to whom they were dealt; None: to nobody.
        open: to be read, those that somebody holds among them.
        held: that somebody has before them.
        disputed: that a supervisor must settle.
        settled: done.
        withdrawn: no longer asked, since a later run decided them.
        doses_open: doses of open and disputed cases.
        oldest: ISO day of the oldest dose of those.
    """

    unit: str
    reviewer: str | None
    open: int = 0
    held: int = 0
    disputed: int = 0
    settled: int = 0
    withdrawn: int = 0
    doses_open: int = 0
    oldest: str | None = None


@dataclass(frozen=True, slots=True)
class Throughput:
    """What one account did on one day (UTC): answers that were not taken back, and seconds of those that were timed."""

    day: str
    reader: str
    answers: int
    seconds: int
    timed: int


def progress(store: Store) -> list[UnitProgress]:
    """The queue by unit and reviewer; hidden and control cases are no part of it."""
    of = REVIEW_CASE.c
    group = (of.unit, of.reviewer)
    counted = (func.count(), func.sum(of.doses), func.min(of.waiting_since))
    states = select(*group, of.state, *counted).where(of.kind == "queue").group_by(*group, of.state)
    found: dict[tuple[str, str], UnitProgress] = {}
    with store.reading() as reader:
        # few are held: they are found by who holds them, and would not be if they were grouped there
        held = select(*group).where(
            of.kind == "queue", of.state == "open", of.holder.is_not(None), of.held_until >= stamp(store.now())
        )
        for unit, reviewer, state, cases, doses, oldest in reader.connection.execute(states):
            key = (unit, reviewer or "")
            unit_progress = found.get(key, UnitProgress(unit, reviewer))
            unit_progress = replace(unit_progress, **{state: cases})
            if state in ("open", "disputed"):
                days = [day for day in (unit_progress.oldest, oldest) if day]
                unit_progress = replace(
                    unit_progress, doses_open=unit_progress.doses_open + doses, oldest=min(days, default=None)
                )
            found[key] = unit_progress
        holding = Counter((unit, reviewer) for unit, reviewer in reader.connection.execute(held))
        for (unit, reviewer), cases in holding.items():
            found[unit, reviewer or ""] = replace(found[unit, reviewer or ""], held=cases)
    return [found[key] for key in sorted(found)]


def with_open(store: Store, by: Literal["unit", "reviewer"], only: Sequence[str] = ()) -> list[str]:
    """The units that have open cases of the queue, or the reviewers to whom such were dealt, in order.

    Args:
        store: the operational database.
        by: units or reviewers.
        only: no others than these, where there are any: the queue is then not counted through.
    """
    column = REVIEW_CASE.c[by]
    is_open = and_(text(OPEN), REVIEW_CASE.c.kind == "queue")
    with store.reading() as reader:
        if not only:
            every = select(column).where(is_open, column.is_not(None)).distinct().order_by(column)
            return list(reader.connection.execute(every).scalars())
        return [
            one
            for one in sorted(set(only))
            if reader.connection.execute(select(column).where(is_open, column == one).limit(1)).first()
        ]


def throughput(store: Store, days: int) -> list[Throughput]:
    """What was answered on each of the last days, by day and reader; the page and spreadsheets alike."""
    since = (store.now() - timedelta(days=days - 1)).date().isoformat()
    query = (
        select(ENTRY.c.at, ENTRY.c.actor, ANSWER.c.reading, ANSWER.c.seconds)
        .join(ENTRY, ENTRY.c.number == ANSWER.c.entry)
        .order_by(ANSWER.c.entry.desc())
    )
    done: dict[tuple[str, str], list[int]] = {}
    with store.reading() as reader:
        for rows in reader.stream(query):
            for at, actor, reading, seconds in rows:
                if at >= since:
                    counts = done.setdefault((at[:10], actor), [0, 0, 0])
                    counts[0] += 1 if reading else -1
                    counts[1] += seconds or 0
                    counts[2] += seconds is not None
            if rows[-1][0] < since:
                break
    return [Throughput(day, reader_name, *counts) for (day, reader_name), counts in sorted(done.items())]


def cases_of(
    store: Store,
    *,
    unit: str | None = None,
    reviewer: str | None = None,
    state: str = "open",
    account: Account | None = None,
) -> Iterator[View]:
    """Cases by place, never all in memory: hidden and control ones among them, which look like any other.

    Args:
        store: the operational database; its snapshot of now is read.
        unit: only those that belong there, as in ``View.unit``.
        reviewer: only those dealt to this account.
        state: of the cases; ``answers`` of a view are there where readers have said theirs.
        account: as this account sees them, without those it may not see or has read already.
    """
    of = REVIEW_CASE.c
    # databases find an index of some states by the text of the condition
    written = literal(state, literal_execute=True)
    query: Select[tuple[str]] = select(of.case_id).where(of.state == written).order_by(of.place, of.case_id)
    if unit is not None:
        query = query.where(of.unit == unit)
    if reviewer is not None:
        query = query.where(of.reviewer == reviewer)
    with store.reading() as reader:
        now = stamp(store.now())
        for rows in reader.stream(query):
            ids = [row[0] for row in rows]
            for first in range(0, len(ids), _LOADED):
                found = load(reader, ids[first : first + _LOADED])
                for case_id in ids[first : first + _LOADED]:
                    loaded = found[case_id]
                    if account is None or (loaded.belongs_to(account) and loaded.said_by(account.name) is None):
                        yield loaded.seen_by(account, now)
