"""The desk: the next case for whoever asks, their answer, their second thoughts, and what two readers disagree on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update

from linkage.errors import UserError
from linkage.review.accounts import EVERYWHERE, Account, unit_column
from linkage.review.answering import answer_many, ask_another, evidence_of, may_read, stage_many, surprising, weigh
from linkage.review.cases import Answer
from linkage.review.overview import Throughput, UnitProgress, cases_of, progress, throughput
from linkage.review.views import Applied, Changed, Given, Loaded, Settled, View, load
from linkage.store import Draft, Reader, Said, Store, Writer, stamp
from linkage.store.schema import OPEN, POOL, REVIEW_CASE

__all__ = [
    "Applied",
    "Changed",
    "Given",
    "Settled",
    "Throughput",
    "UnitProgress",
    "View",
    "answer_case",
    "answer_many",
    "cases_of",
    "disputes",
    "next_case",
    "open_case",
    "progress",
    "record_views",
    "stage_many",
    "throughput",
    "undo",
]

HELD = timedelta(minutes=15)
"""How long a case is kept for who has it before them."""

_AT_ONCE = 100
"""Units in one query: databases limit how many can be put together."""


def next_case(store: Store, account: Account) -> View | None:
    """The case that this reader should decide now; None if none is left for them.

    The one they have before them already; else, of the open cases of their units that are dealt to them or to nobody,
    the first by place that they have not read and nobody holds. It is theirs for a quarter of an hour.

    Raises:
        UserError: the store cannot be written.
    """
    with store.writing() as writer:
        now = store.now()
        found = _held(writer, account, now) or _waiting(writer, account, now)
        return _shown(writer, account, load(writer, [found])[found], now) if found else None


def open_case(store: Store, account: Account, case_id: str) -> View:
    """One case by its id, kept for the account if it can be answered and nobody else has it.

    Raises:
        UserError: ``review.no_case``, or ``review.not_yours``: it is of other units, or read again to control what
            this account said.
    """
    with store.writing() as writer:
        return _shown(writer, account, _accessible(writer, account, case_id), store.now())


def answer_case(
    store: Store, account: Account, case_id: str, version: int, answer: Answer, *, seconds: float | None = None
) -> Settled:
    """Write what an account says of a case. Who says the same again, after a lost reply, changes nothing.

    Args:
        store: the operational database.
        account: who says it.
        case_id: of the case.
        version: of the view that they saw.
        answer: what they say.
        seconds: how long they took.

    Raises:
        Changed: the case is not as it was seen, or can no longer be answered by them.
        UserError: ``review.no_case``, ``review.not_yours`` or ``review.not_candidate``.
    """
    with store.writing() as writer:
        loaded = _accessible(writer, account, case_id)
        mine = loaded.said_by(account.name)
        reading = weigh(loaded, account, answer)
        if reading == 0 and mine:
            return Settled(loaded.row.state, mine.entry)
        if reading == "not_candidate":
            raise UserError("review.not_candidate")
        if not isinstance(reading, int) or loaded.row.version != version:
            told = loaded.given if loaded.row.state == "settled" else ()
            raise Changed(loaded.seen_by(account, stamp(store.now())), told)
        taken = None if seconds is None else round(seconds)
        draft = Draft(
            "answer", account.name, answer.comment, evidence_of(loaded), run=loaded.row.run, model=loaded.row.model
        )
        said = Said(case_id, answer.outcome, answer.citizen_id, answer.field, answer.comment, reading, taken)
        if surprising(loaded, answer, reading):
            ask_another(writer, [case_id])
        entry = writer.append(draft, answers=[said])
        state = select(REVIEW_CASE.c.state).where(REVIEW_CASE.c.case_id == case_id)
        return Settled(writer.connection.execute(state).scalar_one(), entry)


def undo(store: Store, account: Account, case_id: str) -> View:
    """Take back what an account said of a case; it is theirs to answer again.

    Raises:
        UserError: ``review.no_case``, ``review.not_yours``, ``review.nothing_said``, or ``review.adjudicated``: a
            supervisor has settled since what two readers disagreed on.
    """
    with store.writing() as writer:
        loaded = _accessible(writer, account, case_id)
        mine = loaded.said_by(account.name)
        if mine is None:
            raise UserError("review.nothing_said")
        if max(given.reading for given in loaded.given) > max(mine.reading, 2):
            raise UserError("review.adjudicated")
        draft = Draft(
            "undo",
            account.name,
            evidence={"case": case_id},
            run=loaded.row.run,
            model=loaded.row.model,
            undoes=mine.entry,
        )
        said = mine.answer
        writer.append(draft, answers=[Said(case_id, said.outcome, said.citizen_id, said.field, "", 0, None)])
        return _kept(writer, account, load(writer, [case_id])[case_id], store.now())


def disputes(store: Store, account: Account, limit: int = 100) -> list[View]:
    """The cases of own units whose readers disagree, by place, that this account has not read itself.

    Args:
        store: the operational database.
        account: of a supervisor or administrator.
        limit: how many at most.

    Raises:
        UserError: ``review.not_supervisor``.
    """
    if not account.supervises:
        raise UserError("review.not_supervisor")
    query = select(REVIEW_CASE.c.case_id).where(text("state = 'disputed'")).order_by(REVIEW_CASE.c.place)
    views: list[View] = []
    with store.writing() as writer:
        now = stamp(store.now())
        for (case_id,) in writer.connection.execute(query).all():
            if len(views) >= limit:
                break
            loaded = load(writer, [case_id])[case_id]
            if may_read(writer, account, loaded) and loaded.said_by(account.name) is None:
                views.append(loaded.seen_by(account, now))
        if views:
            writer.append(Draft("view", account.name, evidence={"cases": [view.case_id for view in views]}))
    return views


def record_views(store: Store, actor: str, case_ids: list[str], evidence: Mapping[str, Any]) -> int:
    """Write to the ledger that somebody was given these cases by another way than the desk; returns its number."""
    with store.writing() as writer:
        return writer.append(Draft("view", actor, evidence={**evidence, "cases": case_ids}))


def _accessible(reader: Reader, account: Account, case_id: str) -> Loaded:
    loaded = load(reader, [case_id]).get(case_id)
    if loaded is None:
        raise UserError("review.no_case")
    if not may_read(reader, account, loaded):
        raise UserError("review.not_yours")
    return loaded


def _shown(writer: Writer, account: Account, loaded: Loaded, now: datetime) -> View:
    """A case shown to an account: kept for it where that makes sense, and written down."""
    evidence = {"case": loaded.row.case_id}
    writer.append(Draft("view", account.name, evidence=evidence, run=loaded.row.run, model=loaded.row.model))
    return _kept(writer, account, loaded, now)


def _kept(writer: Writer, account: Account, loaded: Loaded, now: datetime) -> View:
    state = loaded.row.state
    theirs = state == "open" or (state == "disputed" and account.supervises)
    free = loaded.held_by_another(account.name, stamp(now)) is None
    if theirs and free and loaded.said_by(account.name) is None:
        lease = {"holder": account.name, "held_until": stamp(now + HELD)}
        writer.connection.execute(update(REVIEW_CASE).where(REVIEW_CASE.c.case_id == loaded.row.case_id).values(lease))
    return loaded.seen_by(account, stamp(now))


_UNREAD = """
(first_reader IS NULL OR first_reader <> :me) AND (of_case IS NULL OR NOT EXISTS (
  SELECT 1 FROM answer AS a JOIN entry AS e ON e.number = a.entry WHERE a.case_id = of_case AND e.actor = :me))
