"""The two thresholds, from the errors one is willing to make: what labels do not prove is not accepted.

Learn then test (Angelopoulos, Bates, Candès, Jordan & Lei 2021, section 4): thresholds are tried from the strictest on,
each is a hypothesis "the rate is above the tolerance", tested at 5 %, and the first that is not rejected ends the
sequence, so that no correction for their number is needed (fixed sequence testing: Bauer 1991). The test is the exact
one-sided bound of `training.proof`, which is Clopper & Pearson's but for unequal weights. A bound on one threshold
chosen by the data (Clopper & Pearson alone) would be too low by just that choice; a uniform one (Geifman & El-Yaniv
2017) pays for thresholds nobody would choose.

What is not covered: strata are tested each at 5 %, and those that fail are left out before all are tested together, on
the same labels. `python -m evaluation.benchmarks.promise` counts how often the promise is broken all the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from models import NEVER, Thresholds
from training.proof import Rate, lacking, rate
from training.vectors import Bools, Floats, Ints

ACCEPT = (
    *(0.9999, 0.9998, 0.9995, 0.999, 0.998, 0.997, 0.996, 0.995, 0.994, 0.993, 0.992, 0.991),
    *(1 - step / 400 for step in range(4, 21)),
)
"""Accept thresholds tried, fixed before any label is seen: by thousandths to 0.99, then by quarters of a hundredth.
Whatever the rate over all allows, a dose that is wrong one time in twenty is not accepted."""

REVIEW = (1e-6, 1e-5, 1e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2)
"""Review thresholds tried."""

OF_A_STRATUM = 10
"""The rate of one stratum may be this many times the one tolerated over all, if nothing else is asked: a stratum is a
small part of all, and to show of every one what is shown of all would take so many labels of each."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What is known of labelled doses whose own labels had no part in their probabilities; all of shape (doses,).

    Attributes:
        probability: of the best candidate; 0 without one, and where another has its weight.
        any_probability: of all candidates together.
        right: the best candidate is the dose's citizen.
        has_citizen: a label names the dose's citizen.
        found: that citizen is among its candidates.
        stratum: place in ``Specification.stratum_names``, -1 without a candidate.
        weight: 1 ÷ sampling probability.
        person: doses with the same number are of one person.
    """

    probability: Floats
    any_probability: Floats
    right: Bools
    has_citizen: Bools
    found: Bools
    stratum: Ints
    weight: Floats
    person: Ints


@dataclass(frozen=True, slots=True)
class Chosen:
    """Thresholds, what they rest on as plain data, and what is lacking.

    Attributes:
        lacking: stratum → more labelled doses without an error that it would take to accept any of it; over all
            under the name "". Empty where all is proven.
    """

    thresholds: Thresholds
    evidence: dict[str, Any]
    lacking: Mapping[str, int]


def choose_thresholds(
    outcomes: Outcomes,
    names: tuple[str, ...],
    never: str,
    *,
    max_false_link_rate: float,
    max_missed_link_rate: float,
    max_false_link_rate_of_a_stratum: float | None = None,
) -> Chosen:
    """The lowest accept threshold of each stratum, the highest review threshold, that the labels prove.

    First each stratum by itself: false links among its accepts are within the tolerance of a stratum, with 95 %
    confidence; a stratum with too few labels, or too many errors, is not accepted. Then one threshold for all
    together, no lower than their own: false links among all accepts are within the tolerance, with 95 % confidence.
    Last the review threshold: links missed by it are within the tolerance among no-match, likewise; where nothing is
    proven, every dose with a candidate is reviewed. A dose whose citizen blocking did not find is missed at any
    threshold, and does not count here; it does in the rates reported.

    Args:
        outcomes: of labelled doses.
        names: the strata.
        never: the stratum that is never accepted.
        max_false_link_rate: tolerated false links among accepts.
        max_missed_link_rate: tolerated missed links among no-match.
        max_false_link_rate_of_a_stratum: tolerated in any stratum; ``OF_A_STRATUM`` times that of all if not given.
    """
    probability, right = outcomes.probability, outcomes.right
    of_one = max_false_link_rate_of_a_stratum or min(0.5, OF_A_STRATUM * max_false_link_rate)
    own, missing, by_stratum = {}, {}, {}
    for place, name in enumerate(names):
        within = outcomes.stratum == place
        own[name] = NEVER
        if name == never or not within.any():
            continue
        certain = np.where(within, probability, -1.0)
        proven, found = _last_proven(ACCEPT, partial(np.greater_equal, certain), ~right, outcomes, of_one)
        if proven is None:
            missing[name] = lacking(found, of_one)
        else:
            own[name] = proven
    floor = np.array([*own.values(), NEVER])[outcomes.stratum]
    common, found = _last_proven(
        ACCEPT, lambda t: probability >= np.maximum(t, floor), ~right, outcomes, max_false_link_rate
    )
    if common is None:
        missing[""] = lacking(found, max_false_link_rate)
    accept = {name: max(threshold, common or NEVER) for name, threshold in own.items()}
    accepted = probability >= np.array([*accept.values(), NEVER])[outcomes.stratum]
    review, _ = _last_proven(
        REVIEW,
        lambda t: ~accepted & (outcomes.any_probability < t),
        outcomes.found,
        outcomes,
        max_missed_link_rate,
    )
    review = review or 0.0
    rejected = ~accepted & ((outcomes.any_probability < review) | (outcomes.stratum < 0))
    beyond = rate(outcomes.has_citizen & ~outcomes.found, rejected, outcomes.weight, outcomes.person)
    reviewed = ~accepted & ~rejected

    def measured(doses: Bools) -> dict[str, Any]:
        every = float(outcomes.weight[doses].sum())
        return {
            "doses": int(doses.sum()),
            "false_links": asdict(rate(~right, accepted & doses, outcomes.weight, outcomes.person)),
            "missed_links": asdict(rate(outcomes.has_citizen, rejected & doses, outcomes.weight, outcomes.person)),
            "accepted_share": float(outcomes.weight[accepted & doses].sum()) / every if every else 0.0,
            "review_share": float(outcomes.weight[reviewed & doses].sum()) / every if every else 0.0,
        }

    for place, name in enumerate(names):
        within = outcomes.stratum == place
        if within.any():
            by_stratum[name] = {**measured(within), "lacking": missing.get(name, 0)}
    evidence = {
        "max_false_link_rate": max_false_link_rate,
        "max_false_link_rate_of_a_stratum": of_one,
        "max_missed_link_rate": max_missed_link_rate,
        **measured(np.ones(len(right), dtype=bool)),
        "lacking": missing.get("", 0),
        "missed_by_blocking": asdict(beyond),
        "strata": by_stratum,
    }
    return Chosen(Thresholds(accept=accept, review=review), evidence, missing)


def _last_proven(
    sequence: Sequence[float], doses: Callable[[float], Bools], wrong: Bools, outcomes: Outcomes, tolerance: float
) -> tuple[float | None, Rate]:
    """The last proven threshold of a sequence from strict to lenient, and the rate of wrong doses at it.

    Without a proven one, None, and the rate where the sequence began. Where to begin is told by scores and weights, not
    by labels: at a threshold that holds half of what the last one does, and could prove something.
    """

    def at(threshold: float, wrong: Bools) -> Rate:
        return rate(wrong, doses(threshold), outcomes.weight, outcomes.person)

    half = outcomes.weight[doses(sequence[-1])].sum() / 2
    begun, proven, found = False, None, at(sequence[-1], wrong)
    for threshold in sequence:
        if not begun:
            begun = (
                outcomes.weight[doses(threshold)].sum() >= half
                and at(threshold, np.zeros_like(wrong)).bound <= tolerance
            )
        if begun:
            here = at(threshold, wrong)
            if here.bound > tolerance:
                return proven, found if proven else here
            proven, found = threshold, here
    return proven, found
