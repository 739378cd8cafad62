"""Probabilities that mean what they say: from match weights, by stratum, fitted and applied to different persons."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from models import Calibration
from training.thresholds import Outcomes
from training.vectors import Bools, Candidates, Floats, Ints, best_candidates


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of labelled doses with their match weights, from parameters that other persons' labels gave.

    Attributes:
        candidates: the doses and their candidates.
        match_weight: bits, shape (candidates,).
        stratum: place in ``Specification.stratum_names``, -1 without a candidate: shape (doses,).
    """

    candidates: Candidates
    match_weight: Floats
    stratum: Ints

    def of(self, doses: Bools) -> "Scored":
        """The candidates of some doses; ``doses`` has shape (doses,)."""
        return Scored(self.candidates.of(doses), self.match_weight[doses[self.candidates.dose]], self.stratum[doses])


def posterior(bits: Floats, dose: Ints, doses: int, in_registry: float) -> tuple[Floats, Floats]:
    """Probability of each candidate, shape (candidates,), and of "none of them", shape (doses,).

    Args:
        bits: calibrated log2 odds against "none of the registry", shape (candidates,).
        dose: of each candidate, ascending.
        doses: how many there are.
        in_registry: prior that a dose has its citizen among the candidates.
    """
    top, total = np.zeros(doses), np.zeros(doses)
    starts = np.flatnonzero(np.diff(dose, prepend=-1))
    some = dose[starts]
    if len(starts):
        top[some] = np.maximum(np.maximum.reduceat(bits, starts), 0)
    # relative to the dose's largest odds, so that no power of two overflows
    odds = np.exp2(bits - top[dose])
    if len(starts):
        total[some] = np.add.reduceat(odds, starts)
    none = (1 - in_registry) * np.exp2(-top)
    total += none
    return odds / total[dose], none / total


def calibrate(scored: Scored, in_registry: float) -> Calibration:
    """Slope and intercept of the odds in the match weight that make the labels most likely.

    The likelihood is that of a conditional logit over a dose's candidates and "none" (McFadden 1974, eq. 12), which
    keeps the probabilities of one dose summing to at most 1; the slope stays positive, so the order of match weights
    is never changed. A normal prior on log slope and intercept (standard deviation 1 and 5) keeps a perfect
    separation finite, and is all there is without doses.
    """
    of = scored.candidates
    if not len(of.weight):
        return Calibration()
    found = np.zeros(len(of.weight), dtype=bool)
    found[of.dose[of.is_match]] = True
    weight = of.weight / of.weight.mean()
    tiny = np.finfo(float).tiny

    def loss(parameters: Floats) -> tuple[float, Floats]:
        """Negative log of likelihood and prior, and its gradient."""
        slope = np.exp(parameters[0])
        candidate, none = posterior(slope * scored.match_weight + parameters[1], of.dose, len(weight), in_registry)
        right = weight[of.dose[of.is_match]] * np.log(candidate[of.is_match] + tiny)
        absent = weight[~found] * np.log(none[~found] + tiny)
        # a citizen who is no candidate is outside the model: such a dose has "none" for its answer
        short = weight[of.dose] * (of.is_match - candidate) * np.log(2)
        gradient = np.array([-(short * slope * scored.match_weight).sum(), -short.sum()])
        return (
            float(-(right.sum() + absent.sum()) + parameters[0] ** 2 / 2 + parameters[1] ** 2 / 50),
            gradient + parameters / np.array([1, 25]),
        )

    best = minimize(loss, np.array([0.0, 0.0]), jac=True, method="BFGS", options={"gtol": 1e-6})
    return Calibration(slope=round(float(np.exp(best.x[0])), 6), intercept=round(float(best.x[1]), 6))


def calibrate_strata(scored: Scored, names: tuple[str, ...], in_registry: float) -> dict[str, Calibration]:
    """A calibration for each stratum, from its own doses; of one without doses the identity."""
    return {name: calibrate(scored.of(scored.stratum == place), in_registry) for place, name in enumerate(names)}


def outcomes(
    scored: Scored, names: tuple[str, ...], calibration: Mapping[str, Calibration], in_registry: float
) -> Outcomes:
    """What becomes of the doses under a calibration."""
    of = scored.candidates
    doses = len(of.weight)
    slope, intercept = (
        np.array([*(getattr(calibration[name], part) for name in names), 0.0]) for part in ("slope", "intercept")
    )
    stratum = scored.stratum[of.dose]
    candidate, none = posterior(slope[stratum] * scored.match_weight + intercept[stratum], of.dose, doses, in_registry)
    best, alone = best_candidates(of.dose, scored.match_weight)
    probability, right = np.zeros(doses), np.zeros(doses, dtype=bool)
    probability[of.dose[best]] = np.where(alone, candidate[best], 0.0)
    right[of.dose[best]] = of.is_match[best]
    found = np.zeros(doses, dtype=bool)
    found[of.dose[of.is_match]] = True
    return Outcomes(
        probability=probability,
        any_probability=1 - none,
        right=right,
        has_citizen=of.has_citizen,
        found=found,
        stratum=scored.stratum,
        weight=of.weight,
        person=of.person,
    )


def folds(person: Ints, count: int, seed: int) -> Ints:
    """The fold of each dose, from 0 to ``count`` - 1, drawn by person: shape (doses,)."""
    _, which = np.unique(person, return_inverse=True)
    drawn = np.random.default_rng(seed).permutation(which.max(initial=-1) + 1) % count
    return drawn[which]


def cross_fitted(scored: Scored, names: tuple[str, ...], fold: Ints, in_registry: float) -> Outcomes:
    """Outcomes of every dose under a calibration that doses of other folds gave.

    Args:
        scored: with match weights from parameters of other folds.
        names: the strata.
        fold: of each dose, shape (doses,); a person is in one.
        in_registry: prior that a dose has its citizen among the candidates.
    """
    parts = []
    for each in np.unique(fold):
        calibration = calibrate_strata(scored.of(fold != each), names, in_registry)
        parts.append((np.flatnonzero(fold == each), outcomes(scored.of(fold == each), names, calibration, in_registry)))
    back = np.argsort(np.concatenate([doses for doses, _ in parts]))
    return Outcomes(*(np.concatenate([getattr(part, name) for _, part in parts])[back] for name in Outcomes.__slots__))
