"""What a writer adds: an entry with its rows, chained to the one before, and the state that follows from it."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, insert, text

from linkage.store.reading import BATCH, Reader
from linkage.store.records import Bond, Change, Draft, Entry, RowsDigest, Said, canonical, stamp
from linkage.store.reviewing import settle
from linkage.store.schema import ANSWER, BOND, BOND_MEMBER, CHANGE, ENTRY, IDENTIFIER, SINCE_REVIEW, SUBJECT_INDEXES


class Writer(Reader):
    """The one transaction that writes, while :meth:`linkage.store.Store.writing` lasts; it reads what it wrote."""

    def __init__(self, connection: Connection, clock: Callable[[], datetime]) -> None:
        super().__init__(connection)
        self._clock = clock

    def append(
        self,
        draft: Draft,
        *,
        changes: Iterable[Change | tuple[Any, ...]] = (),
        minted: Iterable[tuple[str, str]] = (),
        bond: Bond | None = None,
        members: Iterable[tuple[int, str, str, bool]] = (),
        answers: Iterable[Said | tuple[Any, ...]] = (),
    ) -> int:
        """Add an entry with its rows, and bring the current state of persons and cases up to date.

        The iterables are read once, in the order of the arguments, and never held in memory.

        Args:
            draft: what the entry says of itself.
            changes: the subjects that it moves, as :class:`~linkage.store.Change`, by subject (code points ascending).
            minted: the ids it gives out: ``(person_id, founder)``, by id.
            bond: the decision it makes; its ``entry`` is not looked at.
            members: subjects of earlier bonds that from now on no longer count, or count again: ``(bond, subject, side,
                live)``.
            answers: what its actor says of cases, or takes back, as :class:`~linkage.store.Said`, by case.

        Returns:
            The number of the entry.

        Raises:
            ValueError: rows are out of order, twice, or say something else of before than the state of now.
        """
        head = self.head()
        number = head.number + 1
        digest = RowsDigest()
        changed = self._put(digest, CHANGE, number, changes, ordered_by=1)
        self._put(digest, IDENTIFIER, number, minted, ordered_by=1)
        self._put(digest, BOND, number, [(bond.kind,)] if bond else [], ordered_by=1)
        own = [(number, one, side, True) for side in ("left", "right") for one in getattr(bond, side, ())]
        rows = [(one, subject, side, int(live)) for one, subject, side, live in sorted([*own, *members])]
        self._put(digest, BOND_MEMBER, number, rows, ordered_by=2)
        answered = self._put(digest, ANSWER, number, answers, ordered_by=1)
        at = self.now()
        evidence = canonical(dict(draft.evidence))
        said = (draft.actor, draft.kind, draft.because, evidence, draft.run, draft.model, draft.undoes)
        entry = Entry(number, at, *said, digest.hexdigest(), head.hash, "")
        row = {name: getattr(entry, name) for name in Entry.__slots__} | {"hash": entry.sealed()}
        self.connection.execute(insert(ENTRY).values(row))
        if changed:
            self._apply(number)
        if answered:
            settle(self.connection, number)
        return number

    def now(self) -> str:
        """The time of an entry."""
        return stamp(self._clock())

    def _put(
        self, digest: RowsDigest, table: Table, number: int, rows: Iterable[tuple[Any, ...]], *, ordered_by: int
    ) -> int:
        """Write the rows of an entry into a table, and into its digest."""
        if table.name not in SINCE_REVIEW:
            digest.begin(table.name)
        source = iter(rows)
        count = 0
        last: tuple[Any, ...] = ()
        while batch := list(islice(source, BATCH)):
            for row in batch:
                key = row[:ordered_by]
                if key <= last:
                    raise ValueError(f"the rows of {table.name} must ascend")
                last = key
            if not count and table.name in SINCE_REVIEW:
                digest.begin(table.name)
            digest.add(batch)
            self.insert(table, [(number, *row) for row in batch])
            count += len(batch)
        return count

    def insert(self, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add many rows of all columns to a table, as quickly as the database takes them."""
        names = ", ".join(column.name for column in table.columns)
        if self.connection.engine.name == "postgresql":
            driver: Any = self.connection.connection.cursor()
            with driver, driver.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            return
        marks = ", ".join("?" for _ in table.columns)
        self.connection.exec_driver_sql(f"INSERT INTO {table.name} ({names}) VALUES ({marks})", list(rows))

    def _apply(self, number: int) -> None:
        """Move the subjects of an entry in the current state."""
        parameters = {"entry": number}
        new = not self.connection.execute(text("SELECT EXISTS (SELECT 1 FROM subject)")).scalar_one()
        if self.connection.execute(text(_STALE), parameters).scalar_one():
            raise ValueError("changes must begin where the subjects stand")
        if new:
            drop_indexes(self.connection)
        self.connection.execute(text(_MOVE), parameters)
        if new:
            make_indexes(self.connection)


_STALE = """
SELECT EXISTS (
    SELECT 1 FROM change LEFT JOIN subject ON subject.subject = change.subject
    WHERE change.entry = :entry AND (
        change.base_before IS DISTINCT FROM subject.base
        OR change.person_before IS DISTINCT FROM subject.person_id
        OR change.citizen_before IS DISTINCT FROM subject.citizen_id
    )
)
"""

_MOVE = """
INSERT INTO subject (subject, base, person_id, citizen_id, first_entry)
SELECT subject, base_after, person_after, citizen_after, entry FROM change WHERE entry = :entry ORDER BY subject
ON CONFLICT (subject) DO UPDATE
SET base = excluded.base, person_id = excluded.person_id, citizen_id = excluded.citizen_id
"""


def drop_indexes(connection: Connection) -> None:
    """Take the indexes off the current state: whoever fills the whole of it is done sooner."""
    for name in SUBJECT_INDEXES:
        connection.exec_driver_sql(f"DROP INDEX {name}")


def make_indexes(connection: Connection) -> None:
    """Put the indexes of the current state back."""
    for name, column in SUBJECT_INDEXES.items():
        connection.exec_driver_sql(f"CREATE INDEX {name} ON subject ({column})")
