"""Limits of weighted numbers: about what was seen, exact for equal weights, the same alone as among others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from linkage.intervals import TAIL, gamma_high, gamma_low

weights = st.lists(st.floats(0.01, 1000), max_size=30)


@given(weights=weights, one_more=st.floats(0.01, 1000))
def test_limits_lie_about_what_was_seen_and_spread_with_the_variance(weights: list[float], one_more: float) -> None:
    seen, variance = sum(weights), sum(weight**2 for weight in weights)
    low, high = float(gamma_low(seen, variance, TAIL)), float(gamma_high(seen, variance, one_more, TAIL))
    assert 0 <= low <= seen < high
    assert gamma_low(seen, 2 * variance, TAIL) <= low
    assert gamma_low(seen, variance, 2 * TAIL) >= low
    assert gamma_high(seen, variance, one_more, 2 * TAIL) < high


@given(events=st.integers(0, 200), weight=st.floats(0.01, 1000))
def test_equal_weights_give_the_exact_poisson_limits(events: int, weight: float) -> None:
    seen, variance = events * weight, events * weight**2
    low = chi2.ppf(TAIL, 2 * events) / 2 * weight if events else 0.0
    assert float(gamma_low(seen, variance, TAIL)) == pytest.approx(low)
    high = chi2.ppf(1 - TAIL, 2 * (events + 1)) / 2 * weight
    assert float(gamma_high(seen, variance, weight, TAIL)) == pytest.approx(high)


def test_what_does_not_vary_is_its_own_limit_and_many_are_reckoned_as_each() -> None:
    assert gamma_low(7.0, 0.0, TAIL) == 7.0
    seen, variance = np.array([0.0, 1.0, 5.5, 7.0]), np.array([0.0, 1.0, 12.0, 0.0])
    each = [
        (float(gamma_low(n, v, TAIL)), float(gamma_high(n, v, 3.0, TAIL))) for n, v in zip(seen, variance, strict=True)
    ]
    together = zip(gamma_low(seen, variance, TAIL), gamma_high(seen, variance, 3.0, TAIL), strict=True)
    assert [(float(low), float(high)) for low, high in together] == each
