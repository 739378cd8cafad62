"""One person as it stands: what the store says, and what the run's files say of its doses, golden record included."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from linkage.errors import UserError
from linkage.persons.bonds import chosen_citizens
from linkage.persons.build import open_inputs, reading
from linkage.persons.duplicates import make_duplicates
from linkage.persons.facts import (
    CitizenFacts,
    Comparison,
    Conflict,
    DoseFacts,
    GoldenValue,
    HistoryEntry,
    Link,
    LosingValue,
    Move,
    Near,
    PersonFacts,
    SubjectFacts,
)
from linkage.persons.golden import FIELDS, make_golden
from linkage.persons.golden_rules import read_golden_rules
from linkage.persons.injections import make_injections
from linkage.reports.reading import connect, open_file
from linkage.store import Bond, Event, Place, Reader, Standing, Store

__all__ = ["history_of", "person_facts"]

SHOWN = 50
"""Moves of an entry that are shown; a machine may join many subjects at once."""

FOLDERS = frozenset({"run", "persons", "golden"})
"""Evidence that says where files are, which is of no use to who reads of a person."""


def history_of(store: Store, person_id: str) -> tuple[HistoryEntry, ...]:
    """The entries of the ledger that touched a person of today, or an id that leads to it; the oldest first.

    Raises:
        UserError: the id was never given out.
    """
    with store.reading() as reader:
        _standing(reader, person_id)
        return tuple(_entry(event) for event in reader.history(person_id))


def person_facts(store: Store, person_id: str, run: Path | None = None) -> PersonFacts:
    """Everything known of the person that an id leads to today.

    Args:
        store: the operational database.
        person_id: an id ever given out.
        run: the run with its doses; if none is given, that of the last build, or, where that has none of them, of the
            last build that changed this person.

    Raises:
        UserError: the id was never given out, or the run is not where it was.
    """
    with store.reading() as reader:
        standing = _standing(reader, person_id)
        places = reader.subjects_of(standing.person_id)
        events = reader.history(person_id)
        bonds = [bond for bond in reader.bonds_of(place.subject for place in places) if bond.is_live]
        ids = reader.ids_of(place.subject for place in places)
        last = reader.last("build")
    builds = [last.evidence] if last else []
    builds += [event.entry.evidence for event in events if event.entry.kind == "build"][-1:]
    subjects = [place.subject for place in places]
    with connect() as connection:
        for said in map(_evidence, builds):
            folder, built = run or Path(said["run"]), Path(said["persons"])
            with reading(folder):
                found = _find_doses(connection, folder, subjects)
            if found:
                break
        with reading(folder):
            _narrow(connection)
            citizen_id = _citizen(places, bonds)
            _work_out(connection, standing.person_id, citizen_id, said.get("golden"))
            return PersonFacts(
                person_id=standing.person_id,
                former_ids=tuple(sorted(each for each in ids if each != standing.person_id)),
                citizen=_citizen_facts(connection, citizen_id),
                golden=_golden(connection),
                subjects=_subjects(connection, places),
                doses=_doses(connection),
                links=(*_links(places, bonds), *_model_links(connection, built, places)),
                conflicts=_conflicts(connection, built, standing.person_id),
                history=tuple(_entry(event) for event in events),
            )


def _standing(reader: Reader, person_id: str) -> Standing:
    standing = reader.follow(person_id)
    if standing is None:
        raise UserError("by_hand.unknown", person=person_id)
    return standing


def _citizen(places: Iterable[Place], bonds: Iterable[Bond]) -> str | None:
    places = list(places)
    base_of = {place.subject: place.base for place in places}
    chosen = chosen_citizens(base_of, bonds, {place.base: place.person_id for place in places})
    eldest = sorted(places, key=lambda place: (place.base != place.person_id, place.base))
    return next(iter(chosen.values()), None) or next((place.citizen_id for place in eldest if place.citizen_id), None)


_SUBJECT = "coalesce(nullif(trim(subject_id), ''), dose_id)"


def _find_doses(connection: duckdb.DuckDBPyConnection, run: Path, subjects: list[str]) -> bool:
    """Make ``person_doses`` of some subjects, from the files of a run; returns whether there are any."""
    open_inputs(connection, run)
    connection.register("wanted", pa.table({"subject": pa.array(subjects, pa.string())}))
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE person_doses AS FROM doses WHERE {_SUBJECT} IN (SELECT subject FROM wanted)"
    )
    [(found,)] = connection.execute("SELECT count(*) FROM person_doses").fetchall()
    return bool(found)


def _narrow(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``doses``, ``decisions`` and ``candidates`` those of ``person_doses``, and ``dose_subjects``."""
    for table in ("decisions", "candidates"):
        connection.execute(f"CREATE TEMP TABLE person_{table} AS FROM {table} SEMI JOIN person_doses USING (dose_id)")
    for table in ("doses", "decisions", "candidates"):
        connection.execute(f"DROP VIEW {table}")
        connection.execute(f"CREATE TEMP VIEW {table} AS FROM person_{table}")
    connection.execute(f"CREATE TABLE dose_subjects AS SELECT dose_id, {_SUBJECT} AS subject FROM doses")


