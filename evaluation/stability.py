"""How much a distribution has changed, as a population stability index with a bound that sampling cannot explain."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtri, chndtr, ndtr, ndtri

CHANGED, DIFFERENT = 0.1, 0.25
"""Indices from which a distribution has changed, and is another one (Siddiqi 2006, Credit Risk Scorecards, ch. 9)."""

RARE = 0.01
"""Share of the doses under which a value is too rare to move an index."""

ODDS_CHANGED, ODDS_DIFFERENT = 1.68, 3.47
"""Odds ratios of a small and a medium effect (Chen, Cohen and Chen 2010, Comm. Statist. Simul. 39(4), 860-864)."""

FAR = 10_000
"""From here on a non-central chi-square is taken as normal: mean f + λ, variance 2 (f + 2 λ)."""


@dataclass(frozen=True, slots=True)
class Index:
    """A population stability index: ``value`` as measured, and ``sure``, which the true one exceeds."""

    value: float
    sure: float


def indices(counts: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The population stability index of each row: Σ (p - q) ln(p / q).

    It is the symmetric Kullback-Leibler divergence of the two distributions (Jeffreys 1946; Siddiqi 2006). Shares
    under ``RARE`` count as ``RARE``: without that a value which one side lacks would make the index as large as one
    likes, however few doses it has.

    Args:
        counts: shape (rows, values).
        others: what each row is compared with, the same shape.
    """
    p, q = (np.maximum(part / np.maximum(part.sum(axis=1, keepdims=True), 1), RARE) for part in (counts, others))
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=1))


def freedom(counts: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.int64]:
    """How many values of each row are not rare on both sides, less one; at least 1."""
    shares = (part / np.maximum(part.sum(axis=1, keepdims=True), 1) for part in (counts, others))
    common = np.maximum(*shares) > RARE
    return np.asarray(np.maximum(common.sum(axis=1) - 1, 1))


def index(counts: Sequence[int], reference: Sequence[int], doses_each: float, tail: float) -> Index:
    """The index of two samples, with a lower bound of confidence 1 - ``tail``.

    Of two samples of n and m independent doses over k values the index divided by (1/n + 1/m) is about chi-square
    with k - 1 degrees of freedom when nothing changed (Yurdakul 2018, Statistical Properties of Population Stability
    Index, ch. 3), and non-central with the true index divided by (1/n + 1/m) when it did (Potgieter et al. 2023,
    arXiv 2307.11878). The bound inverts that. Doses of one person are alike, so n and m are counted in persons.

    Args:
        counts: doses by value.
        reference: doses by value of the reference, in the same order.
        doses_each: doses of one person.
        tail: probability that the true index is below the bound.
    """
    now, before = (np.array([part], dtype=float) for part in (counts, reference))
    value = float(indices(now, before)[0])
    spread = doses_each * (1 / max(sum(counts), 1) + 1 / max(sum(reference), 1))
    return Index(value, _not_centrality(value / spread, int(freedom(now, before)[0]), tail) * spread)


def _not_centrality(statistic: float, degrees: int, tail: float) -> float:
    """The non-centrality at which chi-square exceeds ``statistic`` with probability ``tail``; 0 if none does."""
    if statistic <= chdtri(degrees, tail):
        return 0.0
    if statistic > FAR:
        centre = statistic - degrees
        return max(centre - float(ndtri(1 - tail)) * math.sqrt(2 * (degrees + 2 * max(centre, 0.0))), 0.0)
    return float(brentq(lambda shift: 1 - chndtr(statistic, degrees, shift) - tail, 0.0, statistic))


def noise(doses: int, reference: int, values: int, doses_each: float, tail: float) -> float:
    """The index that sampling alone exceeds with probability ``tail``; see ``index``."""
    spread = doses_each * (1 / max(doses, 1) + 1 / max(reference, 1))
    return float(chdtri(max(values - 1, 1), tail)) * spread


def odds_ratio(now: tuple[int, int], before: tuple[int, int], doses_each: float, tail: float) -> Index:
    """How many times the odds of a decision changed, up or down: at least 1, with its lower bound.

    The interval of Woolf (1955, Annals of Human Genetics 19) with half a dose added to each cell (Haldane 1956).

    Args:
        now: doses with the decision, and all doses.
        before: the same of the reference.
        doses_each: doses of one person: so many count as one.
        tail: probability that the true ratio is below the bound.
    """
    cells = [part / doses_each + 0.5 for part in (now[0], now[1] - now[0], before[0], before[1] - before[0])]
    change = abs(math.log(cells[0] * cells[3] / (cells[1] * cells[2])))
    spread = math.sqrt(sum(1 / cell for cell in cells))
    return Index(math.exp(change), math.exp(max(change - float(ndtri(1 - tail)) * spread, 0.0)))


def chance_of_no_change(
    values: NDArray[np.float64], spread: NDArray[np.float64], degrees: NDArray[np.int64], limit: float
) -> NDArray[np.float64]:
    """The probability of indices at least as large as these if the true ones were ``limit``; see ``index``.

    Args:
        values: the indices, shape (rows,).
        spread: 1/n + 1/m of each, in persons.
        degrees: of freedom of each.
        limit: the index that is still no change worth a word.
    """
    statistic, centre = values / spread, limit / spread
    far = (statistic - degrees - centre) / np.sqrt(2 * (degrees + 2 * centre))
    exact = 1 - chndtr(np.minimum(statistic, FAR), degrees, np.minimum(centre, FAR))
    return np.where(values <= limit, 1.0, np.where(statistic > FAR, ndtr(-far), exact))
