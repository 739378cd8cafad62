"""How large an error rate may still be, given a weighted sample in which few errors, or none, were seen."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from linkage.intervals import CONFIDENCE, TAIL, gamma_high, gamma_low
from training.vectors import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of doses that are wrong.

    Attributes:
        doses: labelled doses it rests on.
        errors: wrong ones among them.
        estimate: weighted share; 0 of 0 doses.
        low, high: ends of the 95 % interval.
        bound: the share is below it with 95 % confidence, one-sided: what is proven.
    """

    doses: int
    errors: int
    estimate: float
    low: float
    high: float
    bound: float


def rate(wrong: Bools, of: Bools, weight: Floats, person: Ints) -> Rate:
    """The rate of wrong doses among some, from doses with unequal weights of persons with several doses.

    The limits are those of `linkage.intervals` (Fay & Feuer 1997). With equal weights the upper one is the exact
    Poisson limit, which is never below that of Clopper & Pearson (1934).

    Doses of one person are wrong together: the errors of a person are one error of their summed weight, and the one
    error more is as large as the person of an average dose makes it (Kish 1965, section 5.4, with a correlation of 1).

    Args:
        wrong: shape (doses,).
        of: the doses that count, shape (doses,).
        weight: 1 ÷ sampling probability, shape (doses,).
        person: shape (doses,).
    """
    if not of.any():
        return Rate(0, 0, 0.0, 0.0, 1.0, 1.0)
    total = float(weight[of].sum())
    _, which, doses = np.unique(person[of], return_inverse=True, return_counts=True)
    errors = np.bincount(which, weight[of] * wrong[of])
    one_more = float(weight[of].max() * (doses**2).sum() / doses.sum())
    seen, variance = float(errors.sum()), float((errors**2).sum())
    low = float(gamma_low(seen, variance, TAIL))
    high, bound = (float(gamma_high(seen, variance, one_more, tail)) for tail in (TAIL, 1 - CONFIDENCE))
    return Rate(
        int(of.sum()),
        int((wrong & of).sum()),
        seen / total,
        *(min(1.0, limit / total) for limit in (low, high, bound)),
    )


def lacking(found: Rate, tolerance: float) -> int:
    """How many more doses like these, none of them wrong, would prove that the rate is within the tolerance.

    As many more, at the least, as the bound exceeds the tolerance: its width shrinks as the sample grows. Where so few
    doses were seen that the bound ends at 1, that of as many doses of equal weight tells how far beyond it is.
    """
    if found.bound <= tolerance:
        return 0
    beyond = float(gammaincinv(found.errors + 1, CONFIDENCE))
    at_least = max(found.doses * found.bound, beyond) if found.bound >= 1 else found.doses * found.bound
    return int(np.ceil(at_least / tolerance - found.doses))
