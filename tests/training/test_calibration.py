"""Calibration finds what made the data, keeps the order of match weights, and never sees the labels it is judged on."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Calibration
from training.calibration import Scored, calibrate, calibrate_strata, cross_fitted, folds, outcomes, posterior
from training.thresholds import Outcomes
from training.vectors import Candidates, Vectors

PRIOR = 0.9
NAMES = ("first", "second", "never")


def scored(
    match_weight: np.ndarray, dose: np.ndarray, is_match: np.ndarray, stratum: np.ndarray, person: np.ndarray
) -> Scored:
    doses = len(stratum)
    found = np.bincount(dose[is_match], minlength=doses) > 0
    candidates = Candidates(
        vectors=Vectors(np.zeros((len(dose), 0), np.uint8), np.zeros((len(dose), 0))),
        dose=dose,
        is_match=is_match,
        weight=np.random.default_rng(doses).uniform(1, 4, doses),
        has_citizen=found,
        person=person,
    )
    return Scored(candidates, match_weight, stratum)


def simulate(seed: int, doses: int, candidates: int = 3, true: tuple[Calibration, ...] = (Calibration(),)) -> Scored:
    """Each dose draws its citizen, or none, by the posterior under the calibration of its stratum; some have no one."""
    generator = np.random.default_rng(seed)
    weights = generator.normal(-2, 6, (doses, candidates))
    stratum = generator.integers(0, len(true), doses)
    slope, intercept = (np.array([getattr(each, part) for each in true]) for part in ("slope", "intercept"))
    odds = np.exp2(slope[stratum, None] * weights + intercept[stratum, None])
    table = np.column_stack([odds, np.full(doses, 1 - PRIOR)])
    table /= table.sum(axis=1, keepdims=True)
    drawn = (table.cumsum(axis=1) < generator.random((doses, 1))).sum(axis=1)
    bare = generator.random(doses) < 0.1
    kept = np.repeat(~bare, candidates)
    return scored(
        weights.ravel()[kept],
        np.repeat(np.arange(doses), candidates)[kept],
        (drawn[:, None] == np.arange(candidates)).ravel()[kept],
        np.where(bare, -1, stratum),
        generator.integers(0, doses // 2, doses),
    )


@pytest.mark.parametrize(
    "true", [Calibration(), Calibration(0.5, -1.5), Calibration(1.6, 2.0)], ids=["true odds", "too bold", "too shy"]
)
def test_slope_and_intercept_are_found_again(true: Calibration) -> None:
    made = simulate(1, 15_000, true=(true,))
    found = calibrate(made.of(made.stratum >= 0), PRIOR)
    assert found.slope == pytest.approx(true.slope, rel=0.08)
    assert found.intercept == pytest.approx(true.intercept, abs=0.25)


def test_each_stratum_has_the_calibration_of_its_own_doses() -> None:
    true = Calibration(0.6, -1.0), Calibration(1.4, 1.0)
    made = simulate(2, 16_000, true=true)
    found = calibrate_strata(made, NAMES, PRIOR)
    assert list(found) == list(NAMES)
    assert found["never"] == Calibration()
    for name, each in zip(NAMES[:2], true, strict=True):
        assert found[name].slope == pytest.approx(each.slope, rel=0.1)
        assert found[name].intercept == pytest.approx(each.intercept, abs=0.3)
    # labels of others do not matter
    second = made.stratum[made.candidates.dose] == 1
    turned = replace(made, candidates=replace(made.candidates, is_match=made.candidates.is_match & ~second))
    again = calibrate_strata(turned, NAMES, PRIOR)
    assert again["first"] == found["first"]
    assert again["second"] != found["second"]


def test_the_likelihood_is_weighed_by_the_sampling_of_doses() -> None:
    made = simulate(3, 8000, true=(Calibration(0.4), Calibration(1.5)))
    weight = np.where(made.stratum == 0, 1e6, 1.0)
    assert calibrate(replace(made, candidates=replace(made.candidates, weight=weight)), PRIOR).slope == pytest.approx(
        0.4, rel=0.15
    )


CANDIDATES = st.lists(st.tuples(st.integers(0, 9), st.floats(-60, 120), st.booleans()), max_size=30)


@given(CANDIDATES, st.floats(0.01, 0.99))
@settings(max_examples=25, deadline=None)
def test_the_slope_is_positive_and_finite_whatever_the_labels(
    rows: list[tuple[int, float, bool]], prior: float
) -> None:
    rows = sorted(rows)
    # a dose is of one citizen at most
    citizen = {dose: place for place, (dose, _, is_match) in enumerate(rows) if is_match}
    dose = np.array([row[0] for row in rows], dtype=np.int64)
    made = scored(
        np.array([row[1] for row in rows], dtype=float),
        dose,
        np.array([citizen.get(row[0]) == place for place, row in enumerate(rows)], dtype=bool),
        np.zeros(10, dtype=np.int64),
        np.arange(10),
    )
    found = calibrate(made, prior)
    assert 0 < found.slope < math.inf
    assert math.isfinite(found.intercept)
    candidate, none = posterior(found.bits(made.match_weight), dose, 10, prior)
    np.testing.assert_allclose(np.bincount(dose, candidate, 10) + none, 1)
    assert (candidate >= 0).all()


def test_without_doses_there_is_nothing_to_calibrate() -> None:
    made = simulate(1, 20)
    assert calibrate(made.of(np.zeros(20, dtype=bool)), PRIOR) == Calibration()
    assert set(calibrate_strata(made.of(np.zeros(20, dtype=bool)), NAMES, PRIOR).values()) == {Calibration()}


@pytest.mark.parametrize("bits", [np.array([1e4, 1e4 - 1, -1e4]), np.array([1100.0]), np.array([-1100.0, -1200.0])])
def test_large_odds_stay_numbers(bits: np.ndarray) -> None:
    candidate, none = posterior(bits, np.zeros(len(bits), dtype=np.int64), 2, PRIOR)
    assert np.isfinite(candidate).all()
    assert candidate.sum() + none[0] == pytest.approx(1)
    assert none[1] == 1


@given(st.integers(0, 999), st.floats(0.05, 3), st.floats(-10, 10), st.floats(0, 40))
@settings(max_examples=30, deadline=None)
def test_a_higher_match_weight_never_has_a_lower_probability(
    seed: int, slope: float, intercept: float, more: float
) -> None:
    made = simulate(seed, 60, true=(Calibration(), Calibration()))
    calibration = {"first": Calibration(slope, intercept), "second": Calibration(), "never": Calibration()}
    before = outcomes(made, NAMES, calibration, PRIOR)
    of = made.candidates
    best = made.match_weight == np.array([made.match_weight[of.dose == dose].max() for dose in of.dose])
    raised = outcomes(replace(made, match_weight=made.match_weight + more * best), NAMES, calibration, PRIOR)
    assert (raised.probability >= before.probability).all()
    assert (raised.any_probability >= before.any_probability - 1e-15).all()
    # within a dose, and between doses of one candidate
    candidate, _ = posterior(slope * made.match_weight + intercept, of.dose, 60, PRIOR)
    for dose in range(60):
        order = np.argsort(made.match_weight[of.dose == dose])
        assert (np.diff(candidate[of.dose == dose][order]) >= 0).all()
    one = simulate(seed, 60, candidates=1)
    alone = outcomes(one, NAMES, calibration, PRIOR)
    order = np.argsort(one.match_weight)
    assert (np.diff(alone.probability[one.candidates.dose[order]]) >= 0).all()


def test_outcomes_of_each_dose() -> None:
    """A sure dose, a tie, a wrong best candidate, no candidate."""
    made = scored(
        np.array([20.0, 0.0, 9.0, 9.0, 12.0, 3.0]),
        np.array([0, 0, 1, 1, 2, 2]),
        np.array([True, False, True, False, False, True]),
        np.array([0, 1, 0, -1]),
        np.arange(4),
    )
    found = outcomes(made, NAMES, dict.fromkeys(NAMES, Calibration()), PRIOR)
    assert found.probability[0] == pytest.approx(2**20 / (2**20 + 1 + 0.1))
    assert found.probability[1] == 0
    assert found.any_probability[1] == pytest.approx(1024 / 1024.1)
    assert found.probability[2] == pytest.approx(4096 / (4096 + 8 + 0.1))
    assert (found.probability[3], found.any_probability[3]) == (0, 0)
    assert found.right.tolist() == [True, True, False, False]
    assert found.found.tolist() == [True, True, True, False]


def parts(outcomes: Outcomes, doses: np.ndarray) -> list[np.ndarray]:
    return [outcomes.probability[doses], outcomes.any_probability[doses]]


@pytest.mark.parametrize("touched", range(3))
def test_labels_of_a_fold_have_no_part_in_its_probabilities_and_have_in_those_of_others(touched: int) -> None:
    made = simulate(4, 900, true=(Calibration(0.7), Calibration(1.2)))
    fold = folds(made.candidates.person, 3, 1)
    inside = fold == touched
    turned = replace(
        made, candidates=replace(made.candidates, is_match=made.candidates.is_match & ~inside[made.candidates.dose])
    )
    here, there = (cross_fitted(each, NAMES, fold, PRIOR) for each in (made, turned))
    for before, after in zip(parts(here, inside), parts(there, inside), strict=True):
        np.testing.assert_array_equal(before, after)
    assert (here.probability != there.probability)[~inside & (made.stratum >= 0) & (here.probability > 0)].mean() > 0.95
    assert here.right[inside].any()
    assert not there.right[inside].any()


def test_cross_fitted_doses_stand_in_their_order() -> None:
    made = simulate(5, 600, true=(Calibration(0.7), Calibration(1.2)))
    found = cross_fitted(made, NAMES, folds(made.candidates.person, 4, 1), PRIOR)
    plain = outcomes(made, NAMES, calibrate_strata(made, NAMES, PRIOR), PRIOR)
    for name in ("right", "found", "has_citizen", "stratum", "weight", "person"):
        np.testing.assert_array_equal(getattr(found, name), getattr(plain, name), err_msg=name)
    np.testing.assert_allclose(found.probability, plain.probability, atol=0.2)


@given(st.lists(st.integers(0, 50), max_size=200), st.integers(2, 6), st.integers(0, 9), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_folds_keep_persons_together_are_of_one_size_and_do_not_depend_on_the_order_of_rows(
    persons: list[int], count: int, seed: int, shuffle: int
) -> None:
    person = np.array(persons, dtype=np.int64)
    fold = folds(person, count, seed)
    np.testing.assert_array_equal(fold, folds(person, count, seed))
    of_person = dict(zip(person.tolist(), fold.tolist(), strict=True))
    assert [of_person[each] for each in persons] == fold.tolist()
    sizes = np.bincount(list(of_person.values()), minlength=count)
    assert len(sizes) == count
    assert sizes.max() - sizes.min() <= 1
    order = np.random.default_rng(shuffle).permutation(len(person))
    np.testing.assert_array_equal(folds(person[order], count, seed), fold[order])


def test_another_seed_draws_other_folds() -> None:
    person = np.arange(100)
    assert (folds(person, 5, 1) != folds(person, 5, 2)).any()


@given(st.integers(0, 999))
@settings(max_examples=15, deadline=None)
def test_some_doses_are_what_they_were_among_all(seed: int) -> None:
    made = simulate(seed, 60)
    chosen = np.random.default_rng(seed + 1).random(60) < 0.5
    some = made.of(chosen)
    kept = chosen[made.candidates.dose]
    candidate, none = posterior(made.match_weight, made.candidates.dose, 60, PRIOR)
    of_some, none_of_some = posterior(some.match_weight, some.candidates.dose, int(chosen.sum()), PRIOR)
    np.testing.assert_array_equal(of_some, candidate[kept])
    np.testing.assert_array_equal(none_of_some, none[chosen])
    np.testing.assert_array_equal(some.candidates.is_match, made.candidates.is_match[kept])
    np.testing.assert_array_equal(some.stratum, made.stratum[chosen])
    for name in ("weight", "has_citizen", "person"):
        np.testing.assert_array_equal(getattr(some.candidates, name), getattr(made.candidates, name)[chosen])
