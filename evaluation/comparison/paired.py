"""Which of two models errs less, on doses that a clerk labelled: a paired test and a verdict.

Each labelled dose is judged under both models: a **false link** when the accepted citizen is not the one that a label
says it is (an accept that no label confirms counts as false, as in training), a **right accept** when it is. Then two
differences are asked for, each weighted by the dose's sampling weight: false links, and right accepts, B minus A.

The verdict, with "surely" for a one-sided p below 5 %:

- **worse**: false links are surely more; or right accepts are surely fewer and false links not surely fewer.
- **better**: right accepts are surely more, false links not surely more, and B's false links among its labelled accepts
  not surely above the rate it was trained to keep; or false links are surely fewer and right accepts not surely fewer.
- **not enough data**: else; without labels; and with the labels that trained one of the two, which flatter it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv
from scipy.stats import binom, norm

SURE, POWER = 0.05, 0.8
DRAWS = 19_999

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more often something happens under B than under A, among labelled doses.

    Attributes:
        doses_a, doses_b: labelled doses it happens to.
        only_a, only_b: those it happens to under one model alone.
        share_a, share_b: weighted shares of the labelled doses.
        difference, low, high: of the shares, B minus A, with a 95 % interval; None where no person differs.
        p_more, p_fewer: one-sided, that it is not more (not fewer) under B than under A.
        more_doses: labelled doses, beside those there are, that would show such a difference four times in five; None
            where none is seen, 0 where it is shown.
    """

    doses_a: int
    doses_b: int
    only_a: int
    only_b: int
    share_a: float
    share_b: float
    difference: float
    low: float | None
    high: float | None
    p_more: float
    p_fewer: float
    more_doses: int | None


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled doses that both models decided; arrays of shape (doses,).

    Attributes:
        person: doses with the same text are of one person, and decided alike.
        weight: 1 ÷ the sampling probability of the dose.
    """

    person: NDArray[np.str_]
    weight: Floats
    false_a: Bools
    false_b: Bools
    right_a: Bools
    right_b: Bools


@dataclass(frozen=True, slots=True)
class Paired:
    """What the labels say.

    Attributes:
        rate_b, rate_b_at_least: false links among B's accepts, weighted, and the lower end of its 95 % interval, one-
            sided; None without an accept.
        kept_b: the rate that B was trained to keep; None where it does not say.
    """

    doses: int
    persons: int
    false_links: Difference
    right_accepts: Difference
    rate_b: float | None
    rate_b_at_least: float | None
    kept_b: float | None


def pair(judged: Judged, kept_b: float | None) -> Paired:
    """Both differences, from at least one labelled dose."""
    rate, at_least = _rate(judged)
    return Paired(
        doses=len(judged.weight),
        persons=len(np.unique(judged.person)),
        false_links=compare_shares(judged.false_a, judged.false_b, judged.weight, judged.person),
        right_accepts=compare_shares(judged.right_a, judged.right_b, judged.weight, judged.person),
        rate_b=rate,
        rate_b_at_least=at_least,
        kept_b=kept_b,
    )


def compare_shares(a: Bools, b: Bools, weight: Floats, person: NDArray[np.str_]) -> Difference:
    """How much more often ``b`` holds than ``a``.

    The doses of one person are decided alike, so persons are what is independent. The interval is that of a ratio of
    weighted totals, linearised (Särndal, Swensson & Wretman 1992, section 5.6), with the variance between persons as
    ultimate clusters (Hansen, Hurwitz & Madow 1953). The p are those of `sign_test`.

    Args:
        a: shape (doses,).
        b: shape (doses,).
        weight: shape (doses,).
        person: shape (doses,).
    """
    _, which = np.unique(person, return_inverse=True)
    signed, held = (np.asarray(np.bincount(which, each), dtype=float) for each in (weight * (1.0 * b - a), weight))
    total, persons = float(weight.sum()), len(held)
    difference = float(signed.sum() / total)
    residual = (signed - difference * held) / total
    error = float(np.sqrt(persons / max(persons - 1, 1) * (residual**2).sum()))
    differing = int((signed != 0).sum())
    p_more, p_fewer = sign_test(signed), sign_test(-signed)
    margin = float(norm.ppf(0.975)) * error
    return Difference(
        doses_a=int(a.sum()),
        doses_b=int(b.sum()),
        only_a=int((a & ~b).sum()),
        only_b=int((b & ~a).sum()),
        share_a=float(weight[a].sum() / total),
        share_b=float(weight[b].sum() / total),
        difference=difference,
        low=max(-1.0, difference - margin) if differing else None,
        high=min(1.0, difference + margin) if differing else None,
        p_more=p_more,
        p_fewer=p_fewer,
        more_doses=0 if min(p_more, p_fewer) < SURE else _more_doses(difference, error, len(a), differing),
    )


def sign_test(sums: Floats, seed: int = 1) -> float:
    """The probability of a sum at least as large, if each person's difference were as likely to have the other sign.

    With equal weights and one dose a person this is the exact test of McNemar (1947), a binomial one on the doses that
    differ. Else it is the randomisation test of Fisher (1935, section 21) on the sums of persons, drawn ``DRAWS``
    times, p being (reached + 1) / (draws + 1) (Phipson & Smyth 2010). It stays valid in large samples where the signs
    are not symmetric and only the mean difference is none (Romano 1990).

    Args:
        sums: weighted difference of each person, shape (persons,).
        seed: of the draws.
    """
    different = np.round(sums[sums != 0], 9)
    sizes, counts = np.unique(np.abs(different), return_counts=True)
    if len(sizes) == 0:
        return 1.0
    if len(sizes) == 1:
        return float(binom.sf(int((different > 0).sum()) - 1, len(different), 0.5))
    generator = np.random.default_rng(seed)
    drawn = np.zeros(DRAWS)
    for size, count in zip(sizes, counts, strict=True):
        drawn += size * (2 * generator.binomial(count, 0.5, DRAWS) - count)
    reached = int((drawn >= different.sum() - 1e-9 * np.abs(different).sum()).sum())
    return (reached + 1) / (DRAWS + 1)


def _more_doses(difference: float, error: float, doses: int, differing: int) -> int | None:
    """Doses to be labelled beside those there are.

    The error of a mean shrinks as the root of the number of doses grows; and the sign test needs so many persons that
    differ that all of them the same way is rarer than ``SURE``.
    """
    if difference == 0 or error == 0:
        return None
    needed = ((norm.ppf(1 - SURE) + norm.ppf(POWER)) * error / difference) ** 2
    return max(1, int(np.ceil(doses * (max(needed, -np.log2(SURE) / differing) - 1))))


def _rate(judged: Judged) -> tuple[float | None, float | None]:
    """False links among B's accepts, and the end below it: Clopper & Pearson (1934) at Kish's effective size (1965)."""
    accepted = judged.false_b | judged.right_b
    weight = judged.weight[accepted]
    if not len(weight):
        return None, None
    rate = float(judged.weight[judged.false_b].sum() / weight.sum())
    size = float(weight.sum() ** 2 / (weight**2).sum())
    seen = rate * size
    return rate, float(betaincinv(seen, size - seen + 1, SURE)) if seen > 0 else 0.0


def decide(
    paired: Paired | None, trained: Sequence[str], *, labels: bool
) -> tuple[str, tuple[tuple[str, Mapping[str, Any]], ...]]:
    """The verdict and what it rests on, as keys of messages with their facts; the rule is in the module's docstring.

    Args:
        paired: None without a labelled dose.
        trained: names of the models that these very labels trained.
        labels: some were given.
    """
    if paired is None:
        return "not_enough_data", (("compare.none_known" if labels else "compare.no_labels", {}),)
    if trained:
        return "not_enough_data", (("compare.trained_on_them", {"models": ", ".join(trained)}),)
    false, right = paired.false_links, paired.right_accepts
    sure = {
        "more_false": false.p_more < SURE,
        "fewer_false": false.p_fewer < SURE,
        "more_right": right.p_more < SURE,
        "fewer_right": right.p_fewer < SURE,
    }
    reasons: list[tuple[str, Mapping[str, Any]]] = [(f"compare.{key}", {}) for key, holds in sure.items() if holds]
    if sure["more_false"] or (sure["fewer_right"] and not sure["fewer_false"]):
        return "worse", tuple(reasons)
    if sure["fewer_false"] and not sure["fewer_right"]:
        return "better", tuple(reasons)
    kept = paired.kept_b is not None and (paired.rate_b_at_least or 0.0) <= paired.kept_b
    if sure["more_right"] and kept:
        return "better", tuple(reasons)
    if sure["more_right"]:
        reasons.append(("compare.not_kept", {}))
    more = [difference.more_doses for difference in (false, right) if difference.more_doses]
    if more:
        reasons.append(("compare.label_more", {"doses": min(more)}))
    elif not reasons:
        reasons.append(("compare.no_difference", {}))
    return "not_enough_data", tuple(reasons)
