"""The two thresholds, from the errors one is willing to make, on labelled persons held apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from models import Calibration, Thresholds
from training.calibration import Scored

CAUTION = 0.5
"""Share of the tolerated false links that the calibrated probabilities may use up: they are estimates themselves."""

LOWEST_ACCEPT = 0.97
"""Whatever the rate over all accepts allows, a dose that is wrong one time in thirty is not accepted."""

NEVER = float(np.nextafter(1, 2))
"""An accept threshold that no probability reaches, not even one that rounds to 1."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Thresholds, and the counts they rest on as plain data."""

    thresholds: Thresholds
    evidence: dict[str, Any]


def choose_thresholds(
    scored: Scored,
    calibration: Calibration,
    in_registry: float,
    *,
    cautioned: NDArray[np.bool_],
    max_false_link_rate: float,
    max_missed_link_rate: float,
) -> Chosen:
    """The lowest accept threshold with few enough false links, the highest review threshold with few enough missed.

    Both are judged on doses, each with its sampling weight. The calibrated probabilities of the accepted (of the
    no-match) say how many false (missed) links to expect, which is smoother than the few errors a sample shows; the
    false links seen may only raise the accept threshold: where their share is surely (lower end of the 95 % interval)
    above the tolerance. No accept threshold is under ``LOWEST_ACCEPT``.

    Args:
        scored: candidates of labelled doses whose persons gave no m and u.
        calibration: how match weights become odds.
        in_registry: prior that a dose has its citizen among the candidates.
        cautioned: shape (doses,): no machine accepts the dose, however probable.
        max_false_link_rate: tolerated false links among accepts.
        max_missed_link_rate: tolerated missed links among no-match.
    """
    candidate, none = scored.posterior(calibration, in_registry)
    doses = len(scored.weight)
    best = np.zeros(doses)
    np.maximum.at(best, scored.dose, candidate)
    right = np.zeros(doses, dtype=bool)
    right[scored.dose[(candidate == best[scored.dose]) & scored.is_match]] = True
    accept = _accept(best[~cautioned], ~right[~cautioned], scored.weight[~cautioned], max_false_link_rate)
    review = min(_review(1 - none, scored.weight, max_missed_link_rate), accept)
    accepted, rejected = (best >= accept) & ~cautioned, 1 - none < review
    return Chosen(
        Thresholds(accept=accept, review=review),
        {
            "doses": doses,
            "accepted": int(accepted.sum()),
            "false_links": int((accepted & ~right).sum()),
            "false_link_rate": _interval(accepted & ~right, accepted, scored.weight),
            "no_match": int(rejected.sum()),
            "missed_links": int((rejected & scored.in_registry).sum()),
            "missed_link_rate": _interval(rejected & scored.in_registry, rejected, scored.weight),
            "max_false_link_rate": max_false_link_rate,
            "max_missed_link_rate": max_missed_link_rate,
        },
    )


def _accept(best: NDArray[np.float64], wrong: NDArray[np.bool_], weight: NDArray[np.float64], rate: float) -> float:
    if not len(best):
        return NEVER
    order = np.argsort(-best, kind="stable")
    probability, sampled = best[order], weight[order] / weight.mean()
    total, squares = np.cumsum(sampled), np.cumsum(sampled**2)
    expected = np.cumsum(sampled * (1 - probability)) / total
    seen = np.cumsum(sampled * wrong[order]) / total
    size = total**2 / squares
    surely = np.where(seen > 0, betaincinv(np.maximum(seen * size, 1e-9), (1 - seen) * size + 1, 0.025), 0.0)
    few = (expected <= rate * CAUTION) & (surely <= rate)
    return max(_between(probability, few, beyond=0.0), LOWEST_ACCEPT)


def _review(any_of: NDArray[np.float64], weight: NDArray[np.float64], rate: float) -> float:
    order = np.argsort(any_of, kind="stable")
    probability = any_of[order]
    expected = np.cumsum(weight[order] * probability) / np.cumsum(weight[order])
    return _between(probability, expected <= rate, beyond=1.0)


def _between(probability: NDArray[np.float64], allowed: NDArray[np.bool_], beyond: float) -> float:
    """The threshold after the last allowed place of a sorted array, midway to the next probability.

    Places inside a run of equal probabilities do not count: no threshold tells them apart. Nothing allowed gives the
    end before the first.
    """
    ends = np.append(np.flatnonzero(np.diff(probability)), len(probability) - 1)
    ends = ends[allowed[ends]]
    if len(ends) == 0:
        return NEVER if beyond == 0 else 0.0
    after = ends[-1] + 1
    return float((probability[ends[-1]] + (probability[after] if after < len(probability) else beyond)) / 2)


def _interval(hits: NDArray[np.bool_], of: NDArray[np.bool_], weight: NDArray[np.float64]) -> dict[str, float]:
    """Weighted share with a 95 % interval: Clopper & Pearson 1934 at Kish's effective sample size (Kish 1965, 11.7)."""
    if not of.any():
        return {"estimate": 0.0, "low": 0.0, "high": 1.0}
    share = float(weight[hits].sum() / weight[of].sum())
    size = float(weight[of].sum() ** 2 / (weight[of] ** 2).sum())
    seen = share * size
    low = float(betaincinv(seen, size - seen + 1, 0.025)) if seen > 0 else 0.0
    high = float(betaincinv(seen + 1, size - seen, 0.975)) if seen < size else 1.0
    return {"estimate": share, "low": low, "high": high}
