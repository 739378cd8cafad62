"""Weighted shares of levels with 95 % intervals: what m, u and reach rest on."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from linkage.intervals import TAIL
from training.vectors import Floats

NO_END = 10.0
"""Bits: where nothing is seen a logarithm has no lower end, and so far under the estimate is as good as none."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its 95 % interval; both ends are the share where it is known exactly."""

    estimate: float
    low: float
    high: float

    @classmethod
    def exact(cls, share: float) -> "Share":
        """A share without sampling error."""
        return cls(share, share, share)

    @property
    def interval(self) -> tuple[float, float]:
        """Both ends with six digits, which never leave the share outside."""
        return min(float(f"{self.low:.6g}"), self.estimate), max(float(f"{self.high:.6g}"), self.estimate)

    def times(self, factor: float) -> "Share":
        """The share of a part that is known exactly."""
        return Share(self.estimate * factor, self.low * factor, self.high * factor)

    def plus(self, other: "Share") -> "Share":
        """The sum of two independent shares, interval of Zou & Donner 2008."""
        estimate = self.estimate + other.estimate
        low = estimate - math.hypot(self.estimate - self.low, other.estimate - other.low)
        high = estimate + math.hypot(self.high - self.estimate, other.high - other.estimate)
        return Share(estimate, max(low, 0.0), min(high, 1.0))

    def at_most(self, ceiling: float) -> "Share":
        """What it is where it cannot be more."""
        return Share(min(self.estimate, ceiling), min(self.low, ceiling), min(self.high, ceiling))

    def bits_over(self, other: "Share") -> "Share":
        """log2 of the quotient of two independent shares, interval of Zou & Donner 2008, eq. 3, in bits."""
        (this, low, high), (that, its_low, its_high) = self.bits(), other.bits()
        estimate = this - that
        return Share(
            estimate,
            estimate - math.hypot(this - low, its_high - that),
            estimate + math.hypot(high - this, that - its_low),
        )

    def bits(self) -> tuple[float, float, float]:
        """log2 of the share and of its ends; ``NO_END`` stands for a lower end at 0."""
        bits = math.log2(self.estimate)
        low = math.log2(self.low) if self.low > 0 else -math.inf
        return bits, max(low, bits - NO_END), math.log2(self.high)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of the levels of one comparison, missing pairs left out; arrays have shape (levels,).

    Attributes:
        pairs: how many, unweighted.
        counts: effective pairs on each level: their sum is the effective number of pairs.
        low, high: 95 % interval of the share of each level.
    """

    pairs: int
    counts: Floats
    low: Floats
    high: Floats

    @property
    def size(self) -> float:
        """Effective number of pairs."""
        return float(self.counts.sum())

    def weighted(self, place: int) -> float:
        """Weighted number of pairs on a level, 1 a pair on average."""
        return float(self.counts[place] * self.pairs / self.size) if self.pairs else 0.0

    def smoothed(self, total: float) -> list[Share]:
        """Posterior mean of each level's share; the prior is Dirichlet, ``total`` pairs spread evenly over the levels.

        Perks' prior at a total of 1: how much it adds to all does not grow with the number of levels (Gelman et al.
        2013, section 3.4; Berger, Bernardo & Sun 2015). The mean lies in the interval of what was seen.
        """
        shares = (self.counts + total / len(self.counts)) / (self.size + total)
        return [Share(*(float(end) for end in ends)) for ends in zip(shares, self.low, self.high, strict=True)]


def count_levels(
    levels: NDArray[np.integer[Any]], count: int, weights: Floats | None = None, clusters: NDArray[Any] | None = None
) -> Seen:
    """Count the pairs on each level, by weight, with intervals that know of weights and of pairs that belong together.

    The effective number of pairs is (Σw)² / Σw² (Kish 1965, section 11.7). The variance of a share is the linearised
    one of a weighted mean between clusters (Korn & Graubard 1998). An end of the interval is that of the beta
    distribution with the mean and variance of the share once one more pair, as heavy as the heaviest cluster, is on the
    level, or off it: as Fay & Feuer 1997, section 2, do for rates. Where all weigh alike it is Clopper & Pearson's.

    The order of the pairs changes no bit of the result.

    Args:
        levels: place of each pair's level from 1, 0 for missing: shape (pairs,).
        count: how many levels there are.
        weights: 1 ÷ sampling probability, shape (pairs,); None: all alike.
        clusters: pairs of one person are of one cluster, shape (pairs,); None: each pair is its own.
    """
    known = levels > 0
    level = levels[known].astype(np.int64) - 1
    if not len(level):
        return Seen(0, np.zeros(count), np.zeros(count), np.ones(count))
    weight = np.ones(len(level)) if weights is None else weights[known] / weights[known].max()
    total, own = _sums(level, weight, count), _sums(level, weight**2, count)
    whole, squares = float(total.sum()), float(own.sum())
    size, p = whole**2 / squares, total / whole
    if clusters is None:
        number, largest, between, crossed = len(level), float(weight.max() / whole), squares, own
    else:
        _, of = np.unique(clusters[known], return_inverse=True)
        number = int(of.max()) + 1
        table = _sums(of * count + level, weight, number * count).reshape(number, count)
        together = _sums(of, weight, number)
        largest, between = float(together.max() / whole), math.fsum(together**2)
        own, crossed = (np.sort(table * each, axis=0).sum(axis=0) for each in (table, together[:, None]))
    variance = (own - 2 * p * crossed + p**2 * between) / whole**2 * (number / max(number - 1, 1))
    low, high = _ends(p, np.maximum(variance, 0.0), largest)
    return Seen(len(level), p * size, low, high)


def _ends(p: Floats, variance: Floats, largest: float) -> tuple[Floats, Floats]:
    """Both ends, of shares with a variance, where the heaviest cluster is the share ``largest`` of all."""
    high = _end(p, variance, largest, 1 - TAIL)
    return np.where(p > 0, 1 - _end(1 - p, variance, largest, 1 - TAIL), 0.0), np.where(p < 1, high, 1.0)


def _end(p: Floats, variance: Floats, largest: float, confidence: float) -> Floats:
    with_one = (p + largest) / (1 + largest)
    of_it = (variance + largest**2 * (1 - p)) / (1 + largest) ** 2
    n = with_one * (1 - with_one) / np.maximum(of_it, 1e-300)
    end: Floats = betaincinv(np.maximum(with_one * n, 1e-9), np.maximum((1 - with_one) * n, 1e-9), confidence)
    return end


def _sums(place: NDArray[np.int64], values: Floats, count: int) -> Floats:
    # a sum of fractions differs with the order of its parts
    if np.any(values != values[0]):
        order = np.lexsort((values, place))
        place, values = place[order], values[order]
    sums: Floats = np.bincount(place, values, count).astype(np.float64)
    return sums
