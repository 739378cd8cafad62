"""The posterior over the candidates of a dose and "none of them", and what is decided from it."""

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.deciding import compile_deciding
from models import (
    NEVER,
    OTHER,
    Calibration,
    Model,
    Specification,
    Thresholds,
)

NOTHING = Specification("nothing", {}, (), ())


class Ranked(NamedTuple):
    dose: int
    citizen: int
    match_weight: float
    rank: int
    probability: float
    margin: float | None
    runner_up: int | None
    decision: str


BITS = st.floats(-1100, 1100, allow_nan=False)
WEIGHTS = st.lists(BITS | st.floats(-15, 15), min_size=1, max_size=8)


def alike(specification: Specification, prior: float, calibration: Calibration, accept: float, review: float) -> Model:
    """A model that decides alike in every stratum."""
    names = specification.stratum_names
    return Model(
        "any",
        specification,
        {},
        prior,
        dict.fromkeys(names, calibration),
        Thresholds(dict.fromkeys(names, accept), min(accept, review)),
    )


MODELS = st.builds(
    lambda prior, slope, intercept, accept, review: alike(
        NOTHING, prior, Calibration(slope, intercept), accept, review
    ),
    st.floats(0.01, 0.999),
    st.floats(0.05, 3),
    st.floats(-10, 10),
    st.sampled_from((0.3, 0.5, 0.5 + 1e-9, 0.9, 0.999, NEVER)),
    st.floats(0, 1),
)


def decide(model: Model, doses: Sequence[Sequence[float]], shuffle: int | None = None) -> list[Ranked]:
    """All candidates, by dose and rank; citizens are numbered by their place, from 0."""
    rows = [(dose, citizen, weight) for dose, weights in enumerate(doses) for citizen, weight in enumerate(weights)]
    return decide_rows(model, random.Random(shuffle).sample(rows, len(rows)) if shuffle is not None else rows)


def decide_rows(model: Model, rows: Sequence[tuple[int, int, float]]) -> list[Ranked]:
    dose, citizen, weight = (list(column) for column in zip(*rows, strict=True))
    columns = {"dose_key": dose, "citizen_key": citizen, "rule": [0] * len(rows), "match_weight": weight}
    with duckdb.connect() as connection:
        connection.register("candidates", pa.table(columns))
        found = connection.execute(
            "SELECT dose_key, citizen_key, match_weight, rank, probability, margin, runner_up_key, decision"
            f" FROM ({compile_deciding(model, 'candidates')}) ORDER BY dose_key, rank"
        ).fetchall()
    return [Ranked(*row) for row in found]


def posterior(model: Model, weights: Sequence[float], stratum: str = OTHER) -> np.ndarray:
    """In logarithms, where nothing overflows: P(citizen) = odds / (sum of odds + 1 - prior)."""
    calibration = model.calibration[stratum]
    odds = (calibration.slope * np.asarray(weights) + calibration.intercept) * math.log(2)
    total = np.logaddexp.reduce([*odds, math.log(1 - model.in_registry)])
    return np.asarray(np.exp(odds - total))


@given(MODELS, WEIGHTS)
@settings(max_examples=25, deadline=None)
def test_the_posterior_is_bayes_rule_over_citizens_and_none(model: Model, weights: list[float]) -> None:
    found = {row.citizen: row.probability for row in decide(model, [weights])}
    expected = posterior(model, weights)
    assert sorted(found) == list(range(len(weights)))
    np.testing.assert_allclose([found[place] for place in range(len(weights))], expected, rtol=1e-9, atol=1e-300)
    assert all(probability >= 0 for probability in found.values())
    assert sum(found.values()) <= 1 + 1e-12


@given(MODELS, st.lists(WEIGHTS, min_size=2, max_size=4))
@settings(max_examples=12, deadline=None)
def test_a_dose_is_decided_as_if_it_were_alone(model: Model, doses: list[list[float]]) -> None:
    together = decide(model, doses)
    for dose, weights in enumerate(doses):
        alone = decide(model, [weights])
        assert [row._replace(dose=0) for row in together if row.dose == dose] == alone


@given(MODELS, WEIGHTS)
@settings(max_examples=20, deadline=None)
def test_two_equally_good_best_candidates_are_never_accepted(model: Model, weights: list[float]) -> None:
    rows = decide(model, [[*weights, max(weights)]])
    assert {row.decision for row in rows} <= {"review", "no_match"}
    assert all(row.probability <= 0.5 for row in rows)
    assert rows[0].margin == 0


