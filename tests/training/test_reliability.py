"""Reliability: what is predicted against what is realised, by bins."""

import math

import numpy as np
import pytest

from training.reliability import BITS_PER_BIN, ENDS, reliability
from training.thresholds import Outcomes

NAMES = ("plain", "hard", "empty")


def draw(seed: int, doses: int, bold: float = 1.0) -> Outcomes:
    generator = np.random.default_rng(seed)
    bits = generator.uniform(-12, 16, doses)
    probability = 1 / (1 + np.exp2(-bits))
    right = generator.random(doses) < 1 / (1 + np.exp2(-bits * bold))
    stratum = generator.integers(-1, 2, doses)
    probability = np.where(stratum < 0, 0.0, probability)
    weight = np.where(bits > 0, 1.0, 3.0)
    return Outcomes(probability, probability, right, right, right, stratum, weight, np.arange(doses))


def test_calibrated_probabilities_have_no_error_but_chance() -> None:
    found = reliability(draw(1, 40_000), NAMES)
    assert set(found) == {"all", "plain", "hard"}
    for part in found.values():
        assert part["expected_calibration_error"] < 0.01
        for each in part["bins"]:
            assert each["low"] <= each["realised"] <= each["high"]


def test_most_bins_of_calibrated_probabilities_lie_in_their_intervals() -> None:
    bins = [each for seed in range(60) for each in reliability(draw(seed, 1500), NAMES)["plain"]["bins"]]
    share = np.mean([each["low"] <= each["predicted"] <= each["high"] for each in bins])
    assert share > 0.95 - 3 * math.sqrt(0.05 * 0.95 / len(bins))


def test_bold_probabilities_have_an_error() -> None:
    assert reliability(draw(1, 40_000, bold=0.3), NAMES)["all"]["expected_calibration_error"] > 0.05


def test_bins_are_of_the_log_odds_from_unlikely_to_likely_and_hold_every_dose_with_a_candidate() -> None:
    outcomes = draw(2, 5000)
    bins = reliability(outcomes, NAMES)["all"]["bins"]
    assert len(bins) == (ENDS[1] - ENDS[0]) // BITS_PER_BIN + 1
    predicted = [each["predicted"] for each in bins]
    assert predicted == sorted(predicted)
    assert sum(each["doses"] for each in bins) == (outcomes.stratum >= 0).sum()


def test_the_error_is_the_weighted_mean_difference() -> None:
    probability = np.array([0.9, 0.9, 0.9, 0.9])
    right = np.array([True, True, False, False])
    weight = np.array([3.0, 1.0, 1.0, 1.0])
    outcomes = Outcomes(probability, probability, right, right, right, np.zeros(4, np.int64), weight, np.arange(4))
    found = reliability(outcomes, NAMES)["plain"]
    assert found["expected_calibration_error"] == pytest.approx(0.9 - 4 / 6)
    [each] = found["bins"]
    assert (each["predicted"], each["realised"], each["doses"]) == (pytest.approx(0.9), pytest.approx(4 / 6), 4)


def test_certainty_is_a_number() -> None:
    probability = np.array([1.0, 1.0, 0.0])
    right = np.array([True, True, False])
    outcomes = Outcomes(probability, probability, right, right, right, np.zeros(3, np.int64), np.ones(3), np.arange(3))
    found = reliability(outcomes, NAMES)["plain"]
    assert found["expected_calibration_error"] == 0
    assert [each["doses"] for each in found["bins"]] == [1, 2]


def test_without_doses_there_is_nothing_to_say() -> None:
    none = np.zeros(0)
    assert reliability(Outcomes(*(none.astype(kind) for kind in "ffbbbifi")), NAMES) == {}
