"""Laws of a synthetic population."""

import csv
import hashlib
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluation.population import Figure, PopulationReport, as_table, synthesise
from evaluation.population.labels import HELD_APART, STRATA
from evaluation.population.names import vocabulary
from evaluation.population.people import found_households
from evaluation.population.places import settle
from linkage.errors import UserError

CITIZENS, DOSES = 20_000, 40_000
Rows = list[dict[str, str]]


def rows(folder: Path, name: str) -> Rows:
    with (folder / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PopulationReport]:
    out = tmp_path_factory.mktemp("population") / "sample"
    return out, synthesise(CITIZENS, DOSES, 7, out)


@pytest.fixture(scope="module")
def tables(made: tuple[Path, PopulationReport]) -> dict[str, Rows]:
    return {name: rows(made[0], name) for name in ("citizens", "doses", "truth", "labels")}


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_same_arguments_same_bytes_and_another_seed_another_population(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        synthesise(1_500, 3_000, seed, tmp_path / name)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert digests(tmp_path / "one")["doses.csv"] != digests(tmp_path / "three")["doses.csv"]
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "three"}


def test_parquet_holds_the_same_rows(tmp_path: Path) -> None:
    synthesise(600, 900, 3, tmp_path / "csv")
    synthesise(600, 900, 3, tmp_path / "parquet", file_format="parquet")
    for name in ("citizens", "doses", "truth"):
        table = pq.read_table(tmp_path / "parquet" / f"{name}.parquet").to_pylist()
        typed = [{key: "" if cell is None else str(cell) for key, cell in row.items()} for row in table]
        assert typed == rows(tmp_path / "csv", name)


@pytest.mark.parametrize("doses", [1, 7, 1_500])
def test_any_number_of_doses(tmp_path: Path, doses: int) -> None:
    report = synthesise(500, doses, 3, tmp_path / "out")
    assert (report.citizens, report.doses) == (500, doses)
    assert len(rows(tmp_path / "out", "doses")) == doses


def test_no_row_is_lost_and_every_dose_has_its_truth(tables: dict[str, Rows]) -> None:
    assert len(tables["citizens"]) == CITIZENS
    assert len(tables["doses"]) == DOSES
    ids = [row["dose_id"] for row in tables["doses"]]
    assert len(set(ids)) == DOSES
    assert [row["dose_id"] for row in tables["truth"]] == ids
    registry = {row["citizen_id"] for row in tables["citizens"]}
    assert {row["citizen_id"] for row in tables["truth"]} - {""} <= registry


def test_numbers_are_unique_and_from_unassigned_provinces(tables: dict[str, Rows]) -> None:
    numbers = [row["citizen_id"] for row in tables["citizens"]]
    assert len(set(numbers)) == CITIZENS
    assert {number[:3] for number in numbers} == {"003", "005", "099"}
    assert {len(number) for number in numbers} == {12}
    coherent = sum(
        number[3] == str(2 * (row["date_of_birth"] >= "2000") + (row["sex"] == "Nữ"))
        and number[4:6] == row["date_of_birth"][2:4]
        for number, row in zip(numbers, tables["citizens"], strict=True)
    )
    assert 0.995 < coherent / CITIZENS < 1


def test_a_dose_entered_twice_names_a_dose_of_the_same_person(tables: dict[str, Rows]) -> None:
    truth = {row["dose_id"]: row for row in tables["truth"]}
    dose = {row["dose_id"]: row for row in tables["doses"]}
    doubled = [row for row in tables["truth"] if row["duplicate_of"]]
    assert len(doubled) == round(DOSES * 0.015)
    for row in doubled:
        first = truth[row["duplicate_of"]]
        assert first["person_id"] == row["person_id"]
        assert not first["duplicate_of"]
        assert not dose[row["dose_id"]]["lot_number"]
        assert dose[row["dose_id"]]["vaccine"]


