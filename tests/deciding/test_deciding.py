"""The posterior over the candidates of a dose and "none of them", and what is decided from it."""

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.deciding import compile_deciding, compile_ranking
from linkage.scoring import level_column
from models import Calibration, Caution, Comparison, Level, Model, Specification, Thresholds

NEVER = math.nextafter(1, 2)
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
MODELS = st.builds(
    lambda prior, slope, intercept, accept, review: Model(
        "any", NOTHING, {}, prior, Calibration(slope, intercept), Thresholds(accept, min(accept, review))
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


def posterior(model: Model, weights: Sequence[float]) -> np.ndarray:
    """In logarithms, where nothing overflows: P(citizen) = odds / (sum of odds + 1 - prior)."""
    odds = (model.calibration.slope * np.asarray(weights) + model.calibration.intercept) * math.log(2)
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
    for probability, threshold in ((best.probability, model.thresholds.accept), (total, model.thresholds.review)):
        if abs(probability - threshold) < 1e-12:
            return
    if best.probability > model.thresholds.accept and best.margin != 0:
        expected = "accept"
    else:
        expected = "review" if total > model.thresholds.review else "no_match"
    assert {row.decision for row in rows} == {expected}


PLAIN = Model("plain", NOTHING, {}, 0.9, Calibration(), Thresholds(0.9, 0.1))


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
    model = replace(PLAIN, calibration=Calibration(slope, 0.0))
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
    [row] = decide(replace(PLAIN, thresholds=Thresholds(NEVER, 0.1)), [[weight]])
    assert row.probability == pytest.approx(1)
    assert row.decision == "review"


@pytest.mark.parametrize("accept", [0.3, 0.5, 0.5 + 1e-9])
def test_a_low_threshold_accepts_one_of_two_only_if_it_is_better(accept: float) -> None:
    model = replace(PLAIN, thresholds=Thresholds(accept, 0.1))
    rows = decide(model, [[30.0, 30.0], [30.0], [30.0, 29.0]])
    assert [row.decision for row in rows if row.rank == 1] == ["review", "accept", "accept"]


COMPARED = tuple(
    Comparison(name, "false", (*(Level(level, "true") for level in levels), Level("rest")), {})
    for name, levels in {"name": ("same", "near"), "born": ("same",)}.items()
)
NAMES = {c.name: ("missing", *(level.name for level in c.levels)) for c in COMPARED}
PATTERNS = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(levels), min_size=1, max_size=2).map(tuple) for name, levels in NAMES.items()
    },
)
CAUTIONS = st.lists(st.tuples(PATTERNS.filter(bool), PATTERNS), max_size=3).map(
    lambda drawn: tuple(Caution(f"caution_{number}", *each) for number, each in enumerate(drawn))
)


class Candidate(NamedTuple):
    match_weight: float
    name: str
    born: str


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.floats(-15, 15) | st.sampled_from((9.0, 10.0)),
        st.sampled_from(NAMES["name"]),
        st.sampled_from(NAMES["born"]),
    ),
    min_size=1,
    max_size=5,
)


def cautious(cautions: Sequence[Caution]) -> Specification:
    return Specification("cautious", {}, (), COMPARED, tuple(cautions))


def decide_levels(
    cautions: Sequence[Caution], doses: Sequence[Sequence[Candidate]], shuffle: int | None = None
) -> list[tuple[int, int, int, str | None, str]]:
    """Dose, citizen, rank, caution and decision of all candidates; citizens are numbered by their place."""
    rows = [
        {"dose_key": dose, "citizen_key": citizen, "match_weight": each.match_weight}
        | {level_column(c): NAMES[c.name].index(getattr(each, c.name)) for c in COMPARED}
        for dose, candidates in enumerate(doses)
        for citizen, each in enumerate(candidates)
    ]
    if shuffle is not None:
        random.Random(shuffle).shuffle(rows)
    model = replace(PLAIN, specification=cautious(cautions))
    with duckdb.connect() as connection:
        connection.register("candidates", pa.Table.from_pylist(rows))
        found = connection.execute(
            "SELECT dose_key, citizen_key, rank, caution, decision"
            f" FROM ({compile_deciding(model, 'candidates')}) ORDER BY dose_key, rank"
        ).fetchall()
        ranked = connection.execute(
            "SELECT dose_key, citizen_key, rank, caution"
            f" FROM ({compile_ranking(model.specification, 'candidates')}) ORDER BY dose_key, rank"
        )
        assert ranked.fetchall() == [row[:4] for row in found]
        assert [column[0] for column in ranked.description or ()] == ["dose_key", "citizen_key", "rank", "caution"]
    return found


