"""Fields that err together: how far the sum of two comparisons' match weights is from the weight of both at once.

A model sums the weights of comparisons as if they were independent, given match or non-match. How far they are not is
measured on labelled pairs as

- mutual information in bits (Shannon 1948), of matches and of non-matches. Blocking makes part of the latter: what
  agrees nowhere is no candidate, and is not labelled.
- lift of two levels, log2(share of both / (share of one · share of the other)), of the matches (m) and of the citizens
  who are not the dose's own (u: labelled non-matches and random pairs, mixed as ``estimate`` mixes them; what both
  hold counts twice, 1 bit at the most).

Since log2(m_ab / u_ab) = log2(m_a / u_a) + log2(m_b / u_b) + lift(m) - lift(u), the sum of the two weights exceeds
their joint weight by lift(u) - lift(m) bits.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from linkage.intervals import TAIL, gamma_high, gamma_low
from models import Comparison, Model, Registry, Specification
from training.vectors import Floats

ENOUGH = 5.0
"""A lift is stated where at least so many pairs, effectively, are seen or expected."""

SHOWN = 30
"""Combinations that the evidence of a model holds."""

Levels = Mapping[str, NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Shared:
    """What two comparisons tell about one another.

    Attributes:
        pairs: labelled pairs that are missing on neither.
        bits: mutual information, corrected for levels met by chance (Miller 1955), so that it may be below 0.
        p_value: of as much among independent comparisons: likelihood ratio test (Wilks 1938) at the effective number
            of weighted pairs (Kish 1965, section 11.7). Rare levels push it towards 1.
    """

    first: str
    second: str
    pairs: int
    bits: float
    p_value: float


@dataclass(frozen=True, slots=True)
class Bits:
    """A number of bits with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Combination:
    """Two levels whose weights, surely, do not add up.

    Attributes:
        matches, non_matches: labelled pairs on both levels.
        lift_matches, lift_others: of the matches, and of the citizens who are not the dose's own; at least
            ``ENOUGH`` pairs are seen or expected.
        excess: bits by which the sum of both weights exceeds their joint weight. Above 0 it says too much for a match.
        left: the excess once the interactions of the specification are in the sum, as they are on average there.
    """

    first: str
    first_level: str
    second: str
    second_level: str
    matches: int
    non_matches: int
    lift_matches: Bits
    lift_others: Bits
    excess: Bits
    left: float

    @property
    def misjudged(self) -> float:
        """Bits misjudged over all labelled pairs on the combination, at the least, were there no interactions."""
        return max(self.excess.low, -self.excess.high) * (self.matches + self.non_matches)


@dataclass(frozen=True, slots=True)
class Dependence:
    """Every two comparisons, and the combinations of levels that do not add up, the most misjudged first."""

    matches: tuple[Shared, ...]
    non_matches: tuple[Shared, ...]
    combinations: tuple[Combination, ...]

    def evidence(self) -> dict[str, Any]:
        """Plain data for the evidence of a model, with the first ``SHOWN`` combinations."""
        return {
            "matches": [_plain(asdict(shared)) for shared in self.matches],
            "non_matches": [_plain(asdict(shared)) for shared in self.non_matches],
            "combinations": [_plain(asdict(combination)) for combination in self.combinations[:SHOWN]],
        }


def measure_dependence(
    model: Model,
    levels: Levels,
    is_match: NDArray[np.bool_],
    weights: Floats,
    *,
    registry: Registry,
    random_levels: Levels,
    hard_negatives: float,
) -> Dependence:
    """Measure every two comparisons that are no interactions; pairs missing on either are left out.

    Args:
        model: what was compared, and m and u; neither prior nor calibration count.
        levels: comparison, interactions too → level of each labelled pair, as ``levels_of`` gives them.
        is_match: shape (labelled pairs,).
        weights: shape (labelled pairs,), 1 ÷ sampling probability.
        registry: that of the training.
        random_levels: the same as ``levels``, of random pairs.
        hard_negatives: labelled non-matches per dose, weighted.
    """
    specification = model.specification
    matches, non_matches = (_chosen(levels, kind) for kind in (is_match, ~is_match))
    strangers = _chosen(random_levels, ~_on_unique_level(specification, random_levels))
    others = {name: np.concatenate([found, strangers[name]]) for name, found in non_matches.items()}
    near = min(hard_negatives / registry.citizens, 1.0)
    parts = (weights[~is_match], near), (np.ones(len(next(iter(strangers.values())))), 1 - near)
    mixed = np.concatenate([part * (share / max(part.sum(), 1e-300)) for part, share in parts])
    corrected = mixed * _interaction_bits(model, registry, others)
    shared: tuple[list[Shared], list[Shared]] = ([], [])
    found: list[Combination] = []
    plain = [comparison for comparison in specification.comparisons if not comparison.is_interaction]
    for first, second in combinations(plain, 2):
        of_matches = _table(first, second, matches, weights[is_match])
        of_non_matches = _table(first, second, non_matches, weights[~is_match])
        of_others = _table(first, second, others, mixed)
        correction = _total(first, second, others, corrected)
        shared[0].append(_shared(first, second, of_matches))
        shared[1].append(_shared(first, second, of_non_matches))
        found += _combinations((first, second), of_matches, of_non_matches, of_others, correction)
    found.sort(key=lambda one: -one.misjudged)
    return Dependence(tuple(shared[0]), tuple(shared[1]), tuple(found))


@dataclass(frozen=True, slots=True)
class _Table:
    """Pairs missing on neither comparison, by level of the first (rows) and of the second; weight of the heaviest."""

    count: Floats
    weight: Floats
    squares: Floats
    largest: float


