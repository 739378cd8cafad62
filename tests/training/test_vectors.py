"""The arithmetic of a run in numpy is that of the statements a run executes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.blocking import Budget, plan_blocking
from linkage.deciding import compile_deciding, compile_ranking
from linkage.scoring import compared_tables, compile_scoring, level_column, measure_registry
from models import CAUTION, Calibration, Model, Registry, Thresholds
from training.calibration import Scored, outcomes
from training.vectors import Candidates, Floats, Ints, Vectors, best_candidates, match_weights, strata

Columns = dict[str, np.ndarray]
Random = Callable[..., Model]


@pytest.fixture(params=["random 1", "random 2", "trained"])
def model(request: pytest.FixtureRequest, random_model: Random, trained_folder: Path) -> Model:
    trained = Model.read(trained_folder)
    kind, _, seed = request.param.partition(" ")
    return random_model(trained.specification, int(seed)) if kind == "random" else trained


@pytest.fixture
def registry(connection: duckdb.DuckDBPyConnection, model: Model) -> Registry:
    """Makes the table ``scored`` too: all candidates."""
    compared_tables(connection, model.specification)
    plan = plan_blocking(connection, model.specification, Budget())
    measured = measure_registry(connection, model.specification)
    statement = compile_scoring(model, measured, plan, -1000.0, with_frequencies=True)
    connection.execute(f"CREATE TABLE scored AS {statement}", {"first": 0, "last": 10**9})
    return measured


def read(connection: duckdb.DuckDBPyConnection, sql: str) -> Columns:
    return {name: np.asarray(column) for name, column in connection.execute(sql).fetchnumpy().items()}


def vectors_of(connection: duckdb.DuckDBPyConnection, model: Model) -> tuple[Vectors, Columns]:
    rows = connection.execute("SELECT * FROM scored ORDER BY dose_key, citizen_key").fetchnumpy()
    comparisons = model.specification.comparisons

    def frequency(name: str) -> Floats:
        return np.asarray(np.ma.filled(np.ma.asarray(rows[name], dtype=float), np.nan))

    vectors = Vectors(
        np.column_stack([rows[level_column(each)] for each in comparisons]),
        np.column_stack([frequency(f"frequency_of_{each.name}") for each in comparisons]),
    )
    return vectors, {name: np.asarray(rows[name]) for name in ("dose_key", "citizen_key", "match_weight")}


def test_match_weights_are_those_of_the_statement(
    connection: duckdb.DuckDBPyConnection, model: Model, registry: Registry
) -> None:
    vectors, rows = vectors_of(connection, model)
    assert len(rows["dose_key"]) > 4000
    assert (~np.isnan(vectors.frequencies)).any(axis=1).sum() > 2000
    np.testing.assert_allclose(match_weights(model, registry, vectors), rows["match_weight"], rtol=1e-9, atol=1e-9)


def test_strata_probabilities_and_accepts_are_those_of_the_statements(
    connection: duckdb.DuckDBPyConnection, model: Model, registry: Registry
) -> None:
    assert registry.citizens == 2000
    specification, names = model.specification, model.specification.stratum_names
    generator = np.random.default_rng(1)
    model = replace(
        model,
        calibration={name: Calibration(*generator.uniform((0.3, -3), (1.5, 3)).tolist()) for name in names},
        thresholds=Thresholds(dict.fromkeys(names, 0.97), 0.1),
    )
    vectors, rows = vectors_of(connection, model)
    keys, dose = np.unique(rows["dose_key"], return_inverse=True)
    found = strata(specification, vectors, dose, rows["match_weight"], len(keys) + 1)
    ranked = read(
        connection,
        "SELECT dose_key, any_value(stratum) AS stratum, count(DISTINCT stratum) AS strata FROM"
        f" ({compile_ranking(specification, 'scored')}) GROUP BY dose_key ORDER BY dose_key",
    )
    assert set(ranked["strata"]) == {1}
    assert [names[place] for place in found[:-1]] == ranked["stratum"].tolist()
    assert found[-1] == -1
    assert {CAUTION, "no_number", "number_and_details"} <= set(ranked["stratum"])

    doses = len(keys) + 1
    nothing = np.zeros(doses, dtype=bool)
    candidates = Candidates(vectors, dose, np.zeros(len(dose), bool), np.ones(doses), nothing, np.arange(doses))
    decided = outcomes(Scored(candidates, rows["match_weight"], found), names, model.calibration, model.in_registry)
    best = read(
        connection,
        "SELECT dose_key, citizen_key, CASE WHEN margin IS NULL OR margin > 0 THEN probability ELSE 0 END"
        f" AS probability, decision, caution IS NULL AS clear FROM ({compile_deciding(model, 'scored')})"
        " WHERE rank = 1 ORDER BY dose_key",
    )
    np.testing.assert_allclose(decided.probability[:-1], best["probability"], rtol=1e-9, atol=1e-300)
    first, _ = best_candidates(dose, rows["match_weight"])
    np.testing.assert_array_equal(rows["citizen_key"][first], best["citizen_key"])
    np.testing.assert_array_equal((decided.probability[:-1] >= 0.97) & best["clear"], best["decision"] == "accept")


WEIGHTS = st.lists(st.tuples(st.integers(0, 6), st.sampled_from((-3.0, 0.0, 7.5)) | st.floats(-50, 50)), max_size=25)


@given(WEIGHTS)
@settings(max_examples=80, deadline=None)
def test_the_best_candidate_is_the_first_of_the_heaviest(rows: list[tuple[int, float]]) -> None:
    rows.sort(key=lambda row: row[0])
    dose: Ints = np.array([row[0] for row in rows], dtype=np.int64)
    weight = np.array([row[1] for row in rows], dtype=float)
    best, alone = best_candidates(dose, weight)
    assert dose[best].tolist() == sorted({row[0] for row in rows})
    for place, only in zip(best.tolist(), alone.tolist(), strict=True):
        same = np.flatnonzero(dose == dose[place])
        heaviest = same[weight[same] == weight[same].max()]
        assert place == heaviest[0]
        assert only == (len(heaviest) == 1)


@given(WEIGHTS, st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=40, deadline=None)
def test_candidates_of_some_doses_keep_their_rows(rows: list[tuple[int, float]], chosen: list[bool]) -> None:
    rows.sort(key=lambda row: row[0])
    dose: Ints = np.array([row[0] for row in rows], dtype=np.int64)
    levels = np.arange(len(rows), dtype=np.uint8)[:, None]
    numbers = np.arange(8)
    every = Candidates(
        Vectors(levels, levels.astype(float)), dose, levels[:, 0] % 2 == 0, np.ones(8), numbers > 3, numbers
    )
    some = every.of(np.array(chosen))
    assert some.person.tolist() == [number for number in range(8) if chosen[number]]
    kept = [place for place, (number, _) in enumerate(rows) if chosen[number]]
    assert some.vectors.levels[:, 0].tolist() == kept
    assert some.person[some.dose].tolist() == [rows[place][0] for place in kept]
    assert some.is_match.tolist() == [place % 2 == 0 for place in kept]