def test_labels_say_the_truth_about_persons_held_apart(tables: dict[str, Rows]) -> None:
    truth = {row["dose_id"]: row for row in tables["truth"]}
    registry = {row["citizen_id"] for row in tables["citizens"]}
    pairs = [(row["dose_id"], row["citizen_id"]) for row in tables["labels"]]
    assert len(pairs) == len(set(pairs))
    positives = {row["dose_id"] for row in tables["labels"] if row["is_match"] == "1"}
    for row in tables["labels"]:
        known = truth[row["dose_id"]]
        # without a citizen: the dose has none, and nobody is alike
        assert row["citizen_id"] in registry if row["citizen_id"] else not known["citizen_id"]
        assert (row["is_match"] == "1") == (row["citizen_id"] != "" and row["citizen_id"] == known["citizen_id"])
        assert known["labelled"] == "1"
        assert float(row["weight"]) >= 1
        assert (row["dose_id"] in positives) == bool(known["citizen_id"])
    apart: dict[str, set[str]] = defaultdict(set)
    for row in tables["truth"]:
        apart[row["person_id"]].add(row["labelled"])
    assert all(len(flags) == 1 for flags in apart.values())
    drawn = {truth[row["dose_id"]]["person_id"] for row in tables["labels"]}
    held = {person for person, flags in apart.items() if flags == {"1"}}
    assert drawn <= held
    # any person is held apart as likely as another
    assert abs(len(held) / len(apart) - HELD_APART) < 1e-3


def test_truth_says_who_is_a_twin_and_what_was_typed_wrong(tables: dict[str, Rows]) -> None:
    dose = {row["dose_id"]: row for row in tables["doses"]}
    citizen = {row["citizen_id"]: row for row in tables["citizens"]}
    twins: dict[str, set[str]] = defaultdict(set)
    for row in tables["truth"]:
        twins[row["person_id"]].add(row["twin"])
        typed = dose[row["dose_id"]]["national_id"]
        assert (row["details"] == "foreigner") == row["person_id"].startswith("F")
        if row["details"] == "agree":
            assert citizen["".join(filter(str.isdigit, typed))]
        if row["details"] == "no_id":
            assert not typed
        if row["details"] == "differ":
            assert sum(map(str.isdigit, typed)) in (9, 12)
    assert all(len(flags) == 1 for flags in twins.values())
    # twins are children, few of whom are vaccinated
    assert 0 < sum(flags == {"1"} for flags in twins.values()) / len(twins) < 0.02


def test_weights_add_up_to_the_population(tables: dict[str, Rows]) -> None:
    known = sum(bool(row["citizen_id"]) for row in tables["truth"])
    for citizens, doses in (({"0", "1"}, DOSES), ({"1"}, known)):
        weights = {row["dose_id"]: float(row["weight"]) for row in tables["labels"] if row["is_match"] in citizens}
        assert sum(weights.values()) == pytest.approx(doses, abs=4 * len(STRATA))
    of_dose: dict[str, set[str]] = defaultdict(set)
    for row in tables["labels"]:
        of_dose[row["dose_id"]].add(row["weight"])
    assert all(len(each) == 1 for each in of_dose.values())


def test_figures_meet_their_targets(made: tuple[Path, PopulationReport]) -> None:
    out, report = made
    slack = {"name_birth_date_and_sex_right_nationwide": 3.0, "two_people_share_a_name": 2.0}
    for figure in report.figures:
        margin = slack.get(figure.name, 0.03 * figure.high)
        assert figure.low - margin <= figure.realised <= figure.high + margin, figure
    written = json.loads((out / "targets.json").read_text(encoding="utf-8"))
    assert tuple(Figure(**entry) for entry in written) == report.figures
    met = all(figure.met for figure in report.figures)
    assert len(as_table(report.figures).splitlines()) == 1 + len(report.figures) + (not met)


def test_persons_live_in_households_with_twins() -> None:
    streams = [np.random.default_rng(seed) for seed in (1, 2)]
    places = settle(9_200, streams[0])
    people = found_households(9_200, places, vocabulary(), streams[1])
    first = np.flatnonzero(people.twin > np.arange(9_200))
    second = people.twin[first]
    assert 55 <= len(first) <= 80
    for column in (people.household, people.born, people.surname, people.commune):
        assert (column[first] == column[second]).all()
    assert (people.name[first] != people.name[second]).all()
    alike = people.sex[first] == people.sex[second]
    assert (people.middle[first] == people.middle[second])[alike].all()
    at_home = Counter(zip(people.household.tolist(), people.name, strict=True))
    assert max(at_home.values()) == 1


def test_what_the_user_can_mend(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="exists"):
        synthesise(1_000, 1_000, 1, tmp_path / "there")
    for citizens, doses in ((10, 10), (1_000, 0), (1_000, 3_001)):
        with pytest.raises(UserError, match="Cannot synthesise"):
            synthesise(citizens, doses, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()
