"""The comparison with rivals: every row and column, the same doses for all, and a table that says what was counted."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from evaluation.benchmarks.rivals import as_markdown, boosting, compare, plain_splink
from evaluation.benchmarks.rivals.table import BLOCKS, COLUMNS, ROWS

SIDES = tuple(COLUMNS)


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("rivals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("training.train"), "RANDOM_PAIRS", 50_000)
        patch.setattr(plain_splink, "RANDOM_PAIRS", 5e4)
        patch.setattr(boosting, "GRID", {"max_iter": [5, 20], "min_samples_leaf": [5], "monotonic_cst": [True]})
        return out, compare(1500, 3000, 1, out, threads=2, memory="2GB")


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
    text = as_markdown({"machine": "one", "threads": 2, **results})
    assert len([line for line in text.splitlines() if line.startswith("|")]) == len(BLOCKS) * (2 + len(ROWS))
    json.dumps(results)


def test_all_are_judged_on_the_same_doses(compared: tuple[Path, dict[str, Any]]) -> None:
    out, results = compared
    totals = {name: evaluation["overall"]["doses"] for name, evaluation in results["evaluations"].items()}
    assert set(totals) == set(SIDES)
    assert len(set(totals.values())) == 1
    truth = pq.read_table(out / "truth.parquet").to_pylist()
    assert totals["khop"] == sum(row["labelled"] == "0" for row in truth)
    doses = [pq.read_table(out / name / "decisions.parquet")["dose_id"].to_pylist() for name in SIDES]
    assert doses[0] == doses[1] == doses[2]
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
        assert counts["precision of accepts"] == (right, len(accepts))
        assert counts["well-formed ID, wrong details: accepted and right"] == (found, len(differ))


def test_in_hindsight_precision_is_as_required(compared: tuple[Path, dict[str, Any]]) -> None:
    _, results = compared
    table = results["tables"]["in_hindsight"]
    for name, cell in table["precision of accepts"].items():
        assert cell["value"] is None or cell["value"] >= 0.9997, name
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


def test_the_margin_is_to_the_best_other_candidate() -> None:
    values = np.array([3, 1, 3, 5, 2, np.nan, 7, np.nan], dtype=np.float32)
    start, which = np.array([0, 3, 6, 7]), np.array([0, 0, 0, 1, 1, 1, 2, 3])
    found = boosting.over_best_other(values, start, which)
    expected = [0, -2, 0, 3, -3, np.nan, np.nan, np.nan]
    np.testing.assert_array_equal(found, np.array(expected, dtype=np.float32))