def _work_out(
    connection: duckdb.DuckDBPyConnection, person_id: str, citizen_id: str | None, golden: str | None
) -> None:
    connection.execute("CREATE TABLE dose_persons AS SELECT dose_id, ? AS person_id FROM doses", [person_id])
    connection.execute(
        "CREATE TABLE person_citizens AS SELECT ? AS person_id, ?::VARCHAR AS citizen_id", [person_id, citizen_id]
    )
    make_injections(connection)
    make_duplicates(connection)
    make_golden(connection, read_golden_rules(Path(golden) if golden else None))


def _rows(
    connection: duckdb.DuckDBPyConnection, query: str, values: list[Any] | dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    result = connection.execute(query, values)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _citizen_facts(connection: duckdb.DuckDBPyConnection, citizen_id: str | None) -> CitizenFacts | None:
    if citizen_id is None:
        return None
    found = _rows(connection, "FROM citizens WHERE citizen_id = ?", [citizen_id])
    row = found[0] if found else {}
    former = tuple(part.strip() for part in (row.get("previous_ids") or "").split(";") if part.strip())
    return CitizenFacts(citizen_id, former, row.get("deceased_on"))


def _golden(connection: duckdb.DuckDBPyConnection) -> tuple[GoldenValue, ...]:
    [golden] = _rows(connection, "FROM golden")
    losing = _rows(connection, "FROM losing_values ORDER BY doses DESC, value")
    return tuple(
        GoldenValue(
            field,
            golden[field],
            golden[f"{field}_source"],
            golden[f"{field}_rule"],
            tuple(
                LosingValue(row["value"], row["doses"], row["latest"], row["source"])
                for row in losing
                if row["field"] == field
            ),
        )
        for field in FIELDS
    )


def _subjects(connection: duckdb.DuckDBPyConnection, places: Iterable[Place]) -> tuple[SubjectFacts, ...]:
    doses = dict(connection.execute("SELECT subject, count(*) FROM dose_subjects GROUP BY subject").fetchall())
    return tuple(SubjectFacts(p.subject, p.base, p.citizen_id, doses.get(p.subject, 0)) for p in places)


def _doses(connection: duckdb.DuckDBPyConnection) -> tuple[DoseFacts, ...]:
    near: dict[str, list[Near]] = {}
    for dose, other, days in connection.execute("SELECT dose_id, other_dose_id, days FROM too_close").fetchall():
        near.setdefault(dose, []).append(Near(other, days))
    rows = _rows(
        connection,
        "SELECT s.dose_id, s.subject, i.day, i.vaccine, i.facility, d.decision, d.outcome, d.probability,"
        " u.primary_dose_id, u.evidence FROM dose_subjects AS s JOIN decisions AS d USING (dose_id)"
        " JOIN injections AS i USING (dose_id) LEFT JOIN duplicates AS u USING (dose_id)"
        " ORDER BY i.day NULLS LAST, s.dose_id",
    )
    return tuple(DoseFacts(**row, too_close=tuple(near.get(row["dose_id"], ()))) for row in rows)


def _links(places: list[Place], bonds: Iterable[Bond]) -> Iterable[Link]:
    """Subjects of one citizen, and subjects that a human made one person."""
    first: dict[tuple[str, str], str] = {}
    for place in places:
        if place.citizen_id:
            before = first.setdefault((place.base, place.citizen_id), place.subject)
            if before != place.subject:
                yield Link(before, place.subject, "same_citizen")
    for bond in bonds:
        if bond.kind == "together":
            yield Link(min(bond.left), min(bond.right), "by_hand", entry=bond.entry)


def _model_links(connection: duckdb.DuckDBPyConnection, built: Path, places: list[Place]) -> Iterable[Link]:
    if not (built / "links.parquet").is_file():
        return
    columns = open_file(connection, built, "links", ("subject_id", "other_subject_id", "probability", "match_weight"))
    compared = [name for name in columns if f"bits_{name}" in columns]
    here = [place.subject for place in places]
    for row in _rows(connection, "FROM links WHERE list_contains(?, subject_id) ORDER BY ALL", [here]):
        comparisons = tuple(
            Comparison(name, row[name], row[f"bits_{name}"]) for name in compared if row[name] != "missing"
        )
        pair = (row["subject_id"], row["other_subject_id"])
        yield Link(*pair, "model", row["match_weight"], row["probability"], comparisons)


def _conflicts(connection: duckdb.DuckDBPyConnection, built: Path, person_id: str) -> tuple[Conflict, ...]:
    if not (built / "conflicts.parquet").is_file():
        return ()
    named = ("subject_id", "other_subject_id", "other_person_id", "citizen_id", "dose_id", "other_dose_id")
    open_file(connection, built, "conflicts", ("reason", "person_id", *named))
    rows = _rows(
        connection, "FROM conflicts WHERE person_id = $id OR other_person_id = $id ORDER BY ALL", {"id": person_id}
    )
    return tuple(Conflict(row["reason"], tuple(row[name] for name in named if row[name])) for row in rows)


def _entry(event: Event) -> HistoryEntry:
    entry = event.entry
    moves = tuple(
        Move(change.subject, change.person_before, change.person_after)
        for change in event.changes[:SHOWN]
        if change.person_before != change.person_after
    )
    said = {name: value for name, value in _evidence(entry.evidence).items() if name not in FOLDERS}
    shown = "; ".join(f"{name}: {value}" for name, value in sorted(said.items()))
    return HistoryEntry(
        entry.number, entry.at, entry.kind, entry.actor, entry.model, entry.because, shown, entry.undoes, moves
    )


def _evidence(text: str) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(text)
    return said
