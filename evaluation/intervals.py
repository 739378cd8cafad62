"""Proportions with exact intervals."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from linkage.intervals import TAIL, gamma_high, gamma_low


@dataclass(frozen=True, slots=True)
class Share:
    """``count`` of ``total`` as a proportion with its 95 % interval; ``value`` is None for 0 of 0."""

    count: int
    total: int
    value: float | None
    low: float
    high: float


def share(count: int, total: int) -> Share:
    """A proportion with the exact interval of Clopper and Pearson.

    Assumes independent draws; doses of one person are not quite independent, so the truth is a little wider.
    Low is the α/2 quantile of Beta(k, n - k + 1), high the 1 - α/2 quantile of Beta(k + 1, n - k), 0 and 1 at
    the ends. Source: Clopper and Pearson (1934), Biometrika 26(4), 404-413, in the beta form of Brown, Cai
    and DasGupta (2001), Statistical Science 16(2), 101-133, section 4.2.1.
    """
    low = float(betaincinv(count, total - count + 1, TAIL)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - TAIL)) if count < total else 1.0
    return Share(count, total, count / total if total else None, low, high)


@dataclass(frozen=True, slots=True)
class Weighted:
    """Sampled doses of which a share is estimated: one row for each dose.

    Attributes:
        part: shape (doses,), whether the dose counts in the numerator; only where it counts in ``whole``.
        whole: shape (doses,), whether it counts in the denominator.
        weight: shape (doses,), doses of the run that it stands for.
        person: shape (doses,), the person of the dose: persons are drawn alike, doses of one are not independent.
        stratum: shape (doses,), doses whose weights were scaled together to a known total.
    """

    part: NDArray[np.bool_]
    whole: NDArray[np.bool_]
    weight: NDArray[np.float64]
    person: NDArray[np.int64]
    stratum: NDArray[np.int64]


def weighted_share(sample: Weighted) -> Share:
    """A share estimated from doses drawn with unequal probabilities, with an interval that holds for few or no errors.

    The estimate is the ratio Σ w part / Σ w whole (Hájek 1971). Let y be the weighted number of the rarer side (the
    errors), v the variance of y by linearisation with whole persons as units and deviations from the mean of each
    stratum (Särndal, Swensson and Wretman 1992, results 5.6.2 and 7.6.1), and w* the largest weight of a dose times the
    design effect of persons.
    The limits are those of `linkage.intervals` (Fay and Feuer 1997), the upper one as though the next person were one
    more error of weight w*: with no error seen it is 3.69 w* / Σ w, for n equal weights 3.69 / n.

    Assumes that the weights are 1 / the probability of being drawn, that those who gave no answer are like those of
    their stratum who did, and that the sample is a small part of the run. ``count`` and ``total`` of the result are of
    sampled doses, unweighted; ``value`` is not their quotient.

    Example: one error among 100 doses of weight 1, none among 10 of weight 50.

    >>> part = np.arange(110) == 0
    >>> weight = np.where(np.arange(110) < 100, 1.0, 50.0)
    >>> every, alone = np.ones(110, dtype=bool), np.arange(110)
    >>> found = weighted_share(Weighted(part, every, weight, alone, np.zeros(110, dtype=int)))
    >>> [round(x, 4) for x in (found.value, found.low, found.high)]
    [0.0017, 0.0, 0.3083]
    """
    count, total = int(sample.part.sum()), int(sample.whole.sum())
    size = float(sample.weight[sample.whole].sum())
    if not total:
        return Share(0, 0, None, 0.0, 1.0)
    value = float(sample.weight[sample.part].sum()) / size
    rarer = sample.part if value <= 0.5 else sample.whole & ~sample.part
    rate = float(sample.weight[rarer].sum()) / size
    errors, variance = rate * size, _variance(sample, rarer, rate)
    low = float(gamma_low(errors, variance, TAIL)) / size
    high = min(float(gamma_high(errors, variance, _largest(sample), TAIL)) / size, 1.0)
    if value > 0.5:
        low, high = 1 - high, 1 - low
    return Share(count, total, value, low, high)


def _variance(sample: Weighted, rarer: NDArray[np.bool_], rate: float) -> float:
    """Of the weighted number of errors: squares of what each person adds beside the mean of its stratum."""
    residual = rarer - rate * sample.whole
    sums = np.bincount(sample.stratum, sample.weight * residual)
    means = sums / np.maximum(np.bincount(sample.stratum, sample.weight), 1e-300)
    return float((np.bincount(sample.person, sample.weight * (residual - means[sample.stratum])) ** 2).sum())


def _largest(sample: Weighted) -> float:
    """The largest weight of a dose, with those of its person that a dose has beside it on average (Kish 1965, 8.2)."""
    weight = sample.weight * sample.whole
    alike = (np.bincount(sample.person, weight) ** 2).sum() / (weight**2).sum()
    return float(weight.max() * alike)
