"""m from labels and from doses that nobody labelled: expectation maximisation that the labels keep within bounds."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from models import Comparison, LevelParameters, Model, Registry
from training.calibration import posterior
from training.vectors import Floats, Ints, Vectors, match_weights

UNLABELLED = 0.1
"""What a dose without a label counts, beside one with a label."""

ROUNDS = 100

TOLERANCE = 1e-6
"""Bits: a round that moves no weight more is the last."""

LEAST = 1e-12
"""Where the interval of m has no lower end."""

Parameters = Mapping[str, Mapping[str, LevelParameters]]


def refine(
    model: Model, registry: Registry, vectors: Vectors, dose: Ints, *, unlabelled: float = UNLABELLED
) -> Parameters:
    """M of every level from the model's labels and from candidates of doses without a label.

    Expectation maximisation (Dempster, Laird & Rubin 1977; of record linkage, Winkler 1988; with labels, Nigam et al.
    2000, section 5.3.2, whose λ is ``unlabelled``), started from the model. E step: the posterior over all candidates
    of a dose and "none of them". M step: the labelled matches and the prior as they are in the model, and the expected
    matches among the candidates, each worth ``unlabelled`` of a labelled one. u, reach and the prior stay, for the
    registry and random pairs know u better.

    Candidates are those that blocking found: cleaner than matches are, so what they say of agreement is too good, and
    errors of one record that come together are counted as if they did not. So no m leaves the 95 % interval that the
    labels give it, nor exceeds its reach, and a level without an interval keeps its m. Labelled doses are not to be
    among ``vectors``: their classes are in the model, and no round changes them.

    Args:
        model: learned from labels; its calibration does not count.
        registry: the citizens that the candidates are of.
        vectors: of the candidates.
        dose: number of the candidate's dose, ascending from 0: shape (candidates,).
        unlabelled: weight of a dose without a label, that of a labelled one being 1.

    Returns:
        Comparison → level → parameters: m with nine digits, and the intervals that the labels gave.
    """
    if not len(dose):
        return model.parameters
    start, doses = model.parameters, int(dose[-1]) + 1
    for _ in range(ROUNDS):
        match, _none = posterior(match_weights(model, registry, vectors), dose, doses, model.in_registry)
        found = {
            comparison.name: _maximised(
                comparison, start[comparison.name], vectors.levels[:, place], unlabelled * match
            )
            for place, comparison in enumerate(model.specification.comparisons)
            if not comparison.is_interaction
        }
        moved = max(
            abs(np.log2(level.m / model.parameters[comparison][name].m))
            for comparison, levels in found.items()
            for name, level in levels.items()
        )
        model = replace(model, parameters=found)
        if moved < TOLERANCE:
            break
    return model.parameters


def _maximised(
    comparison: Comparison, start: Mapping[str, LevelParameters], levels: NDArray[np.uint8], expected: Floats
) -> Mapping[str, LevelParameters]:
    learned = [start[level.name] for level in comparison.levels]
    m = np.array([level.m for level in learned])
    labelled = sum(level.positives + level.prior for level in learned)
    counts = labelled * m + np.bincount(levels, expected, len(m) + 1)[1:]
    if not counts.sum():
        return start
    low, high = np.array([level.m_interval or (level.m, level.m) for level in learned]).T
    high = np.minimum(high, [np.nextafter(level.reach, 0) for level in learned])
    low = np.clip(low, LEAST, high)
    found = [float(f"{m:.9g}") for m in _within(counts / counts.sum(), low, high)]
    return {
        level.name: replace(parameters, m=float(m))
        for level, parameters, m in zip(comparison.levels, learned, np.clip(found, low, high), strict=True)
    }


def _within(shares: Floats, low: Floats, high: Floats) -> Floats:
    """Shares in proportion to those given but for their bounds, and that sum to 1 where the bounds allow it."""

    def scaled(bits: float) -> Floats:
        return np.clip(shares * 2**bits, low, high)

    if scaled(-60).sum() >= 1 or scaled(60).sum() <= 1:
        return scaled(0)
    return scaled(brentq(lambda bits: scaled(bits).sum() - 1, -60, 60, xtol=1e-12))
