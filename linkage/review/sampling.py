"""Acceptance sampling: is a finished batch of decisions good enough, from as few second looks as can prove it?"""

import math
from dataclasses import dataclass

from scipy.stats import hypergeom

__all__ = ["Plan", "plan"]

ACCEPTABLE, REJECTABLE, RISK = 0.01, 0.05, 0.05


@dataclass(frozen=True, slots=True)
class Plan:
    """Read ``sample`` cases of the batch; accept it if at most ``most_errors`` of them were decided wrong."""

    sample: int
    most_errors: int


def plan(
    size: int,
    acceptable: float = ACCEPTABLE,
    rejectable: float = REJECTABLE,
    producer: float = RISK,
    consumer: float = RISK,
) -> Plan:
    """The smallest sample that tells a good batch from a bad one.

    The probability that a batch of N cases with D errors is accepted is that of at most c errors in n draws without
    replacement, the hypergeometric law (the type A operating characteristic; Schilling and Neubauer 2009, Acceptance
    Sampling in Quality Control, 2nd edition, chapter 5). It falls in n and in D, so for c = 0, 1, … the least n that
    keeps the consumer's risk is found by halving, and the first c whose n keeps the producer's risk too is the plan
    (Guenther 1969, Journal of Quality Technology 1(2), 105-109). A batch that no smaller plan can judge is read whole.

    Args:
        size: cases in the batch, N.
        acceptable: share of errors up to which a batch is good.
        rejectable: share of errors from which on it is bad.
        producer: the most a good batch may risk to be rejected.
        consumer: the most a bad batch may have a chance to be accepted.

    Raises:
        ValueError: the shares are not 0 ≤ acceptable < rejectable ≤ 1, a risk is not between 0 and 1, or size < 1.
    """
    if not (0 <= acceptable < rejectable <= 1 and 0 < producer < 1 and 0 < consumer < 1 and size >= 1):
        raise ValueError("a plan needs cases, 0 ≤ acceptable < rejectable ≤ 1 and risks between 0 and 1")
    # a product such as 0.07 * 100 may end just above its whole number
    good, bad = math.floor(size * acceptable + 1e-9), math.ceil(size * rejectable - 1e-9)
    plans = (Plan(_least_sample(size, bad, most, consumer), most) for most in range(good + 1))
    return next(one for one in plans if hypergeom.sf(one.most_errors, size, good, one.sample) <= producer)


def _least_sample(size: int, bad: int, most: int, consumer: float) -> int:
    """The least sample with which a batch with ``bad`` errors shows at most ``most`` no oftener than ``consumer``."""
    low, high = most + 1, size
    while low < high:
        middle = (low + high) // 2
        if hypergeom.cdf(most, size, bad, middle) <= consumer:
            high = middle
        else:
            low = middle + 1
    return low
