"""What a case shows of its subject, on runs with rows made for it."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from linkage.cli import main
from linkage.errors import UserError
from linkage.review.cases import Case, from_json
from linkage.review.queue import QueueSettings, queue_run
from linkage.store import open_store

CITIZEN = {
    "citizen_id": "001090000011",
    "full_name": "Nguyễn Văn An",
    "date_of_birth": "1990-03-04",
    "sex": "Nam",
    "phone": "0912345678",
    "province": "Hà Nội",
    "district": "Ba Đình",
    "commune": "Phúc Xá",
}
DOSE = {
    "dose_id": "d1",
    "subject_id": "s1",
    "full_name": "Nguyễn Văn An",
    "date_of_birth": "04/03/1990",
    "phone": "+84 912 345 678",
    "province": "Hà Nội",
    "district": "Ba Đình",
    "commune": "Phúc Xá",
    "injected_on": "05/09/2021",
    "facility_id": "F1",
}
Row = Mapping[str, str | None]


@pytest.fixture(scope="module")
def empty_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A RUN of one dose and one citizen, for its manifest, model and columns."""
    folder = tmp_path_factory.mktemp("content")
    with duckdb.connect() as connection:
        for name, row in (("doses", DOSE), ("citizens", CITIZEN)):
            columns = ", ".join(f"'{value}' AS {column}" for column, value in row.items())
            connection.execute(f"COPY (SELECT {columns}) TO '{folder}/{name}.csv'")
    files = ["--doses", f"{folder}/doses.csv", "--citizens", f"{folder}/citizens.csv"]
    assert main(["score", *files, "--model", "dose_citizen", "--out", f"{folder}/run", "--memory", "1GB"]) == 0
    return folder / "run"


@pytest.fixture
def cases(empty_run: Path, tmp_path: Path, new_database: Callable[[str], str]) -> Callable[..., list[Case]]:
    """``cases(doses, decisions={"d2": "accept"}, candidates=[("d1", citizen, 0.5)])``: the queue of such a run.

    A dose is in review and has no candidate unless it is said otherwise.
    """
    runs = iter(range(100))

    def queue(
        doses: list[Row],
        decisions: Mapping[str, str] | None = None,
        candidates: list[tuple[str, str, float]] | None = None,
        accepted: Mapping[str, str] | None = None,
    ) -> list[Case]:
        run = tmp_path / f"run_{next(runs)}"
        shutil.copytree(empty_run, run)
        with duckdb.connect() as connection:
            for name in ("doses", "decisions", "candidates", "citizens"):
                connection.execute(f"CREATE TABLE {name} AS FROM '{run}/{name}.parquet' LIMIT 0")
            _insert(connection, "doses", [{**DOSE, **dose} for dose in doses])
            for dose in doses:
                given = {"decision": (decisions or {}).get(str(dose["dose_id"]), "review"), "commune": "00001"}
                citizen = (accepted or {}).get(str(dose["dose_id"]))
                row = {"dose_id": dose["dose_id"], "citizen_id": citizen, "stratum": "other", **given}
                _insert(connection, "decisions", [row])
            for dose_id, citizen, probability in candidates or ():
                found = {"probability": probability, "match_weight": 10 * probability, "rank": 1}
                _insert(connection, "candidates", [{"dose_id": dose_id, "citizen_id": citizen, **found}])
            for citizen in sorted({citizen for _, citizen, _ in candidates or ()}):
                _insert(connection, "citizens", [{**CITIZEN, "citizen_id": citizen}])
            for name in ("doses", "decisions", "candidates", "citizens"):
                connection.execute(f"COPY {name} TO '{run}/{name}.parquet' (FORMAT parquet)")
        with open_store(new_database("sqlite")) as store:
            queue_run(store, run, QueueSettings(), "root")
            query = "SELECT content FROM review_case JOIN case_content USING (case_id) ORDER BY place"
            with store.reading() as reader:
                return [from_json(text) for text in reader.connection.exec_driver_sql(query).scalars()]

    return queue


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        marks = ", ".join("?" for _ in row)
        connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values()))


Cases = Callable[..., list[Case]]


