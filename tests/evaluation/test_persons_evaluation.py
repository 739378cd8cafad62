"""Persons against truth: pairs counted one by one give the same figures; errors of every kind are seen."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.intervals import share
from evaluation.persons import PARTS, PersonsEvaluation, measure_persons
from evaluation.persons_page import as_markdown, evaluate_persons
from linkage.errors import UserError
from linkage.messages import LANGUAGES

Row = dict[str, Any]
Holds = Callable[[Row], bool]

CITIZENS = {"T1": "003090000001", "T2": "003090000002"}
CITIZEN_OF = {"B1": "003090000001", "B2": "003090000002"}
DOSE: Row = {
    "subject": "S1", "person": "B1", "true": "T1", "duplicate_of": None, "primary": None, "labelled": "0", "twin": "0",
}  # fmt: skip


def write(folder: Path, rows: Sequence[Row]) -> tuple[Path, Path, str]:
    """A folder of persons build, its run and its truth: doses D0, D1, ... differing from ``DOSE`` as the rows say."""
    doses = [DOSE | row | {"dose_id": f"D{number}"} for number, row in enumerate(rows)]
    built = {dose["subject"] or dose["dose_id"]: dose["person"] for dose in doses}
    linked = [dose for dose in doses if dose["primary"]]
    tables = {
        "run/doses": {"dose_id": [d["dose_id"] for d in doses], "subject_id": [d["subject"] for d in doses]},
        "persons/subjects": {"subject_id": list(built), "person_id": list(built.values())},
        "persons/persons": {
            "person_id": sorted(set(built.values())),
            "citizen_id": [CITIZEN_OF.get(person) for person in sorted(set(built.values()))],
        },
        "persons/duplicates": {
            "dose_id": [d["dose_id"] for d in linked], "primary_dose_id": [d["primary"] for d in linked],
        },
        "persons/conflicts": {"reason": ["two_citizens"]},
    }  # fmt: skip
    for name, columns in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        arrays = {column: pa.array(values, pa.string()) for column, values in columns.items()}
        pq.write_table(pa.table(arrays), folder / f"{name}.parquet")
    with (folder / "truth.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dose_id", "citizen_id", "person_id", "duplicate_of", "twin", "labelled"])
        for dose in doses:
            citizen = CITIZENS.get(dose["true"], "")
            writer.writerow(
                [dose["dose_id"], citizen, dose["true"], dose["duplicate_of"], dose["twin"], dose["labelled"]]
            )
    return folder / "persons", folder / "run", str(folder / "truth.csv")


def measured(rows: Sequence[Row]) -> PersonsEvaluation:
    with TemporaryDirectory() as folder:
        return measure_persons(*write(Path(folder), rows))


def pairs(rows: Sequence[Row], alike: Holds, right: Holds) -> tuple[int, int]:
    """Pairs that are alike, and those of them that are right: (right, alike)."""
    both = [{"l": left, "r": other} for left, other in combinations(rows, 2)]
    found = [pair for pair in both if alike(pair)]
    return sum(map(right, found)), len(found)


def same(column: str) -> Holds:
    return lambda pair: bool(pair["l"][column] == pair["r"][column])


@st.composite
def populations(draw: st.DrawFn) -> list[Row]:
    """Doses with links to earlier doses; a built and a true person for every subject, the latter with exceptions."""
    subjects = st.sampled_from(["S1", "S2", "S3", "S4", "S5", "S6", None])
    built = {name: draw(st.sampled_from(["B1", "B2", "B3"])) for name in ("S1", "S2", "S3", "S4", "S5", "S6")}
    true = {name: draw(st.sampled_from(["T1", "T2", "T3", "T4"])) for name in built}
    twins = {name: draw(st.sampled_from(["0", "1"])) for name in ("T1", "T2", "T3", "T4")}
    rows: list[Row] = []
    for number in range(draw(st.integers(1, 14))):
        subject = draw(subjects)
        person = built[subject] if subject else draw(st.sampled_from(["B1", "B4"]))
        own = true[subject] if subject and draw(st.integers(0, 9)) else draw(st.sampled_from(["T1", "T2", "T3", "T4"]))
        earlier = [f"D{place}" for place in range(number)]
        primaries = [f"D{place}" for place, row in enumerate(rows) if not row["primary"]]
        rows.append(
            {
                "subject": subject,
                "person": person,
                "true": own,
                "twin": twins[own],
                "duplicate_of": draw(st.none() | st.sampled_from(earlier)) if earlier else None,
                "primary": draw(st.none() | st.sampled_from(primaries)) if primaries else None,
                "labelled": draw(st.sampled_from(["0", "0", "0", "1"])) if number else "0",
            }
        )
    return rows


def counted(doses: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """Doses that are in the figures, with event and entry; and their subjects, with the person of most doses."""
    by_id = {f"D{number}": row | {"dose_id": f"D{number}"} for number, row in enumerate(doses)}
    for row in by_id.values():
        row["subject"] = row["subject"] or row["dose_id"]
        row["entry"] = row["primary"] or row["dose_id"]
        row["event"] = row["dose_id"]
        while by_id[row["event"]]["duplicate_of"]:
            row["event"] = by_id[row["event"]]["duplicate_of"]
    held = {row["subject"] for row in by_id.values() if row["labelled"] == "1"}
    kept = [row for row in by_id.values() if row["subject"] not in held]
    subjects = []
    for name in sorted({row["subject"] for row in kept}):
        own = [row for row in kept if row["subject"] == name]
        [(most, _), *_] = sorted(Counter(row["true"] for row in own).items(), key=lambda item: (-item[1], item[0]))
        of_most = next(row for row in own if row["true"] == most)
        subjects.append(of_most | {"doses": own, "mixed": len({row["true"] for row in own}) > 1})
    return kept, subjects


@settings(deadline=None, max_examples=25)
@given(populations())
def test_figures_are_those_of_counting_one_by_one(rows: list[Row]) -> None:
    kept, subjects = counted(rows)
    if not kept:
        with pytest.raises(UserError, match="labelled"):
            measured(rows)
        return
    result = measured(rows)
    assert (result.doses, result.labelled_excluded) == (len(kept), len(rows) - len(kept))
    assert (result.unknown, result.truth_only, result.without_person, result.conflicts) == (0, 0, 0, 1)
    wanted: dict[str, Holds] = {
        "all": lambda _: True,
        "no_citizen": lambda subject: subject["person"] not in CITIZEN_OF,
        "absent": lambda subject: subject["true"] not in CITIZENS,
    }
    assert set(wanted) == set(PARTS) == set(result.parts)
    for name, of_part in wanted.items():
        part, figures = [subject for subject in subjects if of_part(subject)], result.parts[name]
        assert figures.subjects == len(part)
        assert figures.mixed_subjects == sum(subject["mixed"] for subject in part)
        precision, recall = figures.precision, figures.recall
        assert (precision.count, precision.total) == pairs(part, same("person"), same("true"))
        assert (recall.count, recall.total) == pairs(part, same("true"), same("person"))
        twins = [subject for subject in part if subject["twin"] == "1"]
        right, merged = pairs(twins, same("person"), same("true"))
        assert figures.twins_merged == merged - right
        doses = [dose for subject in part for dose in subject["doses"]]
        own = [Counter(d["true"] for d in doses if d["person"] == person) for person in {d["person"] for d in doses}]
        strangers = sum(sum(of.values()) - max(of.values()) for of in own)
        assert figures.strangers == share(strangers, len(doses))
        held = [{s["true"] for s in part if s["person"] == person} for person in {s["person"] for s in part}]
        assert figures.merged_persons == share(sum(len(persons) > 1 for persons in held), len(held))
        spread = [[s["person"] for s in part if s["true"] == person] for person in {s["true"] for s in part}]
        several = [persons for persons in spread if len(persons) > 1]
        assert figures.split_persons == share(sum(len(set(persons)) > 1 for persons in several), len(several))
    _check_duplicates(result, kept)


def _check_duplicates(result: PersonsEvaluation, kept: Sequence[Row]) -> None:
    linked = result.duplicates
    assert (linked.precision.count, linked.precision.total) == pairs(kept, same("entry"), same("event"))
    assert (linked.recall.count, linked.recall.total) == pairs(kept, same("event"), same("entry"))
    by_id = {row["dose_id"]: row for row in kept}
    wrong = [(row, by_id[row["entry"]]) for row in kept if row["entry"] in by_id]
    wrong = [(row, primary) for row, primary in wrong if row["event"] != primary["event"]]
    assert linked.second_doses_linked == sum(row["true"] == primary["true"] for row, primary in wrong)
    assert linked.strangers_linked == sum(row["true"] != primary["true"] for row, primary in wrong)
    for figure in (linked.precision, linked.recall, *(part.precision for part in result.parts.values())):
        assert 0 <= figure.low <= (0.5 if figure.value is None else figure.value) <= figure.high <= 1


def test_the_interval_counts_a_wrong_merge_once() -> None:
    """Ten wrong pairs of one merge say less than ten wrong merges of a pair."""
    one = [{"subject": f"S{n}", "person": "B1", "true": f"T{n}"} for n in range(5)]
    right = [{"subject": f"R{n}", "person": f"R{n // 2}", "true": f"R{n // 2}"} for n in range(400)]
    many = [{"subject": f"S{n}", "person": f"B{n // 2}", "true": f"T{n}"} for n in range(20)]
    together, apart = (measured([*rows, *right]).parts["all"].precision for rows in (one, many))
    assert (together.count, together.total) == (apart.count, apart.total) == (200, 210)
    assert together.low < apart.low < 200 / 210 < apart.high < together.high < 1


def test_a_person_is_found_by_citizen_where_truth_has_no_person(tmp_path: Path) -> None:
    folder, run, truth = write(tmp_path, [{}, {"subject": "S2"}, {"subject": "S3", "true": "T3"}])
    Path(truth).write_text(f"dose_id,citizen_id\nD0,{CITIZENS['T1']}\nD1,{CITIZENS['T1']}\nD2,\nD9,\n")
    result = measure_persons(folder, run, truth)
    assert (result.doses, result.unknown, result.truth_only) == (2, 1, 1)
    assert result.parts["all"].recall.count == 1
    assert result.parts["all"].twins_merged is None


def test_a_subject_without_a_person_is_seen(tmp_path: Path) -> None:
    folder, run, truth = write(tmp_path, [{}, {"subject": "S2"}, {"subject": "S3"}])
    kept = pq.read_table(folder / "subjects.parquet").slice(0, 1)
    pq.write_table(kept, folder / "subjects.parquet")
    result = measure_persons(folder, run, truth)
    assert result.without_person == 2
    assert (result.parts["all"].recall.count, result.parts["all"].recall.total) == (0, 3)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_and_its_numbers(tmp_path: Path, language: str) -> None:
    rows = [{}, {"subject": "S2", "duplicate_of": "D0", "primary": "D0"}, {"subject": "S3", "labelled": "1"}]
    result = evaluate_persons(*write(tmp_path, rows), tmp_path / "out", language=language)
    assert json.loads((tmp_path / "out" / "persons.json").read_text()) == json.loads(json.dumps(result.as_dict()))
    page = (tmp_path / "out" / "persons.md").read_text()
    assert page == as_markdown(result, language)
    assert page.count("|\n") == 14 + 2  # eight figures of persons, four of duplicates, and two heads
    assert page.rstrip().splitlines()[-1].startswith("1 ")
    with pytest.raises(UserError):
        evaluate_persons(*write(tmp_path, rows), tmp_path / "out", language=language)


def test_what_cannot_be_measured(tmp_path: Path) -> None:
    folder, run, truth = write(tmp_path, [{}, {"subject": "S2"}])

    def refused(key: str) -> None:
        with pytest.raises(UserError) as error:
            measure_persons(folder, run, truth)
        assert error.value.key == key
        assert all(error.value.in_language(language) for language in LANGUAGES)

    Path(truth).write_text("dose_id,citizen_id,person_id\nD0,,T1\nD0,,T2\n")
    refused("evaluation_truth_repeats")
    Path(truth).write_text("dose_id,citizen_id,person_id\nD7,,T1\n")
    refused("evaluation_nothing_in_common")
    Path(truth).write_text("dose_id,citizen_id,person_id,labelled\nD0,,T1,1\n")
    refused("evaluation_all_labelled")
    (folder / "duplicates.parquet").unlink()
    refused("persons_evaluation.unfinished")
