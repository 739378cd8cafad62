"""One person as shown: what the store and the run say agrees with the files of the build."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import pytest

from linkage.cli import main
from linkage.errors import UserError
from linkage.persons.facts import PersonFacts
from linkage.persons.golden import FIELDS
from linkage.persons.showing import history_of, person_facts
from linkage.store import Store, open_store

Build = Callable[..., int]
Remade = Callable[..., Path]


@pytest.fixture
def store(before: Path, tmp_path: Path) -> Iterator[Store]:
    assert before.exists()
    with open_store(f"sqlite:///{tmp_path}/store.db", create=False) as opened:
        yield opened


def query(sql: str) -> list[tuple[Any, ...]]:
    return duckdb.execute(sql).fetchall()


def largest(before: Path) -> str:
    [(person,)] = query(f"SELECT mode(person_id) FROM '{before}/subjects.parquet'")
    return str(person)


def test_every_person_with_duplicates_is_shown_as_the_build_wrote_it(
    store: Store, before: Path, scored_run: Path
) -> None:
    doubled = query(f"SELECT DISTINCT person_id FROM '{before}/duplicates.parquet' ORDER BY 1 LIMIT 3")
    for person in {largest(before), *(person for (person,) in doubled)}:
        facts = person_facts(store, person)
        subjects = [
            s for (s,) in query(f"SELECT subject_id FROM '{before}/subjects.parquet' WHERE person_id = '{person}'")
        ]
        assert sorted(subject.subject for subject in facts.subjects) == sorted(subjects)
        doses = query(f"SELECT dose_id FROM '{scored_run}/doses.parquet' WHERE list_contains({subjects}, subject_id)")
        assert sorted(dose.dose_id for dose in facts.doses) == sorted(dose for (dose,) in doses)
        assert sum(subject.doses for subject in facts.subjects) == len(doses)
        golden = query(f"SELECT {', '.join(FIELDS)} FROM '{before}/persons.parquet' WHERE person_id = '{person}'")
        assert [tuple(value.value for value in facts.golden)] == golden
        duplicates = {
            (dose.dose_id, dose.primary_dose_id, dose.evidence) for dose in facts.doses if dose.primary_dose_id
        }
        written = query(f"""
        SELECT dose_id, primary_dose_id, evidence FROM '{before}/duplicates.parquet' WHERE person_id = '{person}'""")
        assert duplicates == set(written)
        losing = query(f"SELECT count(*) FROM '{before}/losing_values.parquet' WHERE person_id = '{person}'")
        assert [(sum(len(value.losing) for value in facts.golden),)] == losing
        assert [entry.number for entry in facts.history] == [1]


def test_conflicts_of_a_person_are_shown(store: Store, before: Path) -> None:
    rows = query(f"SELECT person_id, reason FROM '{before}/conflicts.parquet'")
    assert rows
    for person, reason in rows:
        assert reason in {conflict.reason for conflict in person_facts(store, person).conflicts}


def test_facts_are_json(store: Store, before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    person = largest(before)
    assert main(["persons", "show", person, "--store", store.url, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == json.loads(json.dumps(asdict(person_facts(store, person)), default=str))
    assert said["doses"][0]["day"][:2] == "20"


def test_an_id_never_given_out_is_unknown(store: Store) -> None:
    for ask in (person_facts, history_of):
        with pytest.raises(UserError, match="Pnobody"):
            ask(store, "Pnobody")


def doses_of(facts: PersonFacts) -> list[str]:
    return sorted(dose.dose_id for dose in facts.doses)


def test_doses_are_those_of_the_last_build_or_of_the_run_that_is_asked_for(
    build: Build, store: Store, before: Path, scored_run: Path, remade: Remade
) -> None:
    # a later build in which one subject has a new dose, and a new subject comes, so that there is an entry
    person = largest(before)
    [(subject,)] = query(f"SELECT min(subject_id) FROM '{before}/subjects.parquet' WHERE person_id = '{person}'")
    more = {
        name: f"FROM {name} UNION ALL SELECT * REPLACE ({dose} AS dose_id {extra}) FROM {name} WHERE dose_id = {least}"
        for name, extra in (("doses", ", 'new' AS subject_id"), ("decisions", ""), ("candidates", ""))
        for dose, least in [("'new dose'", "(SELECT max(dose_id) FROM doses)")]
    }
    more["doses"] += f"""
    UNION ALL (SELECT * REPLACE ('another dose' AS dose_id) FROM doses WHERE subject_id = '{subject}' LIMIT 1)"""
    more["decisions"] += f"""
    UNION ALL (SELECT * REPLACE ('another dose' AS dose_id) FROM decisions
      WHERE dose_id = (SELECT min(dose_id) FROM doses WHERE subject_id = '{subject}'))"""
    assert build("later", remade("later_run", **more)) == 0
    now = doses_of(person_facts(store, person))
    earlier = doses_of(person_facts(store, person, scored_run))
    assert set(now) - set(earlier) == {"another dose"}
    # a build of others' doses alone takes nothing from what is known of this person
    theirs = f"SELECT subject_id FROM '{before}/subjects.parquet' WHERE person_id = '{person}'"
    others = f"SELECT dose_id FROM doses WHERE subject_id NOT IN ({theirs})"
    fewer = {name: f"SELECT * FROM {name} WHERE dose_id IN ({others})" for name in ("doses", "decisions", "candidates")}
    fewer["doses"] = fewer["doses"].replace("SELECT *", "SELECT * REPLACE ('x' || subject_id AS subject_id)", 1)
    assert build("others", remade("other_run", **fewer)) == 0
    assert doses_of(person_facts(store, person)) == earlier


def test_a_run_that_is_gone_is_asked_for(
    store: Store, before: Path, remade: Remade, capsys: pytest.CaptureFixture[str]
) -> None:
    person = largest(before)
    assert main(["persons", "show", person, "--store", store.url, "--run", str(before / "gone")]) == 2
    assert "gone" in capsys.readouterr().err
    damaged = remade("damaged")
    file = damaged / "decisions.parquet"
    found = file.read_bytes()
    file.write_bytes(found[:8] + b"\xff" * (len(found) // 2) + found[8 + len(found) // 2 :])
    assert main(["persons", "show", person, "--store", store.url, "--run", str(damaged)]) == 2
    assert "decisions.parquet" in capsys.readouterr().err
    # the folder of the build may go: what only it holds is not shown
    shutil.rmtree(before)
    assert doses_of(person_facts(store, person))


def test_a_page_is_only_replaced_with_force(store: Store, before: Path, tmp_path: Path) -> None:
    show = ["persons", "show", largest(before), "--store", store.url, "--page", str(tmp_path / "page.html")]
    assert main(show) == 0
    (tmp_path / "page.html").write_text("mine")
    assert main(show) == 2
    assert (tmp_path / "page.html").read_text() == "mine"
    assert main([*show, "--force"]) == 0
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!")
    assert not list(tmp_path.glob(".*"))
