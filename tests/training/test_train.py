"""Training as a whole, on the small population."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from splink import SettingsCreator

from linkage.errors import UserError
from models import Model

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
    assert {path.name for path in trained_folder.iterdir()} == {"model.json", "splink.json", "card.md", "charts"}


def test_the_model_counts_its_labels(trained_folder: Path, small_population: Path) -> None:
    model = Model.read(trained_folder)
    matches = [row["is_match"] == "1" for row in labels_of(small_population)]
    counts = model.evidence["labels"]
    assert (counts["positives"], counts["negatives"]) == (sum(matches), len(matches) - sum(matches))
    assert 0.5 < model.thresholds.accept <= 1
    assert model.calibration.slope > 0
    assert 0 < model.in_registry < 1
    assert model.to_json() == (trained_folder / "model.json").read_text(encoding="utf-8")


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


def test_the_card_names_its_counts(trained_folder: Path) -> None:
    model = Model.read(trained_folder)
    card = (trained_folder / "card.md").read_text(encoding="utf-8")
    labels, thresholds = model.evidence["labels"], model.evidence["thresholds"]
    assert f"{labels['positives']:,} labelled matches and {labels['negatives']:,} non-matches" in card
    assert f"{model.evidence['registry']['citizens']:,} citizens" in card
    assert f"| {thresholds['accepted']:,} | {thresholds['false_links']:,} |" in card
    assert model.digest[:12] in card
    for comparison in model.specification.comparisons:
        for level in comparison.levels:
            assert f"| {comparison.name} | {level.name} |" in card


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


def test_too_few_labelled_doses_held_apart_are_too_few(
    train_small: Train, small_population: Path, tmp_path: Path
) -> None:
    rows = labels_of(small_population)
    matched = {row["citizen_id"]: row["dose_id"] for row in rows if row["is_match"] == "1"}
    doses = set(list(matched.values())[:150])
    with pytest.raises(UserError) as raised:
        train_small(written([row for row in rows if row["dose_id"] in doses], tmp_path))
    assert raised.value.key == "labels.too_few"
    assert 0 < int(str(raised.value.facts["found"])) < int(str(raised.value.facts["needed"]))


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
