"""Labels from answers: what becomes of each outcome, and that the weights stand for the run."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from linkage.errors import UserError
from linkage.review.cases import Case, Dose
from linkage.review.labels import BANDS, combined, labels, post_stratified
from linkage.store import Draft, Said, Store, open_store
from linkage.store.schema import CASE_CONTENT, REVIEW_CASE
from linkage.tables.labels import check_labels

HERS, SISTER = "003184000123", "003184000124"
ROW: dict[str, Any] = dict.fromkeys(column.name for column in REVIEW_CASE.columns) | {
    "kind": "queue",
    "run": "r",
    "model": "m@0",
    "unit": "00001",
    "place": 1,
    "worth": 1.0,
    "doses": 1,
    "probability": 0.9,
    "queued_at": "2022-05-01T00:00:00+00:00",
    "readings": 1,
    "state": "open",
    "version": 1,
}
Write = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


@pytest.fixture
def add(store: Store, example: Callable[..., Case]) -> Callable[..., None]:
    """``add("c1", ["D1", "D2"], "none", shown=())``: a case of these doses, and what a reader said of it."""

    def make(
        name: str,
        doses: Sequence[str],
        *said: str,
        actor: str = "an",
        shown: tuple[Any, ...] | None = None,
        **row: Any,
    ) -> None:
        parts = {} if shown is None else {"candidates": shown}
        other = Dose(f"{name}-other", False, "accept")
        case = example(name, doses=(*(Dose(one, True, "review") for one in doses), other), **parts)
        values = ROW | {"case_id": name, "subject": name} | row
        with store.writing() as writer:
            writer.insert(REVIEW_CASE, [tuple(values[column.name] for column in REVIEW_CASE.columns)])
            writer.insert(CASE_CONTENT, [(name, json.dumps(asdict(case)))])
            for reading, what in enumerate(said, start=1):
                citizen, field = (what if what.isdigit() else None), ("name" if what == "send_back" else None)
                answer = Said(name, "citizen" if citizen else what, citizen, field, "", reading, 9)
                writer.append(Draft("answer", f"{actor}{reading}"), answers=[answer])

    return make


@pytest.fixture
def run(tmp_path: Path) -> Write:
    """``run({"review": ["D1"], "accept": ["D9"]})``: a finished run of these doses."""

    def write(decisions: dict[str, list[str]], **columns: dict[str, Any]) -> Path:
        folder = tmp_path / "run"
        folder.mkdir()
        rows = [(dose, decision) for decision, doses in decisions.items() for dose in doses]
        table = {
            "dose_id": pa.array([dose for dose, _ in rows]),
            "decision": pa.array([decision for _, decision in rows]),
            "stratum": pa.array(["no_number"] * len(rows)),
            "probability": pa.array([0.95] * len(rows)),
            **{name: pa.array([given.get(dose) for dose, _ in rows]) for name, given in columns.items()},
        }
        pq.write_table(pa.table(table), folder / "decisions.parquet")
        pq.write_table(pa.table({"dose_id": pa.array([], pa.string())}), folder / "review.parquet")
        (folder / "manifest.json").write_text(json.dumps({"inputs": {"doses": "x"}, "model": {"digest": "y"}}))
        return folder

    return write


@pytest.fixture
def base(tmp_path: Path) -> Write:
    """``base(("D1", HERS, "1", 5.0), …)``: earlier labels."""

    def write(*rows: tuple[str, str, str, float]) -> Path:
        path = tmp_path / "base.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("dose_id", "citizen_id", "is_match", "weight"), *rows])
        return path

    return write


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def said(path: Path) -> set[tuple[str, str, str]]:
    return {(row["dose_id"], row["citizen_id"], row["is_match"]) for row in read(path)}


def weights(path: Path) -> dict[str, float]:
    return {row["dose_id"]: float(row["weight"]) for row in read(path)}


def test_each_outcome_says_what_was_judged(store: Store, add: Callable[..., None], run: Write, tmp_path: Path) -> None:
    add("hers", ["D1", "D2"], HERS)
    add("none", ["D3"], "none")
    add("nobody", ["D4"], "none", shown=())
    add("unsure", ["D5"], "cannot_tell")
    add("back", ["D6"], "send_back")
    add("mixed", ["D7"], "mixed_up")
    folder = run({"review": [f"D{number}" for number in range(1, 9)]})
    found = labels(store, folder, out=tmp_path / "labels.csv")
    assert said(tmp_path / "labels.csv") == {
        *((dose, HERS, "1") for dose in ("D1", "D2")),
        *((dose, SISTER, "0") for dose in ("D1", "D2")),
        *(("D3", one, "0") for one in (HERS, SISTER)),
        ("D4", "", "0"),
        *(("D5", one, "?") for one in (HERS, SISTER)),
    }
    assert (found.doses, found.gained, found.weight) == (4, 4, 8)
    assert [key for key, _ in found.notices] == ["review.labels_alone"]
    assert {row["reviewer"] for row in read(tmp_path / "labels.csv")} == {"an1"}


def test_what_does_not_stand_gives_no_label(store: Store, add: Callable[..., None], run: Write, tmp_path: Path) -> None:
    add("right", ["D1"], HERS)
    add("hidden", ["D2"], HERS, kind="hidden")
    add("control", ["D3"], HERS, kind="control", of_case="right")
    add("disputed", ["D4"], HERS, SISTER, readings=2)
    add("half", ["D5"], HERS, readings=2)
    add("unread", ["D6"])
    add("undone", ["D7"], HERS)
    with store.writing() as writer:
        writer.append(Draft("undo", "an1"), answers=[Said("undone", "citizen", HERS, None, "", 0, None)])
    add("accepted", ["D8"], HERS)
    add("judged", ["D9"], HERS, SISTER, SISTER, readings=2)
    folder = run({"review": [f"D{number}" for number in (1, 2, 3, 4, 5, 6, 7, 9)], "accept": ["D8"]})
    labels(store, folder, out=tmp_path / "labels.csv")
    assert {row for row in said(tmp_path / "labels.csv") if row[2] == "1"} == {("D1", HERS, "1"), ("D9", SISTER, "1")}
    assert weights(tmp_path / "labels.csv") == {"D1": 4, "D9": 4}
    assert {row["reviewer"] for row in read(tmp_path / "labels.csv")} == {"an1", "an3"}


def test_of_a_dose_in_two_cases_the_last_decision_holds(
    store: Store, add: Callable[..., None], run: Write, tmp_path: Path
) -> None:
    add("later", ["D1"], readings=1)
    add("earlier", ["D1", "D2"], SISTER)
    with store.writing() as writer:
        writer.append(Draft("answer", "ba"), answers=[Said("later", "citizen", HERS, None, "", 1, 5)])
    labels(store, run({"review": ["D1", "D2"]}), out=tmp_path / "labels.csv")
    matches = {row for row in said(tmp_path / "labels.csv") if row[2] == "1"}
    assert matches == {("D1", HERS, "1"), ("D2", SISTER, "1")}


def test_a_run_that_respected_the_answers_gives_the_same_labels(
    store: Store, add: Callable[..., None], run: Write, tmp_path: Path
) -> None:
    add("hers", ["D1"], HERS)
    add("none", ["D2"], "none")
    folder = run({"accept": ["D1", "D8"], "no_match": ["D2"], "review": ["D3"]}, answered={"D1": 1, "D2": 2})
    found = labels(store, folder, out=tmp_path / "labels.csv")
    assert weights(tmp_path / "labels.csv") == {"D1": 1.5, "D2": 1.5}
    assert found.weight == 3


def test_without_an_answer_there_are_no_labels(
    store: Store, add: Callable[..., None], run: Write, tmp_path: Path
) -> None:
    add("unsure", ["D1"], "cannot_tell")
    with pytest.raises(UserError) as nothing:
        labels(store, run({"review": ["D1"]}), out=tmp_path / "labels.csv")
    assert nothing.value.key == "review.labels_none"
    assert not (tmp_path / "labels.csv").exists()


def test_base_and_answers_are_one_draw_of_the_whole_run(
    store: Store, add: Callable[..., None], run: Write, base: Write, tmp_path: Path
) -> None:
    add("hers", ["R1", "R2"], HERS)
    add("unsure", ["R3"], "cannot_tell")
    accepted = [f"A{number}" for number in range(60)]
    folder = run({"review": [f"R{number}" for number in range(1, 11)], "accept": accepted, "quarantine": ["Q"]})
    earlier = base(
        ("R1", SISTER, "1", 7),  # the answer of the queue stands
        ("R3", HERS, "1", 2),  # the queue could not tell, the base could
        ("R4", HERS, "0", 6),
        ("A0", HERS, "1", 3),
        ("A1", HERS, "1", 9),
        ("A2", HERS, "?", 9),
        ("elsewhere", HERS, "1", 9),
        ("Q", HERS, "1", 9),
    )
    found = labels(store, folder, base=str(earlier), out=tmp_path / "labels.csv")
    matches = {row for row in said(tmp_path / "labels.csv") if row[2] == "1"}
    assert matches == {(dose, HERS, "1") for dose in ("R1", "R2", "R3", "A0", "A1")}
    # the cell has ten doses and four labels: two of the queue, and two of the base in proportion 2 : 6
    expected = {"R1": 2.5, "R2": 2.5, "R3": 1.25, "R4": 3.75, "A0": 15, "A1": 45, "A2": 45}
    assert weights(tmp_path / "labels.csv") == pytest.approx(expected)
    assert (found.doses, found.gained) == (6, 2)
    assert found.weight == pytest.approx(70)
    assert found.notices == (("review.labels_elsewhere", {"doses": 2}),)
    assert len({row["draw"] for row in read(tmp_path / "labels.csv")}) == 1


def test_training_reads_them(store: Store, add: Callable[..., None], run: Write, base: Write, tmp_path: Path) -> None:
    add("hers", ["R1"], HERS)
    add("unsure", ["R2"], "cannot_tell")
    folder = run({"review": ["R1", "R2", "R3"], "accept": ["A0", "A1"]})
    labels(store, folder, base=str(base(("A0", HERS, "1", 3))), out=tmp_path / "labels.csv")
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE labels AS SELECT 0 AS file_no, row_number() OVER () AS row, *"
            " FROM read_csv(?, all_varchar = true)",
            [str(tmp_path / "labels.csv")],
        )
        check_labels(connection, tmp_path / "labels.csv")
        doses = connection.execute("SELECT dose_id, weight, disputed FROM label_doses ORDER BY 1").fetchall()
    assert doses == [("A0", 2.0, False), ("R1", 3.0, False)]


def test_the_same_answers_give_the_same_bytes(
    store: Store, add: Callable[..., None], run: Write, base: Write, tmp_path: Path
) -> None:
    for number in range(40):
        add(f"c{number}", [f"R{number}"], HERS if number % 3 else "none")
    folder = run({"review": [f"R{number}" for number in range(50)], "accept": [f"A{n}" for n in range(500)]})
    earlier = str(base(*((f"A{number}", HERS, "1", 1 + number / 7) for number in range(100))))
    for name in ("one", "two"):
        labels(store, folder, base=earlier, out=tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@given(st.data())
def test_weights_add_up_to_every_division_that_is_covered(data: st.DataObject) -> None:
    doses = data.draw(st.integers(1, 60))
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    fine = generator.integers(0, 6, doses)
    coarse = fine // 2
    weight, answered = generator.random(doses) + 0.1, generator.random(doses) < 0.7
    fine_sizes = np.bincount(fine, minlength=6) + generator.integers(0, 9, 6)
    coarse_sizes = fine_sizes.reshape(3, 2).sum(axis=1)
    found = post_stratified(weight, answered, [(fine, fine_sizes), (coarse, coarse_sizes)])
    for part in range(3):
        inside = answered & (coarse == part)
        if inside.any():
            assert found[inside].sum() == pytest.approx(coarse_sizes[part])
        if {2 * part, 2 * part + 1} <= set(fine[answered].tolist()):
            for one in (2 * part, 2 * part + 1):
                assert found[answered & (fine == one)].sum() == pytest.approx(fine_sizes[one])
                shares = found[fine == one] / weight[fine == one]
                assert shares == pytest.approx(shares[0])


Estimates = tuple[float, float]


def estimates(weight: NDArray[np.float64], accept: Any, right: Any, level: Any) -> Estimates:
    """False links among what a model accepts, and m of a level among matches."""
    wrong = weight[accept & ~right].sum() / weight[accept].sum()
    return float(wrong), float(weight[right & level].sum() / weight[right].sum())


def test_estimates_from_both_samples_are_unbiased() -> None:
    """The next model accepts some of what was in review: its false links, and m, come out right on average."""
    generator = np.random.default_rng(7)
    doses = 20_000
    cell = np.where(generator.random(doses) < 0.1, generator.integers(0, 4, doses), -1)
    in_review = cell >= 0
    right = generator.random(doses) < np.where(in_review, np.array([0.3, 0.7, 0.9, 0.97])[cell], 0.999)
    level = generator.random(doses) < np.where(in_review, 0.3, 0.9)
    accept = (cell == 3) | (cell == 2) | ~in_review
    sizes = np.bincount(cell[in_review], minlength=4)
    totals = np.array([np.count_nonzero(in_review), np.count_nonzero(~in_review)])
    truth = estimates(np.ones(doses), accept, right, level)
    found = []
    for _ in range(300):
        # neither sample is like the run: the base draws some levels oftener, the queue some cells
        drawn_with = np.where(in_review, 0.2, np.where(level, 0.03, 0.1))
        drawn = generator.random(doses) < drawn_with
        read_ = in_review & (generator.random(doses) < np.array([0.2, 0.9, 0.4, 0.6])[cell])
        taken = drawn | read_
        weight = combined(
            np.where(read_, 1.0, 1 / drawn_with)[taken],
            np.ones(np.count_nonzero(taken), dtype=bool),
            read_[taken],
            [(cell[taken], sizes), ((~in_review[taken]).astype(np.int64), totals)],
        )
        assert weight.sum() == pytest.approx(doses)
        found.append(estimates(weight, accept[taken], right[taken], level[taken]))
    for estimate, true in zip(np.array(found).T, truth, strict=True):
        assert abs(estimate.mean() - true) < 3.5 * estimate.std() / np.sqrt(len(found))
        assert estimate.std() < 0.5 * true


def test_bands_ascend() -> None:
    assert [*BANDS] == sorted(BANDS)
