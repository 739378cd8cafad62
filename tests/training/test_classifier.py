"""The classifier keeps scikit-learn's contract, and is the same model as ``linkage train`` makes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from models import Comparison, Level
from training.classifier import FellegiSunterClassifier
from training.estimation import estimate
from training.shares import count_levels

M = np.array([[0.9, 0.07, 0.03], [0.7, 0.2, 0.1], [0.95, 0.03, 0.02]])
U = np.array([[0.05, 0.15, 0.8], [0.1, 0.3, 0.6], [0.4, 0.3, 0.3]])


def pairs(seed: int, size: int = 1500, matches: float = 0.3) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Levels of pairs, some missing, and which are matches."""
    generator = np.random.default_rng(seed)
    y = (generator.random(size) < matches).astype(np.int64)
    levels = np.column_stack(
        [
            np.where(y == 1, *(generator.choice(3, size, p=of[place]) + 1 for of in (M, U)))
            * (generator.random(size) > 0.1)
            for place in range(len(M))
        ]
    )
    return levels.astype(np.uint8), y


def sampling_weights(_: object) -> dict[str, str]:
    return {
        "check_sample_weight_equivalence_on_dense_data": "weights are 1 ÷ sampling probability: only their ratios count"
    }


@parametrize_with_checks([FellegiSunterClassifier()], expected_failed_checks=sampling_weights)  # type: ignore[untyped-decorator]
def test_scikit_learns_own_checks(estimator: FellegiSunterClassifier, check: Callable[[Any], None]) -> None:
    check(estimator)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_estimator_of_training(seed: int) -> None:
    levels, y = pairs(seed)
    weights = np.random.default_rng(seed).uniform(1, 20, len(y))
    fitted = FellegiSunterClassifier().fit(levels, y, sample_weight=weights)
    for place, learned in enumerate(fitted.parameters_):
        comparison = Comparison("one", "", tuple(Level(str(n)) for n in range(3)), {})
        expected = estimate(
            comparison,
            levels[:, place],
            y == 1,
            weights,
            count_levels(levels[:0, place], 3),
            absent=np.zeros(len(y), dtype=bool),
            same_value={},
            reach={},
            hard_negatives=500.0,
            citizens=500,
        )
        assert learned == list(expected.values())
        assert fitted.m_[place].tolist() == [level.m for level in expected.values()]


def test_known_parameters_and_the_bayes_posterior_are_found_again() -> None:
    levels, y = pairs(0, 60_000)
    fitted = FellegiSunterClassifier().fit(levels, y)
    np.testing.assert_allclose(fitted.m_, M, atol=0.01)
    np.testing.assert_allclose(fitted.u_, U, atol=0.01)
    assert fitted.match_share_ == pytest.approx(0.3, abs=0.01)
    asked = np.array([[1, 1, 1], [3, 3, 3], [1, 0, 2], [0, 0, 0]])
    odds = [0.3 / 0.7 * np.prod([M[c, x - 1] / U[c, x - 1] for c, x in enumerate(row) if x]) for row in asked]
    np.testing.assert_allclose(fitted.decision_function(asked), np.log2(odds), atol=0.2)
    np.testing.assert_allclose(fitted.predict_proba(asked)[:, 1], np.array(odds) / (1 + np.array(odds)), atol=0.03)


@given(st.permutations(range(1, 9)), st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_codes_are_names(codes: list[int], seed: int) -> None:
    levels, y = pairs(seed, 200)
    renamed = np.array([0, *codes])[levels]
    plain, other = (FellegiSunterClassifier().fit(x, y).decision_function(x) for x in (levels, renamed))
    np.testing.assert_allclose(plain, other, rtol=1e-12)


def test_an_unknown_code_is_as_good_as_missing() -> None:
    levels, y = pairs(1)
    fitted = FellegiSunterClassifier().fit(levels, y)
    weights = fitted.decision_function(np.array([[1, 0, 2], [1, 77, 2], [1, -3, 2]]))
    assert weights[0] == weights[1] == weights[2]


def test_the_prior_shifts_all_weights_alike() -> None:
    levels, y = pairs(2)
    rare, even = (FellegiSunterClassifier(match_share=share).fit(levels, y) for share in (1 / 1025, 0.5))
    shift = even.decision_function(levels) - rare.decision_function(levels)
    np.testing.assert_allclose(shift, 10.0)


def test_more_pseudo_counts_make_smaller_weights() -> None:
    levels, y = pairs(3, 300)
    spread = [
        np.ptp(FellegiSunterClassifier(pseudo_count=count).fit(levels, y).decision_function(levels))
        for count in (0.1, 10, 1000)
    ]
    assert spread[0] > spread[1] > spread[2]


def test_it_is_cross_validated_by_person_and_calibrated() -> None:
    levels, y = pairs(4, 3000)
    persons = np.arange(3000) // 3
    scores = cross_val_score(
        FellegiSunterClassifier(), levels, y, groups=persons, cv=GroupKFold(5), scoring="neg_brier_score"
    )
    guess = -y.mean() * (1 - y.mean())
    assert (scores > guess / 2).all()
    calibrated = CalibratedClassifierCV(FellegiSunterClassifier(match_share=0.001), method="sigmoid", cv=3)
    probability = calibrated.fit(levels, y).predict_proba(levels)[:, 1]
    # the prior is far off, and calibration mends it
    assert probability.mean() == pytest.approx(y.mean(), abs=0.02)
    assert clone(calibrated).estimator.get_params() == {"match_share": 0.001, "pseudo_count": 1.0}


@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        ({"pseudo_count": 0}, "'pseudo_count' parameter of {} must be a float in the range (0.0, inf). Got 0"),
        (
            {"match_share": 1.0},
            "'match_share' parameter of {} must be None or a float in the range (0.0, 1.0). Got 1.0",
        ),
    ],
)
def test_a_bad_parameter_is_named_in_the_words_of_scikit_learn(parameters: dict[str, float], asked: str) -> None:
    levels, y = pairs(5, 50)
    with pytest.raises(ValueError) as caught:
        FellegiSunterClassifier(**parameters).fit(levels, y)
    assert str(caught.value) == f"The {asked.format('FellegiSunterClassifier')} instead."
