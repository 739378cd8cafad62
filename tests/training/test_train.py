"""Training as a whole, on the small population."""

import csv
import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from splink import SettingsCreator

from linkage.errors import UserError
from linkage.messages import LANGUAGES, say
from models import CAUTION, NEVER, Model, Specification, load
from training import Tolerances, TrainJob, train

Train = Callable[..., Path]
Rows = list[dict[str, str]]


def labels_of(population: Path) -> Rows:
    with (population / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(rows: Rows, folder: Path) -> Path:
    file = folder / "labels.csv"
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_inputs_and_seed_give_the_same_model_to_the_byte(
    trained_folder: Path, train_small: Train, threads: int
) -> None:
    again = train_small(threads=threads)
    assert again != trained_folder
    for name in ("model.json", "splink.json", "card.md"):
        assert (again / name).read_bytes() == (trained_folder / name).read_bytes(), name


def test_the_folder_is_whole_and_nothing_else_is_left(trained_folder: Path) -> None:
    assert sorted(path.name for path in trained_folder.parent.iterdir()) == [trained_folder.name]
    assert {path.name for path in trained_folder.iterdir()} == {
        *("model.json", "splink.json"),
        *("card.md", "card.vi.md", "charts"),
    }


def test_the_model_counts_its_labels(trained_folder: Path, small_population: Path) -> None:
    model = Model.read(trained_folder)
    matches = [row["is_match"] == "1" for row in labels_of(small_population) if row["citizen_id"]]
    counts = model.evidence["labels"]
    assert (counts["positives"], counts["negatives"]) == (sum(matches), len(matches) - sum(matches))
    names = model.specification.stratum_names
    assert set(model.calibration) == set(model.thresholds.accept) == set(names)
    assert all(each.slope > 0 for each in model.calibration.values())
    assert 0 < model.in_registry < 1
    assert model.to_json() == (trained_folder / "model.json").read_text(encoding="utf-8")


def test_what_is_accepted_is_proven_and_what_is_not_says_what_is_lacking(trained_folder: Path) -> None:
    model = Model.read(trained_folder)
    found, accept = model.evidence["thresholds"], model.thresholds.accept
    assert (found["max_false_link_rate"], found["max_false_link_rate_of_a_stratum"]) == (0.02, 0.2)
    assert 0 < found["false_links"]["bound"] <= 0.02
    assert found["accepted_share"] > 0.4
    assert accept[CAUTION] == NEVER
    assert found["strata"][CAUTION]["false_links"]["doses"] == 0
    for name, of_one in found["strata"].items():
        assert of_one["lacking"] == 0 or accept[name] == NEVER
        if accept[name] != NEVER:
            assert accept[name] >= 0.95
            assert of_one["false_links"]["bound"] <= 0.2
    assert sum(each["doses"] for each in found["strata"].values()) <= found["doses"]
    assert model.evidence["folds"] == 5
    assert set(model.evidence["reliability"]) == {"all", *found["strata"]}
    reference = model.evidence["reference"]
    assert sum(reference["decisions"].values()) == reference["doses"] == 4000


def test_no_level_of_a_trained_model_is_impossible_or_certain(trained_folder: Path) -> None:
    model = Model.read(trained_folder)
    levels = [level for comparison in model.parameters.values() for level in comparison.values()]
    assert len(levels) > 20
    assert all(0 < value < 1 for level in levels for value in (level.m, level.u))


def test_a_trained_model_prefers_full_agreement(trained_folder: Path) -> None:
    model = Model.read(trained_folder)
    seen = 0
    for name, levels in model.parameters.items():
        first, *_, last = levels.values()
        # what few matches show is the prior of the levels; to be alive is no agreement
        if sum(level.positives for level in levels.values()) > 20 and name != "life":
            seen += 1
            assert first.m / first.u > 1 > last.m / last.u, name
    assert seen > 4


def test_reach_lies_between_m_and_one_where_there_is_a_frequency_and_is_one_elsewhere(trained_folder: Path) -> None:
    model = Model.read(trained_folder)
    reaches = []
    for comparison in model.specification.comparisons:
        for level in () if comparison.is_interaction else comparison.levels:
            learned = model.parameters[comparison.name][level.name]
            assert learned.m <= learned.reach <= 1 if level.frequency else learned.reach == 1
            reaches.append(learned.reach)
    assert sum(reach < 1 for reach in reaches) > 5


def test_splink_loads_its_settings(trained_folder: Path) -> None:
    model = Model.read(trained_folder)
    settings = json.loads((trained_folder / "splink.json").read_text(encoding="utf-8"))
    loaded = SettingsCreator.from_path_or_dict(settings).create_settings_dict("duckdb")
    names = [comparison["output_column_name"] for comparison in loaded["comparisons"]]
    assert names == [comparison.name for comparison in model.specification.comparisons]
    assert len(loaded["blocking_rules_to_generate_predictions"]) == len(model.specification.blocking)
    probability = model.in_registry / model.evidence["registry"]["citizens"]
    assert loaded["probability_two_random_records_match"] == pytest.approx(probability)


def test_labels_of_one_person_are_too_few(train_small: Train, small_population: Path, tmp_path: Path) -> None:
    rows = labels_of(small_population)
    dose = next(row["dose_id"] for row in rows if row["is_match"] == "1")
    mine = [row for row in rows if row["dose_id"] == dose]
    one = [*mine, mine[0] | {"citizen_id": rows[-1]["citizen_id"], "is_match": "0"}]
    with pytest.raises(UserError) as raised:
        train_small(written(one, tmp_path))
    assert raised.value.key == "labels.too_few_persons"
    assert raised.value.facts["found"] == 1


def test_labels_of_few_persons_are_too_few(train_small: Train, small_population: Path, tmp_path: Path) -> None:
    rows = labels_of(small_population)[:200]
    with pytest.raises(UserError) as raised:
        train_small(written(rows, tmp_path))
    assert raised.value.key == "labels.too_few_persons"
    assert 1 < int(str(raised.value.facts["found"])) < int(str(raised.value.facts["needed"]))


def test_what_labels_cannot_prove_is_refused_with_how_many_more_it_takes(train_small: Train) -> None:
    with pytest.raises(UserError) as raised:
        train_small(tolerances=Tolerances(1 / 2500))
    assert raised.value.key == "train.unproven"
    more = int(str(raised.value.facts["more"]).replace(",", ""))
    assert more > 5000
    assert raised.value.facts["claim"] == "2,500"
    for language in LANGUAGES:
        assert f"{more:,}" in say(raised.value.key, language, **raised.value.facts)


def test_more_reviews_than_clerks_can_read_are_refused(train_small: Train, trained_folder: Path) -> None:
    reference = Model.read(trained_folder).evidence["reference"]
    reviews = reference["decisions"]["review"]
    with pytest.raises(UserError) as raised:
        train_small(review_capacity=reviews - 1)
    assert raised.value.key == "train.beyond_capacity"
    assert raised.value.facts["found"] == f"{reviews:,}"
    assert (train_small(review_capacity=reviews) / "model.json").exists()


@pytest.mark.parametrize("rate", [0.0, 9e-10, 5e-324, 1.0, -0.1, 2.0, math.nan])
@pytest.mark.parametrize("which", ["false_links", "missed_links", "false_links_of_a_stratum"])
def test_a_rate_that_is_none_is_refused(train_small: Train, which: str, rate: float) -> None:
    with pytest.raises(UserError) as raised:
        train_small(tolerances=replace(Tolerances(), **{which: rate}))
    assert raised.value.key == "train.bad_rate"
    flag = {"false_links": "false-link-rate", "missed_links": "missed-link-rate"}.get(
        which, "false-link-rate-of-a-stratum"
    )
    assert raised.value.facts["flag"] == f"--max-{flag}"


def test_the_order_of_labels_changes_nothing(
    train_small: Train, trained_folder: Path, small_population: Path, tmp_path: Path
) -> None:
    rows = labels_of(small_population)
    random.Random(4).shuffle(rows)
    here, there = Model.read(trained_folder), Model.read(train_small(written(rows, tmp_path)))
    assert replace(there, evidence={}) == replace(here, evidence={})
    for part in here.evidence.keys() - {"inputs"}:
        assert there.evidence[part] == here.evidence[part], part


def test_a_model_of_a_registry_in_one_province_can_be_read_again(
    train_small: Train, small_population: Path, tmp_path: Path
) -> None:
    with (small_population / "citizens.csv").open(encoding="utf-8", newline="") as file:
        citizens = [row | {"province": "Hà Nội", "district": "", "commune": ""} for row in csv.DictReader(file)]
    folder = train_small(citizens=written(citizens, tmp_path))
    assert Model.read(folder).to_json() == (folder / "model.json").read_text(encoding="utf-8")


def test_labels_whose_matches_are_all_unknown_are_refused(
    train_small: Train, small_population: Path, tmp_path: Path
) -> None:
    rows = [
        row | {"citizen_id": "003000000000"} if row["is_match"] == "1" else row for row in labels_of(small_population)
    ]
    with pytest.raises(UserError) as raised:
        train_small(written(rows, tmp_path))
    assert raised.value.key.startswith("labels.")


@pytest.mark.parametrize("name", ["M(1)", "m" * 101, "a\nb"])
def test_a_name_that_no_model_may_have_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.csv")
    job = TrainJob(missing, missing, missing, load("dose_citizen"), tmp_path / name, threads=1, memory="1GB")
    with pytest.raises(UserError) as raised:
        train(job)
    assert raised.value.key == "train.bad_name"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("part", ["columns", "missing"])
def test_the_sql_of_a_specification_that_fails_on_records_says_so_and_shows_no_value(
    part: str, specification: Specification, small_population: Path, tmp_path: Path
) -> None:
    first, *others = specification.comparisons
    if part == "columns":
        broken = replace(
            specification,
            columns={**specification.columns, "broken": "CAST(given_ascii AS INTEGER)"},
            comparisons=(replace(first, missing="broken_l IS NULL"), *others),
        )
    else:
        failing = replace(first, missing="CAST(given_ascii_l AS INTEGER) = 1")
        broken = replace(specification, comparisons=(failing, *others))
    doses, citizens, labels = (str(small_population / f"{name}.csv") for name in ("doses", "citizens", "labels"))
    with pytest.raises(UserError) as raised:
        train(TrainJob(doses, citizens, labels, broken, tmp_path / "model", threads=2, memory="2GB"))
    assert raised.value.key == "train.sql"
    assert raised.value.facts == {"name": specification.name, "kind": "ConversionException"}
    assert list(tmp_path.iterdir()) == []
