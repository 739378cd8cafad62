"""What only a human can settle: a citizen of two persons, and a merge of whom the machine has parted since."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from linkage.cli import main
from linkage.store import open_store

Build = Callable[..., int]
Remade = Callable[..., Path]


def conflicts(folder: Path, reason: str) -> list[tuple[Any, ...]]:
    return duckdb.execute(
        f"SELECT person_id, other_person_id, citizen_id FROM '{folder}/conflicts.parquet' WHERE reason = ?"
        " ORDER BY ALL",
        [reason],
    ).fetchall()


def test_a_citizen_of_two_persons(build: Build, remade: Remade, tmp_path: Path) -> None:
    # a run that is not the whole platform joins nobody with the subjects it does not hold
    chosen = "SELECT dose_id FROM doses WHERE hash(subject_id) % 2 = {}"
    for half in (0, 1):
        tables = ("doses", "decisions", "candidates")
        part = {name: f"SELECT * FROM {name} WHERE dose_id IN ({chosen.format(half)})" for name in tables}
        assert build(f"half{half}", remade(f"run{half}", **part)) == 0
    assert not conflicts(tmp_path / "half0", "citizen_in_two_persons")
    found = conflicts(tmp_path / "half1", "citizen_in_two_persons")
    assert found
    with open_store(f"sqlite:///{tmp_path}/store.db", create=False) as store, store.reading() as reader:
        for person, other, citizen in found:
            assert person != other
            held = {place.citizen_id for one in (person, other) for place in reader.subjects_of(one)} - {None}
            assert held == {citizen}
    assert build("full") == 0
    assert not conflicts(tmp_path / "full", "citizen_in_two_persons")


def test_a_merge_of_whom_the_machine_has_parted_since(
    build: Build, remade: Remade, before: Path, tmp_path: Path
) -> None:
    subjects = f"'{before}/subjects.parquet'"
    [(person, parted)] = duckdb.execute(
        f"SELECT person_id, max(subject_id) FROM {subjects} JOIN '{before}/persons.parquet' USING (person_id)"
        " WHERE citizen_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    ).fetchall()
    [(other,)] = duckdb.execute(
        f"SELECT min(person_id) FROM '{before}/persons.parquet' WHERE citizen_id IS NULL"
    ).fetchall()
    store = f"sqlite:///{tmp_path}/store.db"
    assert main(["persons", "merge", person, other, "--because", "seen", "--store", store]) == 0
    assert build("same") == 0
    assert not conflicts(tmp_path / "same", "merged_then_parted")
    nobody = f"dose_id IN (SELECT dose_id FROM doses WHERE subject_id = '{parted}')"
    run = remade(
        "parted_run",
        decisions=f"SELECT * REPLACE (if({nobody}, 'no_match', decision) AS decision) FROM decisions",
        candidates=f"SELECT * FROM candidates WHERE NOT {nobody}",
        doses=f"SELECT * REPLACE (if({nobody}, 'Người Khác Hẳn', full_name) AS full_name) FROM doses",
    )
    assert build("parted", run) == 0
    assert [row[0] for row in conflicts(tmp_path / "parted", "merged_then_parted")] == [min(person, other)]
