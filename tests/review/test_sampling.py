"""Acceptance sampling: both risks hold exactly for every size, and no smaller plan has them."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from linkage.review.sampling import Plan, plan

RISK = 0.05


def quality_levels(size: int, acceptable: float, rejectable: float) -> tuple[int, int]:
    """The most errors of a batch that is good, the fewest of one that is bad, by counting."""
    errors = np.arange(size + 1)
    good = int(errors[errors / size <= acceptable + 1e-12].max())
    bad = int(errors[errors / size >= rejectable - 1e-12].min())
    return good, bad


@pytest.mark.parametrize(("acceptable", "rejectable"), [(0.01, 0.05), (0.0, 0.03), (0.05, 0.1)])
def test_both_risks_hold_for_every_size(acceptable: float, rejectable: float) -> None:
    for size in range(1, 401):
        found = plan(size, acceptable, rejectable)
        good, bad = quality_levels(size, acceptable, rejectable)
        assert 1 <= found.sample <= size
        assert 1 - hypergeom.cdf(found.most_errors, size, good, found.sample) <= RISK + 1e-9
        assert hypergeom.cdf(found.most_errors, size, bad, found.sample) <= RISK + 1e-9


@given(st.integers(1, 90), st.floats(0, 0.3), st.floats(0.001, 0.5), st.floats(0.01, 0.3), st.floats(0.01, 0.3))
@example(40, 0.02, 0.03, 0.05, 0.05)
def test_no_smaller_plan_keeps_both_risks(
    size: int, acceptable: float, more: float, producer: float, consumer: float
) -> None:
    found = plan(size, acceptable, acceptable + more, producer, consumer)
    good, bad = quality_levels(size, acceptable, acceptable + more)
    samples = np.arange(1, found.sample)[:, np.newaxis]
    most = np.arange(found.sample)[np.newaxis, :]
    rejected = hypergeom.sf(most, size, good, samples)
    accepted = hypergeom.cdf(most, size, bad, samples)
    assert not ((rejected <= producer - 1e-9) & (accepted <= consumer - 1e-9)).any()


@given(st.integers(1, 2_000), st.integers(0, 50))
def test_a_batch_without_errors_is_accepted_and_a_wholly_wrong_one_never(size: int, percent: int) -> None:
    found = plan(size, percent / 100, 0.6)
    assert hypergeom.cdf(found.most_errors, size, 0, found.sample) == pytest.approx(1)
    assert found.most_errors < found.sample


def test_a_small_batch_is_read_whole() -> None:
    assert plan(10) == Plan(10, 0)


def test_a_large_batch_takes_what_tables_say() -> None:
    """For lots without end the law is the binomial; 1 % and 5 % with risks of 5 % take 181 and 4."""
    assert plan(10_000_000) == Plan(181, 4)


@pytest.mark.parametrize("shares", [(0.05, 0.05), (0.1, 0.05), (-0.1, 0.5), (0.5, 1.1), (math.nan, 0.5)])
def test_shares_that_make_no_sense_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="a plan needs"):
        plan(100, *shares)
