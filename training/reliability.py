"""Whether probabilities mean what they say: reliability by bins, and the expected calibration error."""

from typing import Any

import numpy as np

from training.proof import rate
from training.thresholds import Outcomes
from training.vectors import Bools

BITS_PER_BIN = 2
ENDS = (-8, 10)
"""Log2 odds beyond which all are in the outermost bins."""


def reliability(outcomes: Outcomes, names: tuple[str, ...]) -> dict[str, Any]:
    """Reliability of the best candidates' probabilities over all doses, under "all", and of each stratum.

    Each is ``expected_calibration_error``, the mean of |predicted - realised| over bins of the log odds, weighted by
    their doses (Naeini, Cooper & Hauskrecht 2015), and ``bins`` from unlikely to likely: ``predicted`` (the mean
    probability), ``realised`` (the share that is right), its 95 % interval ``low`` to ``high``, and ``doses``.
    """
    some = outcomes.stratum >= 0
    parts = {"all": some} | {name: outcomes.stratum == place for place, name in enumerate(names)}
    return {name: _reliability(outcomes, doses) for name, doses in parts.items() if doses.any()}


def _reliability(outcomes: Outcomes, doses: Bools) -> dict[str, Any]:
    tiny = np.finfo(float).tiny
    probability, weight = outcomes.probability, outcomes.weight
    odds = np.log2(np.maximum(probability, tiny)) - np.log2(np.maximum(1 - probability, 2.0**-60))
    place = np.clip(np.floor(odds / BITS_PER_BIN), ENDS[0] // BITS_PER_BIN, ENDS[1] // BITS_PER_BIN)
    bins, error = [], 0.0
    for each in np.unique(place[doses]):
        within = doses & (place == each)
        predicted = float(np.average(probability[within], weights=weight[within]))
        right, wrong = (rate(each, within, weight, outcomes.person) for each in (outcomes.right, ~outcomes.right))
        # the interval of the rarer of the two is the narrower one
        low, high = (right.low, right.high) if right.estimate < 0.5 else (1 - wrong.high, 1 - wrong.low)
        error += float(weight[within].sum()) * abs(predicted - right.estimate)
        bins.append(
            {"predicted": predicted, "realised": right.estimate, "low": low, "high": high, "doses": right.doses}
        )
    return {"expected_calibration_error": error / float(weight[doses].sum()), "bins": bins}
