"""Probabilities that mean what they say, fitted on persons whose labels did not make m and u."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from models import Calibration


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of labelled doses, sorted by dose.

    Attributes:
        match_weight: bits, shape (candidates,).
        is_match: shape (candidates,).
        dose: number of the candidate's dose, from 0, ascending: shape (candidates,).
        weight: 1 ÷ sampling probability of each dose, shape (doses,); doses without any candidate are there too.
        in_registry: shape (doses,): a label names the dose's citizen.
    """

    match_weight: NDArray[np.float64]
    is_match: NDArray[np.bool_]
    dose: NDArray[np.int64]
    weight: NDArray[np.float64]
    in_registry: NDArray[np.bool_]

    def of(self, doses: NDArray[np.bool_]) -> "Scored":
        """The candidates of some doses; ``doses`` has shape (doses,)."""
        kept = doses[self.dose]
        return Scored(
            self.match_weight[kept],
            self.is_match[kept],
            (np.cumsum(doses) - 1)[self.dose[kept]],
            self.weight[doses],
            self.in_registry[doses],
        )

    def posterior(
        self, calibration: Calibration, in_registry: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Probability of each candidate, shape (candidates,), and of "none of them", shape (doses,)."""
        bits = calibration.bits(self.match_weight)
        top = np.zeros(len(self.weight))
        np.maximum.at(top, self.dose, bits)
        # relative to the dose's largest odds, so that no power of two overflows
        odds: NDArray[np.float64] = np.exp2(bits - top[self.dose])
        none: NDArray[np.float64] = (1 - in_registry) * np.exp2(-top)
        total = np.zeros(len(self.weight))
        np.add.at(total, self.dose, odds)
        total += none
        return odds / total[self.dose], none / total


def calibrate(scored: Scored, in_registry: float) -> Calibration:
    """Slope and intercept of the odds in the match weight that make the labels most likely.

    The likelihood is that of a conditional logit over a dose's candidates and "none" (McFadden 1974, eq. 12), which
    keeps the probabilities of one dose summing to at most 1; the slope stays positive, so the order of match weights
    is never changed. A normal prior on log slope and intercept (standard deviation 1 and 5) keeps a perfect
    separation finite, and is all there is without doses.
    """
    if not len(scored.weight):
        return Calibration()
    found = np.zeros(len(scored.weight), dtype=bool)
    found[scored.dose[scored.is_match]] = True
    weight = scored.weight / scored.weight.mean()

    def loss(parameters: NDArray[np.float64]) -> float:
        calibration = Calibration(float(np.exp(parameters[0])), float(parameters[1]))
        candidate, none = scored.posterior(calibration, in_registry)
        tiny = np.finfo(float).tiny
        right = weight[scored.dose[scored.is_match]] @ np.log(candidate[scored.is_match] + tiny)
        absent = weight[~found] @ np.log(none[~found] + tiny)
        return float(-(right + absent) + parameters[0] ** 2 / 2 + parameters[1] ** 2 / 50)

    best = minimize(loss, np.array([0.0, 0.0]), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
    return Calibration(slope=round(float(np.exp(best.x[0])), 9), intercept=round(float(best.x[1]), 9))
