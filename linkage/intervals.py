"""Limits of a weighted count of rare events, such as errors in a sample drawn with unequal probabilities."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

CONFIDENCE = 0.95

TAIL = (1 - CONFIDENCE) / 2
"""Probability beyond either end of a two-sided interval."""


def gamma_low(seen: ArrayLike, variance: ArrayLike, tail: float) -> NDArray[np.float64]:
    """The lower limit of a weighted number: Fay and Feuer 1997, Statistics in Medicine 16, 791-801, eq. 5.

    The number seen is taken as a sum of independent Poisson numbers times their weights; the limit is the quantile of
    the gamma distribution with its mean and variance. With weights of 1 it is the exact Poisson limit.

    Args:
        seen: weighted number seen, any shape.
        variance: of it, same shape; where it is 0 the limit is what was seen.
        tail: probability that the truth is below the limit.
    """
    number, spread = np.asarray(seen, dtype=float), np.asarray(variance, dtype=float)
    varies = (number > 0) & (spread > 0)
    scale = np.where(varies, spread, 1.0) / np.where(varies, number, 1.0)
    return np.where(varies, gammaincinv(number / scale, tail) * scale, number)


def gamma_high(seen: ArrayLike, variance: ArrayLike, one_more: float, tail: float) -> NDArray[np.float64]:
    """The upper limit of a weighted number, as though one event more, of a large weight, had been seen.

    Source and arguments: as `gamma_low`; with no event of equal weights seen it is that of Clopper and Pearson for rare
    events, where a normal interval would have no width.

    Args:
        seen: weighted number seen, any shape.
        variance: of it, same shape.
        one_more: weight of the event more, above 0.
        tail: probability that the truth is above the limit.
    """
    mean = np.asarray(seen, dtype=float) + one_more
    scale: NDArray[Any] = (np.asarray(variance, dtype=float) + one_more**2) / mean
    high: NDArray[np.float64] = gammaincinv(mean / scale, 1 - tail) * scale
    return high
