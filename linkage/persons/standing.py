"""From the bases of a run to the persons of the store: ids that live on, bonds of humans, and what an entry changes."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection
from duckdb.func import PythonUDFType

from linkage.persons.bonds import chosen_citizens, keep_apart, resolve
from linkage.store import Bond, Reader, native_id

__all__ = ["BATCH", "changes", "place_subjects", "read_standing"]

BATCH = 50_000
"""Rows handed to the store at a time."""


def read_standing(connection: DuckDBPyConnection, reader: Reader) -> list[Bond]:
    """Make ``known`` and ``identifiers``, as `linkage.store.Reader` gives them; returns the bonds that hold."""
    for table, rows in (("known", reader.subjects()), ("identifiers", reader.identifiers())):
        connection.register("of_store", rows)
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM of_store")
        connection.unregister("of_store")
    return reader.bonds()


def place_subjects(connection: DuckDBPyConnection, bonds: list[Bond]) -> None:
    """Make ``placed_subjects`` (subject, in_run, base, person_id, citizen_id, citizen_of_person), of run and store.

    And ``merged_sides`` (entry, side, subject), whom humans merged with whom.

    A subject that the run does not hold stays with those of its base: with the founder of its id, or, where the run
    lacks that, with the first of them by name. No decision of a human is overruled: whom a bond keeps apart leaves the
    machine's group. A dose that had no subject, and has one now, takes its old id along.

    Args:
        connection: holds ``bases`` (of `linkage.persons.grouping`), ``known`` and ``identifiers``.
        bonds: those that hold.
    """
    connection.execute("""
    CREATE OR REPLACE TABLE gathered AS
    WITH guide AS (
      SELECT k.base, arg_min(b.head, (i.founder IS DISTINCT FROM b.subject, b.subject)) AS head
      FROM known AS k JOIN bases AS b USING (subject) LEFT JOIN identifiers AS i ON i.person_id = k.base GROUP BY k.base
    ), entered AS (
      SELECT k.subject, b.head FROM known AS k JOIN dose_subjects AS d ON d.dose_id = k.subject
      JOIN bases AS b ON b.subject = d.subject WHERE d.subject <> k.subject
    )
    SELECT subject, true AS in_run, head, 0 AS part, citizen_id FROM bases
    UNION ALL
    SELECT k.subject, false, coalesce('r' || entered.head, 'r' || guide.head, 's' || k.base), 0,
      CASE WHEN entered.head IS NULL THEN k.citizen_id END
    FROM known AS k ANTI JOIN bases USING (subject) LEFT JOIN guide USING (base) LEFT JOIN entered USING (subject)
    """)
    connection.execute("UPDATE gathered SET head = 'r' || head WHERE in_run")
    members = sorted({subject for bond in bonds for subject in bond.subjects})
    _keep_sides(connection, bonds)
    connection.register("member_rows", pa.table({"subject": pa.array(members, pa.string())}))
    concerned = "(SELECT DISTINCT head FROM gathered SEMI JOIN member_rows USING (subject))"
    rows = connection.execute(f"""
    SELECT g.subject, g.head, k.base, i.entry FROM gathered AS g SEMI JOIN {concerned} USING (head)
    LEFT JOIN known AS k USING (subject) LEFT JOIN identifiers AS i ON i.person_id = k.base
    """).fetchall()
    connection.unregister("member_rows")
    leaving = keep_apart(
        {subject: head for subject, head, _, _ in rows},
        {subject: base for subject, _, base, _ in rows if base is not None},
        bonds,
        {base: entry for _, _, base, entry in rows if base is not None},
    )
    parts = pa.table(
        {
            "subject": pa.array(list(leaving), pa.string()),
            "part": pa.array(list(leaving.values()), pa.int32()),
        }
    )
    connection.register("part_rows", parts)
    connection.execute("""
    UPDATE gathered SET part = p.part FROM part_rows AS p WHERE p.subject = gathered.subject
    """)
    connection.unregister("part_rows")
    # of parts that have the same citizen the first keeps it: that of those who stayed
    connection.execute("""
    UPDATE gathered SET citizen_id = NULL FROM (
      SELECT head, citizen_id, min(part) AS part FROM gathered
      WHERE head IN (SELECT head FROM gathered WHERE part > 0) AND citizen_id IS NOT NULL GROUP BY ALL
    ) AS kept WHERE kept.head = gathered.head AND kept.citizen_id = gathered.citizen_id AND kept.part <> gathered.part
    """)
    _name(connection)
    _resolve(connection, bonds)


def _keep_sides(connection: DuckDBPyConnection, bonds: list[Bond]) -> None:
    """Make ``merged_sides`` (entry, side, subject): whom humans merged with whom."""
    rows = [
        (bond.entry, side, one)
        for bond in bonds
        if bond.kind == "together"
        for side, members in (("left", bond.left), ("right", bond.right))
        for one in sorted(members)
    ]
    entries, sides, subjects = zip(*rows, strict=True) if rows else ((), (), ())
    table = {"entry": pa.array(entries, pa.int64()), "side": pa.array(sides, pa.string())}
    connection.register("side_rows", pa.table(table | {"subject": pa.array(subjects, pa.string())}))
    connection.execute("CREATE OR REPLACE TABLE merged_sides AS FROM side_rows")
    connection.unregister("side_rows")


def _name(connection: DuckDBPyConnection) -> None:
    """Make ``named`` (subject, in_run, base, founder, citizen_id): each base by the oldest id its subjects founded."""
    connection.create_function("native_id", _native_ids, ["VARCHAR"], "VARCHAR", type=PythonUDFType.ARROW)
    try:
        connection.execute("""
        CREATE OR REPLACE TABLE base_ids AS
        WITH minted AS (
          SELECT head, part, arg_min((i.person_id, i.founder), (i.entry, i.person_id)) AS eldest
          FROM gathered JOIN identifiers AS i ON i.founder = subject GROUP BY head, part
        ), new AS (
          SELECT head, part, min((native_id(subject), subject)) AS eldest
          FROM gathered ANTI JOIN minted USING (head, part) GROUP BY head, part
        )
        SELECT head, part, eldest[1] AS base, eldest[2] AS founder FROM (FROM minted UNION ALL FROM new)
        """)
    finally:
        connection.remove_function("native_id")
    connection.execute("""
    CREATE OR REPLACE TABLE named AS
    SELECT g.subject, g.in_run, b.base, b.founder, g.citizen_id FROM gathered AS g JOIN base_ids AS b USING (head, part)
    """)
    connection.execute("DROP TABLE gathered")
    connection.execute("DROP TABLE base_ids")


def _native_ids(subjects: pa.Array) -> pa.Array:
    return pa.array([native_id(subject) for subject in subjects.to_pylist()], pa.string())


def _resolve(connection: DuckDBPyConnection, bonds: list[Bond]) -> None:
    members = sorted({subject for bond in bonds for subject in bond.subjects})
    connection.register("member_rows", pa.table({"subject": pa.array(members, pa.string())}))
    rows = connection.execute("""
    SELECT n.subject, n.base, i.entry FROM named AS n SEMI JOIN member_rows USING (subject)
    LEFT JOIN identifiers AS i ON i.person_id = n.base
    """).fetchall()
    connection.unregister("member_rows")
    base_of = {subject: base for subject, base, _ in rows}
    person_of = resolve(base_of, bonds, {base: entry for _, base, entry in rows if entry is not None})
    chosen = chosen_citizens(base_of, bonds, person_of)
    person_rows = pa.table(
        {
            "base": pa.array(list(person_of), pa.string()),
            "person_id": pa.array(list(person_of.values()), pa.string()),
            "chosen": pa.array([chosen.get(person) for person in person_of.values()], pa.string()),
        }
    )
    connection.register("person_rows", person_rows)
    # of a person that humans made of several bases the citizen is the one they named, else that of the eldest base
    connection.execute("""
    CREATE OR REPLACE TABLE placed_subjects AS
    WITH resolved AS (
      SELECT n.*, coalesce(p.person_id, n.base) AS person_id, p.chosen
      FROM named AS n LEFT JOIN person_rows AS p USING (base)
    )
    SELECT subject, in_run, base, founder, person_id, citizen_id,
      coalesce(chosen, first_value(citizen_id IGNORE NULLS) OVER person) AS citizen_of_person
    FROM resolved
    -- the run knows better than the store
    WINDOW person AS (PARTITION BY person_id ORDER BY base <> person_id, base, NOT in_run, subject
      ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
    """)
    connection.unregister("person_rows")
    connection.execute("DROP TABLE named")


def changes(connection: DuckDBPyConnection) -> tuple[Iterator[tuple[Any, ...]], Iterator[tuple[Any, ...]], int]:
    """What an entry has to say: the changes by subject, the ids it mints by id, and how many subjects change."""
    changed = """
    FROM placed_subjects AS p LEFT JOIN known AS k USING (subject)
    WHERE k.base IS DISTINCT FROM p.base OR k.person_id IS DISTINCT FROM p.person_id
      OR k.citizen_id IS DISTINCT FROM p.citizen_id
    """
    [(count,)] = connection.execute(f"SELECT count(*) {changed}").fetchall()
    rows = _stream(
        connection,
        f"SELECT p.subject, k.base, p.base, k.person_id, p.person_id, k.citizen_id, p.citizen_id {changed} ORDER BY 1",
    )
    minted = _stream(
        connection,
        "SELECT DISTINCT base, founder FROM placed_subjects ANTI JOIN identifiers AS i ON i.person_id = base"
        " ORDER BY 1",
    )
    return rows, minted, count


def _stream(connection: DuckDBPyConnection, query: str) -> Iterator[tuple[Any, ...]]:
    cursor = connection.cursor()
    cursor.execute(query)
    while rows := cursor.fetchmany(BATCH):
        yield from rows
