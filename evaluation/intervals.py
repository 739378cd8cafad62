"""Proportions with exact intervals."""

from dataclasses import dataclass

from scipy.special import betaincinv

CONFIDENCE = 0.95


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
    tail = (1 - CONFIDENCE) / 2
    low = float(betaincinv(count, total - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return Share(count, total, count / total if total else None, low, high)
