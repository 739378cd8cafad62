"""How large an error rate may still be, given a weighted sample in which few errors, or none, were seen."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincinv

from training.vectors import Bools, Floats, Ints

CONFIDENCE = 0.95


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

    The weighted number of errors is a sum of independent Poisson numbers times their weights. Its upper limit is that
    of Fay & Feuer (1997), section 2: the quantile of the gamma distribution with the mean and variance of the number
    seen and of one error more of the largest weight. With equal weights it is the exact Poisson limit, which is never
    below that of Clopper & Pearson (1934). No normal interval will do: with no error seen it has no width.

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

    def upper(tail: float) -> float:
        scale = (variance + one_more**2) / (seen + one_more)
        return min(1.0, float(gammaincinv((seen + one_more) / scale, 1 - tail)) * scale / total)

    two_sided = (1 - CONFIDENCE) / 2
    scale = variance / seen if seen else 1.0
    low = float(gammaincinv(seen / scale, two_sided)) * scale / total if seen else 0.0
    return Rate(
        int(of.sum()),
        int((wrong & of).sum()),
        seen / total,
        min(1.0, low),
        upper(two_sided),
        upper(1 - CONFIDENCE),
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
