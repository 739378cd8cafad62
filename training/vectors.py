"""Candidates of labelled doses as comparison vectors in memory: the arithmetic of a run, in numpy.

Every number here is that of the statements a run executes; cross-fitting and simulations need it many times over.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models import CAUTION, OTHER, Model, Pattern, Registry, Specification

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Comparison vectors of pairs; columns stand in the order of ``Specification.comparisons``.

    Attributes:
        levels: place of the level within its comparison from 1, 0 for missing: shape (pairs, comparisons).
        frequencies: share of the citizens with the value that the pair's level has a frequency of, NaN where the level
            has none or the value is unknown: shape (pairs, comparisons).
    """

    levels: NDArray[np.uint8]
    frequencies: Floats

    def of(self, pairs: Bools | Ints) -> "Vectors":
        """Some of the pairs."""
        return Vectors(self.levels[pairs], self.frequencies[pairs])


@dataclass(frozen=True, slots=True)
class Candidates:
    """Labelled doses and their candidates, which are sorted by dose, then by citizen.

    Attributes:
        vectors: of the candidates.
        dose: number of the candidate's dose, from 0: shape (candidates,).
        is_match: shape (candidates,).
        weight: 1 ÷ sampling probability, shape (doses,); doses without any candidate are there too.
        has_citizen: shape (doses,): a label names the dose's citizen.
        person: shape (doses,): doses with the same number are of one person.
    """

    vectors: Vectors
    dose: Ints
    is_match: Bools
    weight: Floats
    has_citizen: Bools
    person: Ints

    def keep(self, candidates: Bools) -> "Candidates":
        """All doses with some of the candidates; ``candidates`` has shape (candidates,)."""
        return replace(
            self,
            vectors=self.vectors.of(candidates),
            dose=self.dose[candidates],
            is_match=self.is_match[candidates],
        )

    def of(self, doses: Bools) -> "Candidates":
        """The candidates of some doses; ``doses`` has shape (doses,)."""
        kept = doses[self.dose]
        return Candidates(
            self.vectors.of(kept),
            (np.cumsum(doses) - 1)[self.dose[kept]],
            self.is_match[kept],
            self.weight[doses],
            self.has_citizen[doses],
            self.person[doses],
        )


def match_weights(model: Model, registry: Registry, vectors: Vectors) -> Floats:
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


def best_candidates(dose: Ints, match_weight: Floats) -> tuple[Ints, Bools]:
    """The best candidate of each dose that has any, and whether no other has its weight: shapes (doses with any,).

    Args:
        dose: ascending, shape (candidates,).
        match_weight: bits, shape (candidates,).
    """
    order = np.lexsort((np.arange(len(dose)), -match_weight, dose))
    first = np.flatnonzero(np.diff(dose[order], prepend=-1))
    best = order[first]
    after = np.minimum(first + 1, len(order) - 1)
    tied = (dose[order[after]] == dose[best]) & (match_weight[order[after]] == match_weight[best]) & (after > first)
    return best, ~tied


def strata(specification: Specification, vectors: Vectors, dose: Ints, match_weight: Floats, doses: int) -> Ints:
    """Place of each dose's stratum in ``Specification.stratum_names``, -1 without a candidate: shape (doses,).

    The same as ``linkage.deciding.compile_ranking`` gives.
    """
    names = specification.stratum_names
    found = np.full(doses, -1)
    best, _ = best_candidates(dose, match_weight)
    is_best = np.zeros(len(dose), dtype=bool)
    is_best[best] = True
    found[dose[best]] = names.index(OTHER)
    for place, stratum in reversed(list(enumerate(specification.strata))):
        found[dose[best[_held(specification, vectors.of(best), stratum.best)]]] = place
    for caution in specification.cautions:
        held = np.zeros(doses, dtype=bool)
        held[dose[is_best & _held(specification, vectors, caution.best)]] = True
        if caution.another:
            another = np.zeros(doses, dtype=bool)
            another[dose[~is_best & _held(specification, vectors, caution.another)]] = True
            held &= another
        found[held] = names.index(CAUTION)
    return found


def _held(specification: Specification, vectors: Vectors, pattern: Pattern) -> Bools:
    held = np.ones(len(vectors.levels), dtype=bool)
    for column, comparison in enumerate(specification.comparisons):
        if levels := pattern.get(comparison.name):
            places = ("missing", *(level.name for level in comparison.levels))
            held &= np.isin(vectors.levels[:, column], [places.index(level) for level in levels])
    return held
