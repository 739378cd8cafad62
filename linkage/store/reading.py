"""What a snapshot of the store answers."""

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import pyarrow as pa
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, func, select

from linkage.store.records import FIRST, Bond, Change, Entry, Event, Head, Kind, Place, Standing, native_id
from linkage.store.schema import BOND, BOND_MEMBER, CHANGE, ENTRY, IDENTIFIER, SUBJECT

BATCH = 50_000
"""Rows that are in memory at a time."""

MOVES = ("build", "merge", "unmerge")
"""The kinds of entries that move persons."""

_KEYS = 5_000
"""Keys in one query: databases limit its parameters."""


class Reader:
    """One snapshot of the store, while :meth:`linkage.store.Store.reading` lasts."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def head(self) -> Head:
        """The last entry: 0 and 64 zeros if there is none."""
        last = select(ENTRY.c.number, ENTRY.c.hash).order_by(ENTRY.c.number.desc()).limit(1)
        row = self.connection.execute(last).one_or_none()
        return Head(*row) if row else Head(0, FIRST)

    def stream(self, query: Select[Any]) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query in batches, never all in memory."""
        # whoever stops half-way leaves no cursor open
        with self.connection.execute(query, execution_options={"yield_per": BATCH}) as result:
            for rows in result.partitions():
                yield [tuple(row) for row in rows]

    def subjects(self) -> pa.RecordBatchReader:
        """Where each subject stands: ``subject``, ``base``, ``person_id``, ``citizen_id``, ``first_entry``; sorted."""
        keys = [(name, pa.string()) for name in ("subject", "base", "person_id", "citizen_id")]
        return self._arrow(select(SUBJECT).order_by(SUBJECT.c.subject), pa.schema([*keys, ("first_entry", pa.int64())]))

    def identifiers(self) -> pa.RecordBatchReader:
        """Every id ever given out: ``person_id``, ``founder``, ``entry`` (which minted it), by entry and id."""
        columns = (IDENTIFIER.c.person_id, IDENTIFIER.c.founder, IDENTIFIER.c.entry)
        schema = pa.schema([("person_id", pa.string()), ("founder", pa.string()), ("entry", pa.int64())])
        return self._arrow(select(*columns).order_by(IDENTIFIER.c.entry, IDENTIFIER.c.person_id), schema)

    def _arrow(self, query: Select[Any], schema: pa.Schema) -> pa.RecordBatchReader:
        batches = (
            pa.record_batch(
                [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), schema, strict=True)],
                schema,
            )
            for rows in self.stream(query)
        )
        return pa.RecordBatchReader.from_batches(schema, batches)

    def entries(self) -> Iterator[Entry]:
        """The ledger, in order."""
        for rows in self.stream(select(ENTRY).order_by(ENTRY.c.number)):
            yield from (Entry(*row) for row in rows)

    def last(self, kind: str) -> Entry | None:
        """The last entry of a kind."""
        query = select(ENTRY).where(ENTRY.c.kind == kind).order_by(ENTRY.c.number.desc()).limit(1)
        row = self.connection.execute(query).one_or_none()
        return Entry(*row) if row else None

    def moved_since(self, entry: int) -> bool:
        """Whether an entry that moves persons came after this one."""
        later = select(ENTRY.c.number).where(ENTRY.c.kind.in_(MOVES), ENTRY.c.number > entry).limit(1)
        return self.connection.execute(later).one_or_none() is not None

    def follow(self, person_id: str) -> Standing | None:
        """What became of an id; None if it was never given out."""
        query = (
            select(IDENTIFIER.c.entry, IDENTIFIER.c.founder, SUBJECT.c.base, SUBJECT.c.person_id)
            .join(SUBJECT, SUBJECT.c.subject == IDENTIFIER.c.founder)
            .where(IDENTIFIER.c.person_id == person_id)
        )
        row = self.connection.execute(query).one_or_none()
        return Standing(person_id, *row) if row else None

    def subjects_of(self, person_id: str) -> list[Place]:
        """The subjects of a person of today, by subject."""
        query = select(SUBJECT).where(SUBJECT.c.person_id == person_id).order_by(SUBJECT.c.subject)
        return [Place(*row) for row in self.connection.execute(query)]

    def places(self, subjects: Iterable[str]) -> dict[str, Place]:
        """Where these subjects stand; those the store does not know are missing."""
        rows = self.among(subjects, lambda keys: select(SUBJECT).where(SUBJECT.c.subject.in_(keys)))
        return {row[0]: Place(*row) for row in rows}

    def ids_of(self, subjects: Iterable[str]) -> dict[str, int]:
        """The ids that these subjects founded, each with the entry that minted it."""
        return self.minted(native_id(subject) for subject in subjects)

    def minted(self, ids: Iterable[str]) -> dict[str, int]:
        """The entry that minted each of these ids; ids never given out are missing."""
        columns = (IDENTIFIER.c.person_id, IDENTIFIER.c.entry)
        rows = self.among(ids, lambda keys: select(*columns).where(IDENTIFIER.c.person_id.in_(keys)))
        return dict(tuple(row) for row in rows)

    def taken_from(self, person_id: str) -> list[Change]:
        """The changes, by subject, of the entry that last moved the founder of an id out of the base of that id."""
        founder = select(IDENTIFIER.c.founder).where(IDENTIFIER.c.person_id == person_id).scalar_subquery()
        out = (CHANGE.c.base_before == person_id) & (CHANGE.c.base_after != person_id)
        last = select(func.max(CHANGE.c.entry)).where(CHANGE.c.subject == founder, out).scalar_subquery()
        rows = self.connection.execute(select(CHANGE).where(CHANGE.c.entry == last, out).order_by(CHANGE.c.subject))
        return [Change(*row[1:]) for row in rows]

    def bonds(self) -> list[Bond]:
        """Every bond that holds, by entry."""
        rows = (tuple(row) for row in self.connection.execute(_MEMBERS))
        return [bond for bond in self._folded(rows) if bond.is_live]

    def bonds_of(self, subjects: Iterable[str]) -> list[Bond]:
        """The bonds, those that no longer hold among them, that ever named one of these subjects; by entry."""
        named = self.among(subjects, lambda keys: select(BOND_MEMBER.c.bond).where(BOND_MEMBER.c.subject.in_(keys)))
        return self._folded(self.among({row[0] for row in named}, lambda keys: _MEMBERS.where(BOND.c.entry.in_(keys))))

    def _folded(self, rows: Iterable[tuple[Any, ...]]) -> list[Bond]:
        """Rows of :data:`_MEMBERS` become bonds: what the latest entry says of a subject holds."""
        bonds: dict[int, tuple[Kind, str | None]] = {}
        members: dict[int, dict[str, tuple[str, int]]] = {}
        for _, bond, subject, side, live, kind, evidence in sorted(rows, key=lambda row: row[:3]):
            bonds[bond] = (kind, json.loads(evidence).get("citizen"))
            members.setdefault(bond, {})[subject] = (side, live)

        def those(bond: int, *wanted: tuple[str, int]) -> frozenset[str]:
            return frozenset(subject for subject, found in members[bond].items() if found in wanted)

        return [
            Bond(
                bond,
                kind,
                those(bond, ("left", 1)),
                those(bond, ("right", 1)),
                citizen,
                those(bond, ("left", 0), ("right", 0)),
            )
            for bond, (kind, citizen) in sorted(bonds.items())
        ]

    def history(self, person_id: str) -> list[Event]:
        """Every entry that touched the person that holds this id today, its subjects or an id it ever had; in order.

        An id that was never given out has none.
        """
        standing = self.follow(person_id)
        if standing is None:
            return []
        subjects = [place.subject for place in self.subjects_of(standing.person_id)]
        changes: dict[int, set[Change]] = {}
        for column, keys in ((CHANGE.c.subject, subjects), (CHANGE.c.person_before, self.ids_of(subjects))):
            for entry, *change in self.among(keys, _selecting(CHANGE, column)):
                changes.setdefault(entry, set()).add(Change(*change))
        named: dict[int, list[tuple[Any, ...]]] = {}
        numbers = {row[0] for row in self.among(subjects, _selecting(BOND_MEMBER, BOND_MEMBER.c.subject))}
        for row in self.among(numbers | changes.keys(), lambda keys: _MEMBERS.where(BOND_MEMBER.c.entry.in_(keys))):
            named.setdefault(row[0], []).append(row)
        entries = self.among(named.keys() | changes.keys(), _selecting(ENTRY, ENTRY.c.number))
        return [
            Event(
                entry,
                tuple(sorted(changes.get(entry.number, ()), key=lambda change: change.subject)),
                next(iter(self._folded(row for row in named.get(entry.number, ()) if row[1] == entry.number)), None),
                tuple(sorted({row[1] for row in named.get(entry.number, ()) if row[1] != entry.number and not row[4]})),
            )
            for entry in sorted((Entry(*row) for row in entries), key=lambda entry: entry.number)
        ]

    def among(self, keys: Iterable[Any], query: Callable[[list[Any]], Select[Any]]) -> Iterator[tuple[Any, ...]]:
        """The rows of a query for many keys, some at a time."""
        return (tuple(row) for row in self.rows_among(keys, query))

    def rows_among(self, keys: Iterable[Any], query: Callable[[list[Any]], Select[Any]]) -> Iterator[Row[Any]]:
        """As :meth:`among`, with the names of the columns."""
        ordered = iter(sorted(set(keys)))
        while chunk := list(islice(ordered, _KEYS)):
            yield from self.connection.execute(query(chunk)).all()


_MEMBERS = (
    select(BOND_MEMBER, BOND.c.kind, ENTRY.c.evidence)
    .join(BOND, BOND.c.entry == BOND_MEMBER.c.bond)
    .join(ENTRY, ENTRY.c.number == BOND_MEMBER.c.bond)
)
"""What entries say of the members of bonds, with the kind of the bond and the evidence of the entry that made it."""


def _selecting(table: Table, column: ColumnElement[Any]) -> Callable[[list[Any]], Select[Any]]:
    return lambda keys: select(table).where(column.in_(keys))