def _chosen(levels: Levels, pairs: NDArray[np.bool_]) -> Levels:
    return {name: found[pairs] for name, found in levels.items()}


def _on_unique_level(specification: Specification, levels: Levels) -> NDArray[np.bool_]:
    """Pairs that agree on what one person only has: drawn at random, they are likely that person with himself."""
    found = np.zeros(len(next(iter(levels.values()))), dtype=bool)
    for comparison in specification.comparisons:
        places = [place for place, level in enumerate(comparison.levels, start=1) if level.unique]
        found |= np.isin(levels[comparison.name], places)
    return found


def _table(first: Comparison, second: Comparison, levels: Levels, weights: Floats) -> _Table:
    count, weight, squares = (_total(first, second, levels, weights**power) for power in (0, 1, 2))
    return _Table(count, weight, squares, largest=float(weights.max(initial=0.0)))


def _total(first: Comparison, second: Comparison, levels: Levels, weights: Floats) -> Floats:
    rows, columns = len(first.levels) + 1, len(second.levels) + 1
    cell = levels[first.name].astype(np.intp) * columns + levels[second.name]
    total: Floats = np.bincount(cell, weights, rows * columns).reshape(rows, columns)[1:, 1:].astype(np.float64)
    return total


def _interaction_bits(model: Model, registry: Registry, levels: Levels) -> Floats:
    bits = np.zeros(len(next(iter(levels.values()))))
    for comparison in model.specification.comparisons:
        if comparison.is_interaction:
            m_u = [(1.0, 1.0), *(model.m_u(comparison, level, registry) for level in comparison.levels)]
            bits += np.log2([m / u for m, u in m_u])[levels[comparison.name]]
    return bits


def _shared(first: Comparison, second: Comparison, table: _Table) -> Shared:
    pairs = int(table.count.sum())
    if pairs == 0:
        return Shared(first.name, second.name, 0, 0.0, 1.0)
    both = table.weight / table.weight.sum()
    margins = both.sum(axis=1), both.sum(axis=0)
    bits = _entropy(margins[0]) + _entropy(margins[1]) - _entropy(both)
    rows, columns, cells = (np.count_nonzero(share) for share in (*margins, both))
    per_bit = 2 * np.log(2) * table.weight.sum() ** 2 / table.squares.sum()
    freedom = (rows - 1) * (columns - 1)
    return Shared(
        first.name,
        second.name,
        pairs,
        bits=float(bits + (rows + columns - cells - 1) / per_bit),
        p_value=float(chi2.sf(per_bit * bits, freedom)) if freedom else 1.0,
    )


def _entropy(share: Floats) -> float:
    seen = share[share > 0]
    return float(-(seen * np.log2(seen)).sum())


def _lifts(table: _Table) -> tuple[Floats, Floats, Floats]:
    """Lift of every combination with its 95 % interval; 0, and anything, where too few pairs are seen and expected.

    The weighted number seen is a sum of Poisson numbers about lift times the number expected: limits of
    `linkage.intervals` (Fay & Feuer 1997); half a pair is added to the estimate, which keeps it finite (Brown, Cai &
    DasGupta 2003).
    """
    total = table.weight.sum()
    if total == 0:
        nothing = np.zeros_like(table.weight)
        return nothing, nothing - np.inf, nothing + np.inf
    seen, variance, largest = table.weight, table.squares, table.largest
    expected = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / total
    pair = np.divide(variance, seen, out=np.full_like(seen, largest), where=seen > 0)
    enough = np.maximum(seen, expected) / pair > ENOUGH - 1e-9
    estimate = seen + pair / 2
    low, high = gamma_low(seen, variance, TAIL), gamma_high(seen, variance, largest, TAIL)
    over = np.where(enough, expected, 1.0)
    # nothing seen has no lower end: ten bits are as good as none
    ends = (np.where(enough, end / over, 1.0) for end in (estimate, np.maximum(low, estimate / 1024), high))
    of_estimate, of_low, of_high = (np.log2(end) for end in ends)
    return of_estimate, np.where(enough, of_low, -np.inf), np.where(enough, of_high, np.inf)


def _combinations(
    of: tuple[Comparison, Comparison],
    matches: _Table,
    non_matches: _Table,
    others: _Table,
    correction: Floats,
) -> list[Combination]:
    of_matches, of_others = _lifts(matches), _lifts(others)
    excess = of_others[0] - of_matches[0]
    # the interval of a difference from those of its parts: Zou & Donner 2008, eq. 3
    low = excess - np.hypot(of_others[0] - of_others[1], of_matches[2] - of_matches[0])
    high = excess + np.hypot(of_others[2] - of_others[0], of_matches[0] - of_matches[1])
    left = excess + np.divide(correction, others.weight, out=np.zeros_like(excess), where=others.weight > 0)
    return [
        Combination(
            of[0].name,
            of[0].levels[row].name,
            of[1].name,
            of[1].levels[column].name,
            matches=int(matches.count[row, column]),
            non_matches=int(non_matches.count[row, column]),
            lift_matches=Bits(*(float(bits[row, column]) for bits in of_matches)),
            lift_others=Bits(*(float(bits[row, column]) for bits in of_others)),
            excess=Bits(*(float(bits[row, column]) for bits in (excess, low, high))),
            left=float(left[row, column]),
        )
        for row, column in np.argwhere((low > 0) | (high < 0))
    ]


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _plain(value) if isinstance(value, dict) else float(f"{value:.4g}") if isinstance(value, float) else value
        for name, value in data.items()
    }