"""
_FREE = "(held_until IS NULL OR held_until < :now OR holder = :me)"


def _held(reader: Reader, account: Account, now: datetime) -> str | None:
    """The case that the account has before it, if it still may."""
    where, values = _within(account)
    query = f"""
    SELECT case_id FROM review_case WHERE holder IS NOT NULL AND holder = :me AND held_until >= :now AND {OPEN}
      AND {_UNREAD} AND {where} ORDER BY place, case_id LIMIT 1
    """
    return reader.connection.execute(
        text(query), {"me": account.name, "now": stamp(now), **values}
    ).scalar_one_or_none()


def _waiting(reader: Reader, account: Account, now: datetime) -> str | None:
    """The open case with the lowest place: those dealt to the account, and those of each of its units."""
    where, values = _within(account)
    sources = [(f"{OPEN} AND reviewer = :me AND {where}", values)]
    if EVERYWHERE in account.units:
        sources.append((POOL, {}))
    else:
        for number, unit in enumerate(account.units):
            column, value = unit_column(unit)
            sources.append((f"{POOL} AND {column} = :unit{number}", {f"unit{number}": value}))
    best: list[tuple[int, str]] = []
    for first in range(0, len(sources), _AT_ONCE):
        some = sources[first : first + _AT_ONCE]
        parts = " UNION ALL ".join(
            "SELECT * FROM (SELECT place, case_id FROM review_case"
            f" WHERE {condition} AND {_UNREAD} AND {_FREE} ORDER BY place, case_id LIMIT 1) AS s{number}"
            for number, (condition, _) in enumerate(some)
        )
        parameters = {"me": account.name, "now": stamp(now)}
        for _, more in some:
            parameters |= more
        best += [(place, case_id) for place, case_id in reader.connection.execute(text(parts), parameters)]
    return min(best)[1] if best else None


def _within(account: Account) -> tuple[str, dict[str, str]]:
    """The condition that a case is of the account's units."""
    if EVERYWHERE in account.units:
        return "true", {}
    conditions, values = ["false"], {}
    for number, unit in enumerate(account.units):
        column, value = unit_column(unit)
        conditions.append(f"{column} = :within{number}")
        values[f"within{number}"] = value
    return f"({' OR '.join(conditions)})", values