def first_caution(cautions: Sequence[Caution], candidates: Sequence[Candidate]) -> str | None:
    """The first caution that holds, by the words of its definition."""
    best, *others = sorted(candidates, key=lambda each: -each.match_weight)
    for caution in cautions:
        if all(getattr(best, name) in levels for name, levels in caution.best.items()) and (
            not caution.another
            or any(all(getattr(o, name) in levels for name, levels in caution.another.items()) for o in others)
        ):
            return caution.name
    return None


@given(CAUTIONS, st.lists(CANDIDATES, min_size=1, max_size=5), st.none() | st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_first_caution_that_holds_is_named_and_its_dose_never_accepted(
    cautions: tuple[Caution, ...], doses: list[list[Candidate]], shuffle: int | None
) -> None:
    found = decide_levels(cautions, doses, shuffle)
    without = decide_levels((), doses)
    assert [row[:3] for row in found] == [row[:3] for row in without]
    for (dose, _, _, caution, decision), (*_, none, otherwise) in zip(found, without, strict=True):
        assert caution == first_caution(cautions, doses[dose])
        assert none is None
        assert decision == ("review" if caution and otherwise == "accept" else otherwise)


SAME, OTHER = Candidate(20.0, "same", "same"), Candidate(-10.0, "near", "rest")
BOTH = Caution("both", {"name": ("same",)}, {"name": ("near", "rest"), "born": ("rest",)})


@pytest.mark.parametrize(
    ("candidates", "holds"),
    [
        ([SAME, OTHER], True),
        ([OTHER, SAME], True),
        ([SAME], False),
        ([OTHER], False),
        ([SAME, SAME._replace(match_weight=-10.0)], False),
        # each half on a candidate of its own
        ([SAME, OTHER._replace(born="same"), OTHER._replace(name="same")], False),
        ([SAME, SAME._replace(match_weight=-9.0), OTHER], True),
        # the best must have the one pattern, not only some candidate
        ([OTHER._replace(match_weight=30.0), SAME], False),
        ([SAME, OTHER._replace(born="missing")], False),
    ],
)
def test_a_caution_with_another_needs_both_candidates(candidates: list[Candidate], holds: bool) -> None:
    # the doses beside it have what it lacks
    found = [row for row in decide_levels([BOTH], [[OTHER], candidates, [SAME, OTHER]]) if row[0] == 1]
    assert {row[3] for row in found} == {"both" if holds else None}
    if candidates[0] is SAME:
        assert found[0][4] == ("review" if holds else "accept")


def test_missing_is_a_level_that_a_caution_may_name() -> None:
    caution = Caution("unknown", {"born": ("missing", "rest")}, {})
    doses = [[SAME._replace(born=born)] for born in ("missing", "rest", "same")]
    assert [row[4] for row in decide_levels([caution], doses)] == ["review", "review", "accept"]


@given(CANDIDATES, CANDIDATES, st.floats(0.05, 3), st.floats(-10, 10))
@settings(max_examples=15, deadline=None)
def test_doses_with_a_caution_have_a_calibration_of_their_own(
    clear: list[Candidate], cautioned: list[Candidate], slope: float, intercept: float
) -> None:
    always = replace(PLAIN, specification=cautious([Caution("always", {"name": ("near",)}, {})]))
    marked = replace(always, cautioned=Calibration(slope, intercept))
    doses = [[each._replace(name=name) for each in of] for name, of in (("same", clear), ("near", cautioned))]
    rows = [
        {"dose_key": dose, "citizen_key": citizen, "match_weight": each.match_weight}
        | {level_column(c): NAMES[c.name].index(getattr(each, c.name)) for c in COMPARED}
        for dose, candidates in enumerate(doses)
        for citizen, each in enumerate(candidates)
    ]
    with duckdb.connect() as connection:
        connection.register("candidates", pa.Table.from_pylist(rows))
        found = connection.execute(
            f"SELECT probability FROM ({compile_deciding(marked, 'candidates')}) ORDER BY dose_key, citizen_key"
        ).fetchnumpy()["probability"]
    weights = [[each.match_weight for each in of] for of in (clear, cautioned)]
    as_clear = posterior(PLAIN, weights[0])
    as_cautioned = posterior(replace(PLAIN, calibration=marked.cautioned), weights[1])
    np.testing.assert_allclose(found, [*as_clear, *as_cautioned], rtol=1e-9, atol=1e-300)
