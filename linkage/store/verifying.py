"""Whether the ledger and the state are what was written."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, select, text

from linkage.messages import say
from linkage.store.reading import BATCH, Reader
from linkage.store.records import FIRST, RowsDigest
from linkage.store.reviewing import LOST, WRONG, rebuild_cases
from linkage.store.schema import ENTRY, OF_AN_ENTRY, SINCE_REVIEW
from linkage.store.writing import drop_indexes, make_indexes


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is not as it was written.

    Args:
        kind: its message, ``store.problem.<kind>``.
        entry: the number of the entry it is about, if it is about one.
        count: how many rows it is about.
    """

    kind: str
    entry: int | None = None
    count: int = 0

    def in_language(self, language: str) -> str:
        """The problem in ``en`` or ``vi``."""
        return say(f"store.problem.{self.kind}", language, entry=self.entry, count=self.count)


def verify(reader: Reader, head: str | None) -> list[Problem]:
    """Read everything again: the chain of hashes, the numbers, the rows of every entry, the state that follows.

    Found is whatever was edited, inserted, deleted or reordered, in any table. Not found is what leaves a shorter or
    other ledger that is whole in itself: the last entries cut off with all their rows and the state rebuilt, or every
    hash from some entry on computed anew. Against both, the hash of the last entry is written down elsewhere, and given
    as ``head``.

    Args:
        reader: a snapshot.
        head: a hash that some entry of the ledger must have.
    """
    problems: list[Problem] = []
    hashes = {FIRST}
    previous, expected = FIRST, 1
    rows = _RowsDigests(reader)
    for entry in reader.entries():
        if entry.number != expected:
            problems.append(Problem("gap", entry.number))
        if entry.previous != previous:
            problems.append(Problem("chain", entry.number))
        if entry.hash != entry.sealed():
            problems.append(Problem("entry", entry.number))
        if entry.rows != rows.of(entry.number):
            problems.append(Problem("rows", entry.number))
        previous, expected = entry.hash, entry.number + 1
        hashes.add(entry.hash)
    if head is not None and head not in hashes:
        problems.append(Problem("head"))
    for kind, query in _COUNTS.items():
        count = reader.connection.execute(text(query)).scalar_one()
        if count:
            problems.append(Problem(kind, count=count))
    return problems


_Rows = Iterator[tuple[int, Iterator[tuple[Any, ...]]]]


class _RowsDigests:
    """The digests of the rows of all entries, asked for in the order of their numbers; each table is read once."""

    def __init__(self, reader: Reader) -> None:
        self._tables = {table.name: _by_entry(reader, table) for table in OF_AN_ENTRY}
        self._next = {name: next(found, None) for name, found in self._tables.items()}

    def of(self, number: int) -> str:
        """The digest of the rows that an entry has."""
        digest = RowsDigest()
        for name, found in self._tables.items():
            if name not in SINCE_REVIEW:
                digest.begin(name)
            rows = self._next[name]
            if rows is None or rows[0] != number:
                continue
            if name in SINCE_REVIEW:
                digest.begin(name)
            while batch := [row[1:] for row in islice(rows[1], BATCH)]:
                digest.add(batch)
            self._next[name] = next(found, None)
        return digest.hexdigest()


def _by_entry(reader: Reader, table: Table) -> _Rows:
    """The rows of a table that belong to entries that exist, by entry."""
    entry, *columns = table.columns
    keys = [column for column in table.primary_key if column is not entry]
    query = select(entry, *columns).where(entry.in_(select(ENTRY.c.number))).order_by(entry, *keys)
    return groupby((row for batch in reader.stream(query) for row in batch), key=itemgetter(0))


_STATE = """
SELECT latest.subject, latest.base_after AS base, latest.person_after AS person_id, latest.citizen_after AS citizen_id,
    bounds.first_entry
FROM (SELECT subject, min(entry) AS first_entry, max(entry) AS last_entry FROM change GROUP BY subject) AS bounds
JOIN change AS latest ON latest.entry = bounds.last_entry AND latest.subject = bounds.subject
"""
"""The current state, from the ledger alone."""

_HELD = "SELECT subject, base, person_id, citizen_id, first_entry FROM subject"

_COUNTS = {
    "orphans": "SELECT "
    + " + ".join(
        f"(SELECT count(*) FROM {table.name} WHERE entry NOT IN (SELECT number FROM entry))" for table in OF_AN_ENTRY
    ),
    "state": f"""
        SELECT (SELECT count(*) FROM ({_STATE} EXCEPT {_HELD}) AS missing)
        + (SELECT count(*) FROM ({_HELD} EXCEPT {_STATE}) AS invented)
        + ({WRONG})
    """,
    "lost_cases": LOST,
}


def rebuild(connection: Connection) -> None:
    """Make the current state of persons and cases again from the ledger."""
    drop_indexes(connection)
    connection.exec_driver_sql("DELETE FROM subject")
    connection.execute(text(f"INSERT INTO subject (subject, base, person_id, citizen_id, first_entry) {_STATE}"))
    make_indexes(connection)
    rebuild_cases(connection)
