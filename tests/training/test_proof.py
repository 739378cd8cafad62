"""Bounds on error rates: exact where they can be, never too low, and what is lacking for a proof proves it."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import beta, chi2

from training.proof import Rate, lacking, rate


def sample(errors: int, doses: int, weight: float | NDArray[np.float64] = 1.0) -> Rate:
    """Each dose is of a person of its own; the first ones are wrong."""
    return rate(np.arange(doses) < errors, np.ones(doses, bool), np.full(doses, 1.0) * weight, np.arange(doses))


COUNTS = st.tuples(st.integers(0, 40), st.integers(1, 3000)).map(lambda drawn: (min(drawn), max(drawn)))


@given(COUNTS, st.floats(0.1, 100))
@settings(max_examples=100, deadline=None)
def test_with_equal_weights_the_bound_is_that_of_poisson_and_no_lower_than_that_of_clopper_and_pearson(
    counts: tuple[int, int], weight: float
) -> None:
    errors, doses = counts
    found = sample(errors, doses, weight)
    assert found.bound == pytest.approx(min(1.0, chi2.ppf(0.95, 2 * (errors + 1)) / 2 / doses))
    assert found.high == pytest.approx(min(1.0, chi2.ppf(0.975, 2 * (errors + 1)) / 2 / doses))
    assert found.low == pytest.approx(chi2.ppf(0.025, 2 * errors) / 2 / doses if errors else 0)
    if errors < doses:
        assert found.bound >= beta.ppf(0.95, errors + 1, doses - errors) - 1e-12
    assert (found.doses, found.errors) == (doses, errors)
    assert found.estimate == pytest.approx(errors / doses)
    assert found.low <= found.estimate <= found.bound <= found.high


WEIGHTS = st.lists(st.floats(0.5, 50), min_size=1, max_size=60).map(np.array)


@given(WEIGHTS)
@settings(max_examples=50, deadline=None)
def test_without_an_error_the_bound_is_three_errors_of_the_largest_weight(weight: NDArray[np.float64]) -> None:
    found = sample(0, len(weight), weight)
    assert found.bound == pytest.approx(min(1.0, -math.log(0.05) * weight.max() / weight.sum()))
    assert (found.estimate, found.low) == (0, 0)


@given(WEIGHTS, st.data(), st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_the_unit_of_weights_changes_nothing(weight: NDArray[np.float64], data: st.DataObject, unit: float) -> None:
    errors = data.draw(st.integers(0, len(weight)))
    here, there = sample(errors, len(weight), weight), sample(errors, len(weight), weight * unit)
    for name in ("estimate", "low", "high", "bound"):
        assert getattr(here, name) == pytest.approx(getattr(there, name), rel=1e-6), name


@given(WEIGHTS, st.data())
@settings(max_examples=100, deadline=None)
def test_one_error_more_never_lowers_the_bound(weight: NDArray[np.float64], data: st.DataObject) -> None:
    wrong = np.array(data.draw(st.lists(st.booleans(), min_size=len(weight), max_size=len(weight))))
    assume(not wrong.all())
    more = wrong.copy()
    more[data.draw(st.sampled_from(np.flatnonzero(~wrong).tolist()))] = True
    every, persons = np.ones(len(weight), bool), np.arange(len(weight))
    assert rate(more, every, weight, persons).bound >= rate(wrong, every, weight, persons).bound - 1e-12


@given(WEIGHTS, st.data())
@settings(max_examples=50, deadline=None)
def test_fewer_right_doses_never_lower_the_bound(weight: NDArray[np.float64], data: st.DataObject) -> None:
    errors = data.draw(st.integers(0, len(weight)))
    # the heaviest counts on: it is what one error more may weigh
    weight = np.append(weight, weight.max())
    fewer = data.draw(st.integers(errors, len(weight) - 1))
    of = (np.arange(len(weight)) < fewer) | (np.arange(len(weight)) == len(weight) - 1)
    found = rate(np.arange(len(weight)) < errors, of, weight, np.arange(len(weight)))
    assert found.bound >= sample(errors, len(weight), weight).bound - 1e-12


def test_what_does_not_count_changes_nothing_and_none_prove_nothing() -> None:
    wrong = np.array([True, False, True])
    found = rate(wrong, np.array([True, True, False]), np.array([1.0, 1.0, 99.0]), np.array([1, 2, 1]))
    assert found == rate(wrong[:2], np.ones(2, bool), np.ones(2), np.arange(2))
    assert rate(wrong, np.zeros(3, bool), np.ones(3), np.arange(3)) == Rate(0, 0, 0.0, 0.0, 1.0, 1.0)


def test_doses_of_one_person_prove_as_much_as_one_dose() -> None:
    weight = np.ones(1200)
    every = np.ones(1200, bool)
    for errors in (0, 3):
        # 300 persons of four doses each; those of a person are wrong together
        together = rate(np.arange(1200) < 4 * errors, every, weight, np.arange(1200) // 4)
        assert together.bound == pytest.approx(sample(errors, 300).bound)
        assert together.low == pytest.approx(sample(errors, 300).low)


@pytest.mark.parametrize("doses_of_a_person", [1, 3])
@pytest.mark.parametrize("share", [0.0004, 0.002, 0.01])
def test_rare_errors_of_unequal_weights_are_within_the_bound_at_least_as_often_as_promised(
    share: float, doses_of_a_person: int
) -> None:
    """Light doses are wrong as often as heavy ones, or only the heavy ones are: the hardest case."""
    generator = np.random.default_rng(7)
    persons, rounds = 1500, 600
    person = np.repeat(np.arange(persons), doses_of_a_person)
    weight = np.repeat(np.where(np.arange(persons) % 5 == 0, 12.0, 1.0), doses_of_a_person)
    every = np.ones(len(person), bool)
    for heavy_alone in (False, True):
        each = np.where((weight > 1) | (not heavy_alone), 1.0, 0.0)
        each *= share * weight.sum() / (each @ weight)
        within = sum(
            rate((generator.random(persons) < each[::doses_of_a_person])[person], every, weight, person).bound >= share
            for _ in range(rounds)
        )
        # 95 % but for chance, at three standard deviations
        assert within / rounds >= 0.95 - 3 * math.sqrt(0.05 * 0.95 / rounds)


@given(st.integers(0, 5), st.integers(0, 400), st.sampled_from((1 / 2500, 0.002, 0.01, 0.05, 0.2)), st.floats(0.5, 9))
@settings(max_examples=150, deadline=None)
def test_as_many_more_doses_as_are_lacking_prove_it_and_fewer_do_not(
    errors: int, right: int, tolerance: float, weight: float
) -> None:
    doses = errors + right
    found = sample(errors, doses, weight) if doses else Rate(0, 0, 0.0, 0.0, 1.0, 1.0)
    more = lacking(found, tolerance)
    assert (more == 0) == (found.bound <= tolerance)
    if more:
        assert sample(errors, doses + more, weight).bound <= tolerance * (1 + 1e-12)
        if doses + more > 2:
            assert sample(errors, doses + more - 2, weight).bound > tolerance
