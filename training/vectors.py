"""Candidate pairs as comparison vectors in memory, and what a model weighs them: the arithmetic of a run, in numpy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import Model, Registry


@dataclass(frozen=True, slots=True)
class Vectors:
    """Comparison vectors of pairs; columns stand in the order of ``Specification.comparisons``.

    Attributes:
        levels: place of the level within its comparison from 1, 0 for missing: shape (pairs, comparisons).
        frequencies: share of the citizens with the value that the pair's level has a frequency of, NaN where the level
            has none or the value is unknown: shape (pairs, comparisons).
    """

    levels: NDArray[np.uint8]
    frequencies: NDArray[np.float64]

    def of(self, pairs: NDArray[np.bool_] | NDArray[np.int64]) -> "Vectors":
        """Some of the pairs."""
        return Vectors(self.levels[pairs], self.frequencies[pairs])


def match_weights(model: Model, registry: Registry, vectors: Vectors) -> NDArray[np.float64]:
    """Match weight of each pair in bits, prior included, before calibration: shape (pairs,).

    The same as ``linkage.scoring.compile_weights`` gives, in the same order of addition.
    """
    total = np.full(len(vectors.levels), model.prior_bits(registry.citizens))
    for place, comparison in enumerate(model.specification.comparisons):
        m, u = (
            np.array([0.0, *bits])
            for bits in zip(*(np.log2(model.m_u(comparison, x, registry)) for x in comparison.levels), strict=True)
        )
        level, frequency = vectors.levels[:, place], vectors.frequencies[:, place]
        total += m[level] - np.where(np.isnan(frequency), u[level], np.log2(frequency))
    return total
