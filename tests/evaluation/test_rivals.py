"""The comparison with rivals: every row and column, the same doses for all, and a table that says what was counted."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.benchmarks.rivals import as_markdown, classifiers, compare, draw, plain_splink
from evaluation.benchmarks.rivals.table import BLOCKS, COLUMNS, ROWS
from models import Model
from training.vectors import Vectors

SIDES = tuple(COLUMNS)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("rivals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("training.arrays"), "RANDOM_PAIRS", 50_000)
        for name in ("training.learning", "evaluation.benchmarks.rivals.ground"):
            patch.setattr(importlib.import_module(name), "FOLDS", 2)
        patch.setattr(plain_splink, "RANDOM_PAIRS", 5e4)
        patch.setattr(classifiers, "LOGISTIC_GRID", {"C": [1.0]})
        patch.setattr(classifiers, "BOOSTING_GRID", {"max_iter": [20], "constrained": [True]})
        return out, compare(1500, 3000, 1, out, tolerance=0.02, threads=2, memory="2GB")


def test_every_row_and_column_is_there_and_holds_shares(compared: tuple[Path, dict[str, Any]]) -> None:
    _, results = compared
    assert set(results["tables"]) == set(BLOCKS)
    for table in results["tables"].values():
        assert set(table) == {row.name for row in ROWS}
        for cells in table.values():
            assert set(cells) == set(SIDES)
            for cell in cells.values():
                assert 0 <= cell["count"] <= cell["total"]
                assert cell["value"] is None or 0 <= cell["low"] <= cell["value"] <= cell["high"] <= 1
    with_machine = {"machine": "one", "threads": 2, **results}
    for seeds, more in ((1, 0), (3, 2 + 3 * len(BLOCKS))):
        lines = [line for line in as_markdown([with_machine] * seeds).splitlines() if line.startswith("|")]
        assert len(lines) == 1 + len(BLOCKS) * (2 + len(ROWS)) + more
    cell = results["tables"]["by_the_rule"][ROWS[0].name]["khop"]
    assert f"{cell['value']:.3%} ({cell['count'] * 2:,} of {cell['total'] * 2:,})" in as_markdown([with_machine] * 2)
    json.dumps(results)


def test_all_prove_the_same_on_the_same_labelled_doses(compared: tuple[Path, dict[str, Any]]) -> None:
    _, results = compared
    assert set(results["proven"]) == set(SIDES)
    for name, found in results["proven"].items():
        assert 0 < found["bound"] <= results["tolerance"], name
    doses = {each["evidence"]["doses"] for each in results["rivals"].values()}
    assert doses == {Model.read(compared[0] / "model").evidence["thresholds"]["doses"]}
    assert {each["evidence"]["max_false_link_rate"] for each in results["rivals"].values()} == {0.02}


def test_cautions_are_ours_and_of_those_shown_with_them(compared: tuple[Path, dict[str, Any]]) -> None:
    out, _ = compared
    for name in SIDES:
        rows = pq.read_table(out / name / "decisions.parquet").to_pylist()
        cautioned = [row for row in rows if row["caution"]]
        assert bool(cautioned) == (name == "khop" or name.endswith("_helped")), name
        assert not any(row["decision"] == "accept" for row in cautioned)


def test_the_chart_has_a_line_for_everybody(compared: tuple[Path, dict[str, Any]]) -> None:
    out, results = compared
    draw(results, out / "results.svg")
    text = (out / "results.svg").read_text(encoding="utf-8")
    assert all(title in text for title in COLUMNS.values())


def test_all_are_judged_on_the_same_doses(compared: tuple[Path, dict[str, Any]]) -> None:
    out, results = compared
    totals = {name: evaluation["overall"]["doses"] for name, evaluation in results["evaluations"].items()}
    assert set(totals) == set(SIDES)
    assert len(set(totals.values())) == 1
    truth = pq.read_table(out / "truth.parquet").to_pylist()
    assert totals["khop"] == sum(row["labelled"] == "0" for row in truth)
    doses = [pq.read_table(out / name / "decisions.parquet")["dose_id"].to_pylist() for name in SIDES]
    assert all(each == doses[0] for each in doses)
    for row in ("linkable doses accepted and right", "doses in review", "twins: accepted wrong, per 2,000 doses"):
        cells = [cell for table in results["tables"].values() for cell in table[row].values()]
        assert len({cell["total"] for cell in cells}) == 1
        assert cells[0]["total"] > 0


def test_the_table_equals_a_count_by_hand(compared: tuple[Path, dict[str, Any]]) -> None:
    out, results = compared
    truth = {row["dose_id"]: row for row in pq.read_table(out / "truth.parquet").to_pylist()}
    for name in SIDES:
        judged = [
            (row, truth[row["dose_id"]])
            for row in pq.read_table(out / name / "decisions.parquet").to_pylist()
            if truth[row["dose_id"]]["labelled"] == "0"
        ]
        accepts = [(row, known) for row, known in judged if row["decision"] == "accept"]
        right = sum(row["citizen_id"] == known["citizen_id"] for row, known in accepts)
        differ = [(row, known) for row, known in judged if known["details"] == "differ" and known["citizen_id"]]
        found = sum(row["decision"] == "accept" and row["citizen_id"] == known["citizen_id"] for row, known in differ)
        counts = {
            row: (cells[name]["count"], cells[name]["total"]) for row, cells in results["tables"]["by_the_rule"].items()
        }
        assert counts["false links among accepts"] == (len(accepts) - right, len(accepts))
        assert counts["well-formed ID, wrong details: accepted and right"] == (found, len(differ))


def test_in_hindsight_precision_is_as_required(compared: tuple[Path, dict[str, Any]]) -> None:
    _, results = compared
    table = results["tables"]["in_hindsight"]
    for name, cell in table["false links among accepts"].items():
        assert cell["value"] is None or cell["value"] <= 0.0003, name
    accepted = table["linkable doses accepted and right"]
    assert all(accepted[name]["value"] > 0.5 for name in SIDES)


def test_rivals_learn_to_put_the_right_citizen_first(compared: tuple[Path, dict[str, Any]]) -> None:
    """A rival that cannot would make ours look good for nothing."""
    out, _ = compared
    truth = {row["dose_id"]: row["citizen_id"] for row in pq.read_table(out / "truth.parquet").to_pylist()}
    for name in SIDES:
        best = pq.read_table(out / name / "decisions.parquet").to_pylist()
        right = [row["citizen_id"] == truth[row["dose_id"]] for row in best if truth[row["dose_id"]]]
        assert sum(right) / len(right) > 0.9, name


@given(data=st.data())
def test_margin_and_rank_are_within_the_dose(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 4), max_size=5))
    dose = np.repeat(np.arange(len(sizes)) * 3, sizes)
    bits = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=len(dose), max_size=len(dose))), dtype=float)
    margin, rank, candidates = classifiers.within_dose(bits, dose)
    for place, (own, its) in enumerate(zip(bits, dose, strict=True)):
        others = [x for at, x in enumerate(bits) if dose[at] == its and at != place]
        assert candidates[place] == len(others) + 1
        assert sum(x > own for x in others) <= rank[place] <= sum(x >= own for x in others)
        if others:
            assert margin[place] == own - max(others)
        else:
            assert np.isnan(margin[place])


def test_classifiers_learn_what_tells_matches() -> None:
    rng = np.random.default_rng(1)
    dose = np.repeat(np.arange(500), 2)
    levels = rng.integers(0, 3, size=(1000, 2)).astype(np.uint8)
    levels[:, 0] = np.where(rng.random(1000) < 0.9, 1 + (np.arange(1000) % 2), levels[:, 0])
    vectors = Vectors(levels, np.where(levels == 1, 0.01, np.nan))
    is_match, weight = np.arange(1000) % 2 == 0, np.ones(1000)
    settings = {"max_iter": 20, "constrained": True}
    for learner in (classifiers.Logistic([2, 2], {"C": 1.0}), classifiers.Boosting([2, 2], settings, seed=1)):
        bits = learner.fit(vectors, dose, is_match, weight).bits(vectors, dose)
        assert np.isfinite(bits).all()
        assert (bits[is_match] > bits[~is_match]).mean() > 0.8