def test_one_decision_settles_all_doses_of_a_subject(cases: Cases) -> None:
    doses = [
        {"dose_id": "d3", "full_name": "Nguyen Van An", "injected_on": "2021-01-01"},
        {"dose_id": "d1"},
        {"dose_id": "d2", "phone": None, "injected_on": "2020-12-31"},
    ]
    candidates = [("d1", "001090000011", 0.6), ("d1", "001090000012", 0.3), ("d3", "001090000011", 0.7)]
    [case] = cases(doses, {"d2": "accept"}, candidates, {"d2": "001090000013"})
    # the record is that of the dose that fits its best candidate best
    assert case.record["full_name"] == "Nguyen Van An"
    assert case.variants == {"full_name": ("Nguyễn Văn An",)}
    # those of the case first, then by day
    assert [(dose.dose_id, dose.in_case, dose.decision, dose.citizen_id) for dose in case.doses] == [
        ("d3", True, "review", None),
        ("d1", True, "review", None),
        ("d2", False, "accept", "001090000013"),
    ]
    assert [(one.citizen_id, one.probability, one.match_weight) for one in case.candidates] == [
        ("001090000011", 0.7, 7.0),
        ("001090000012", 0.3, 3.0),
    ]


def test_doses_without_a_subject_and_of_a_crowded_one_are_decided_one_by_one(cases: Cases) -> None:
    nobody = [{"dose_id": f"n{number}", "subject_id": blank} for number, blank in enumerate([None, "", "  "])]
    assert len(cases(nobody)) == 3
    assert len(cases([{"dose_id": f"d{number}", "subject_id": " s1 "} for number in range(100)])) == 1
    assert len(cases([{"dose_id": f"d{number}", "subject_id": "0"} for number in range(101)])) == 101


def test_a_dose_that_is_called_like_a_subject_is_refused(cases: Cases) -> None:
    with pytest.raises(UserError) as refused:
        cases([{"dose_id": "x", "subject_id": None}, {"dose_id": "y", "subject_id": "x"}])
    assert refused.value.key == "persons.dose_is_subject"


def test_what_has_no_candidates_is_asked_last(cases: Cases) -> None:
    doses = [{"dose_id": f"d{number}", "subject_id": "many"} for number in range(9)]
    few = {"dose_id": "e", "subject_id": "few"}
    found = cases([*doses, few], candidates=[("e", "001090000011", 0.01)])
    assert [case.subject for case in found] == ["few", "many"]
    assert found[1].candidates == ()


def test_whatever_was_typed_is_shown_as_it_was_typed(cases: Cases) -> None:
    hostile = ["=1+1", '"; DROP TABLE entry; --', "a\\u0041\n\t", "\x1f", "＝SUM(A1)", "H'Wen Ayŭn 🙂", "{}", "null"]
    found = cases([{"dose_id": name, "subject_id": name, "full_name": name} for name in hostile])
    assert sorted(case.record["full_name"] or "" for case in found) == sorted(hostile)


@pytest.mark.parametrize("sharing", [1, 3, 8])
def test_the_household_has_the_phone_and_their_citizens(sharing: int, cases: Cases) -> None:
    phones = ["0912345678", "84912345678", "912.345.678", "(+84) 912 345 678"]
    others = [
        {"dose_id": f"o{number}", "subject_id": f"o{number}", "full_name": f"Người {number}"}
        | {"phone": phones[number % 4]}
        for number in range(sharing)
    ]
    again = {"dose_id": "o0b", "subject_id": "o0", "full_name": "Người 0", "phone": "0912345678"}
    stranger = {"dose_id": "x", "subject_id": "x", "phone": "0912345679"}
    accepted = {"o0": "001090000044"} | {f"o{number}": None for number in range(1, sharing)}
    decisions = dict.fromkeys(["o0b", "x", *(f"o{number}" for number in range(1, sharing))], "no_match")
    [case] = cases([{"dose_id": "d1"}, *others, again, stranger], decisions | {"o0": "accept"}, [], accepted)
    # nine people with a phone have none
    named = [] if sharing == 8 else [f"Người {number}" for number in range(sharing)]
    assert [relative.full_name for relative in case.household] == named[:5]
    if named:
        assert (case.household[0].why, case.household[0].citizen_id) == ("phone", "001090000044")


def test_no_more_than_five_of_a_household_are_shown(cases: Cases) -> None:
    others = [{"dose_id": f"o{number}", "subject_id": f"o{number}"} for number in range(7)]
    [case] = cases([{"dose_id": "d1"}, *others], dict.fromkeys((f"o{number}" for number in range(7)), "no_match"))
    assert len(case.household) == 5