@given(MODELS, WEIGHTS, st.floats(0, 100))
@settings(max_examples=20, deadline=None)
def test_a_worse_candidate_never_raises_the_best(model: Model, weights: list[float], worse: float) -> None:
    before = decide(model, [weights])[0]
    after = decide(model, [[*weights, max(weights) - worse]])[0]
    assert after.citizen == before.citizen
    assert after.probability <= before.probability
    assert after.decision == before.decision or before.decision != "review" or worse == 0


@given(MODELS, WEIGHTS)
@settings(max_examples=20, deadline=None)
def test_rank_margin_and_runner_up_go_by_match_weight(model: Model, weights: list[float]) -> None:
    rows = decide(model, [weights])
    order = sorted(range(len(weights)), key=lambda citizen: (-weights[citizen], citizen))
    assert [row.citizen for row in rows] == order
    assert [row.rank for row in rows] == list(range(1, len(weights) + 1))
    assert [row.runner_up for row in rows] == [*order[1:], None]
    for row, following in pairwise(rows):
        assert row.margin == row.match_weight - following.match_weight >= 0
        assert row.probability >= following.probability
    assert rows[-1].margin is None


@given(MODELS, st.lists(WEIGHTS, min_size=1, max_size=4), st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_row_order_changes_nothing(model: Model, doses: list[list[float]], shuffle: int) -> None:
    plain, shuffled = decide(model, doses), decide(model, doses, shuffle)
    assert [row._replace(probability=0) for row in plain] == [row._replace(probability=0) for row in shuffled]
    np.testing.assert_allclose([r.probability for r in plain], [r.probability for r in shuffled], rtol=1e-12)


@given(MODELS, WEIGHTS)
@settings(max_examples=20, deadline=None)
def test_the_decision_is_the_thresholds(model: Model, weights: list[float]) -> None:
    rows = decide(model, [weights])
    total = float(posterior(model, weights).sum())
    best = rows[0]
    for probability, threshold in (
        (best.probability, model.thresholds.accept[OTHER]),
        (total, model.thresholds.review),
    ):
        if abs(probability - threshold) < 1e-12:
            return
    if best.probability > model.thresholds.accept[OTHER] and best.margin != 0:
        expected = "accept"
    else:
        expected = "review" if total > model.thresholds.review else "no_match"
    assert {row.decision for row in rows} == {expected}


PLAIN = alike(NOTHING, 0.9, Calibration(), 0.9, 0.1)


@pytest.mark.parametrize(
    ("weights", "decision"),
    [([10.0, -3.0], "accept"), ([10.0, 9.0], "review"), ([-1.0], "review"), ([-9.0, -9.0], "no_match")],
)
def test_examples_of_decisions(weights: list[float], decision: str) -> None:
    assert decide(PLAIN, [weights])[0].decision == decision


@pytest.mark.parametrize("slope", [0.05, 1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    "weights",
    [
        [500.0, 499.0, -500.0],
        [-500.0, -500.0],
        [1100.0],
        [1100.0, 1100.0],
        [1100.0, -1100.0, 1099.0],
        [-1100.0],
        [3e3] * 100,
        [1e5, 1e5],
    ],
)
def test_large_weights_stay_numbers(slope: float, weights: list[float]) -> None:
    model = alike(NOTHING, 0.9, Calibration(slope, 0.0), 0.9, 0.1)
    rows = decide(model, [weights])
    assert all(0 <= row.probability <= 1 for row in rows)
    assert sum(row.probability for row in rows) <= 1 + 1e-12
    np.testing.assert_allclose(
        sorted(row.probability for row in rows), sorted(posterior(model, weights)), rtol=1e-9, atol=1e-300
    )
    if sorted(weights)[-2:] == [max(weights)] * 2:
        assert {row.decision for row in rows} <= {"review", "no_match"}


@pytest.mark.parametrize("weight", [40.0, 60.0, 1100.0, 1e5])
def test_no_probability_reaches_a_threshold_above_one(weight: float) -> None:
    [row] = decide(alike(NOTHING, 0.9, Calibration(), NEVER, 0.1), [[weight]])
    assert row.probability == pytest.approx(1)
    assert row.decision == "review"


@pytest.mark.parametrize("accept", [0.3, 0.5, 0.5 + 1e-9])
def test_a_low_threshold_accepts_one_of_two_only_if_it_is_better(accept: float) -> None:
    model = alike(NOTHING, 0.9, Calibration(), accept, 0.1)
    rows = decide(model, [[30.0, 30.0], [30.0], [30.0, 29.0]])
    assert [row.decision for row in rows if row.rank == 1] == ["review", "accept", "accept"]
