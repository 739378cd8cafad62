"""What a user should know of labels before trusting a model trained on them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstwobign

from linkage.messages import say
from linkage.reports.pages import count, percent
from training.labels import BY_CHANCE, LabelCounts

Notice = tuple[str, dict[str, object]]

LEVEL_AT_LEAST = 5
"""Labelled matches a level should have been seen on."""

SELECTIVE = 0.15
"""Kolmogorov distance from which labels are of other doses than those at large: less moves no estimate we make."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Labels that are of other doses than those at large.

    Attributes:
        weighted: the labels have weights, which do not undo it.
        distance: Kolmogorov distance between the two distributions of bits.
        low, high: the bits between which labels are most over-represented.
        labelled, at_large: share of the (weighted) labelled and of all doses between the two.
    """

    weighted: bool
    distance: float
    low: float
    high: float
    labelled: float
    at_large: float


def rare_levels(
    levels: Mapping[str, NDArray[np.uint8]], is_match: NDArray[np.bool_], names: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """The levels (``comparison.level``) with fewer than ``LEVEL_AT_LEAST`` labelled matches, in the order of ``names``.

    Args:
        levels: comparison → level of each labelled pair, 0 for missing, as `training.estimation.levels_of` gives them.
        is_match: shape (labelled pairs,).
        names: comparison → its levels, from the top.
    """
    seen = {name: np.bincount(levels[name][is_match], minlength=len(of) + 1)[1:] for name, of in names.items()}
    return tuple(
        f"{name}.{level}"
        for name, of in names.items()
        for level, matches in zip(of, seen[name], strict=True)
        if matches < LEVEL_AT_LEAST
    )


def drawn_selectively(
    labelled_bits: NDArray[np.float64], labelled_weights: NDArray[np.float64], random_bits: NDArray[np.float64]
) -> Selection | None:
    """Whether the labelled doses differ from random ones in the match weight of their best candidate.

    They do when the Kolmogorov distance of the (weighted) distributions is above ``SELECTIVE`` and has a probability
    below ``BY_CHANCE`` under one distribution (Smirnov 1948; with n_eff = (Σw)² / Σw² labelled doses, Kish
    1965). Labels drawn near a threshold alone look so, unless weights undo it.

    Args:
        labelled_bits: shape (labelled doses,); a dose without a candidate has fewer bits than any with one.
        labelled_weights: shape (labelled doses,), 1 ÷ inclusion probability.
        random_bits: shape (random doses,), of the same table.
    """
    if not len(labelled_bits) or not len(random_bits):
        return None
    places = np.unique(np.concatenate([labelled_bits, random_bits]))
    share = labelled_weights / labelled_weights.sum()
    order = np.argsort(labelled_bits, kind="stable")
    summed = np.concatenate([[0.0], np.cumsum(share[order])])
    labelled = summed[np.searchsorted(labelled_bits[order], places, side="right")]
    at_large = np.searchsorted(np.sort(random_bits), places, side="right") / len(random_bits)
    difference = np.concatenate([[0.0], labelled - at_large])
    distance = float(np.abs(difference).max())
    effective = 1 / float((share**2).sum())
    size = effective * len(random_bits) / (effective + len(random_bits))
    if distance <= SELECTIVE or kstwobign.sf(np.sqrt(size) * distance) >= BY_CHANCE:
        return None
    # the steepest rise of the difference: where labels are denser than doses are
    rise = difference - np.minimum.accumulate(difference)
    last = int(rise.argmax())
    first = int(difference[: last + 1].argmin())
    shares = [float(cumulated[last - 1] - (cumulated[first - 1] if first else 0)) for cumulated in (labelled, at_large)]
    weighted = bool(labelled_weights.max() > labelled_weights.min() * (1 + 1e-9))
    return Selection(weighted, distance, float(places[first]), float(places[last - 1]), *shares)


def suspicions(counts: LabelCounts, rare: Sequence[str] = (), selection: Selection | None = None) -> tuple[Notice, ...]:
    """What a user should know of the labels: the key of a message and its facts, nothing where nothing is odd.

    Args:
        counts: as ``labelled_keys`` found them.
        rare: as ``rare_levels`` found them.
        selection: as ``drawn_selectively`` found it.
    """
    found: list[Notice] = [
        (f"labels.{name}", {"found": number})
        for name in (
            *("unknown_doses", "unknown_citizens", "contradicted", "two_citizens", "disputed", "reviewers_disagree"),
            *(
                "odd_reviewers",
                "repeated",
                "undecided",
                "unanswered",
                "half_answered",
                "unequal_weights",
                "missing_weights",
            ),
        )
        if (number := getattr(counts, name))
    ]
    if counts.draws > 1:
        found.append(("labels.draws", {"draws": counts.draws, "again": counts.drawn_again}))
    if rare:
        found.append(("labels.rare_levels", {"found": len(rare), "least": LEVEL_AT_LEAST, "levels": ", ".join(rare)}))
    if selection:
        key = "labels.weights_do_not_undo" if selection.weighted else "labels.drawn_selectively"
        bits = {"low": int(np.floor(selection.low)), "high": int(np.ceil(selection.high))}
        found.append((key, {**bits, "labelled": selection.labelled, "at_large": selection.at_large}))
    return tuple(found)


def in_words(notices: Sequence[Notice], language: str) -> list[str]:
    """The sentences of ``suspicions``, with numbers as people of the language write them; a fraction is a share."""

    def shown(fact: object) -> object:
        if isinstance(fact, int):
            return count(fact, language)
        return percent(fact, language) if isinstance(fact, float) else fact

    return [say(key, language, **{name: shown(fact) for name, fact in facts.items()}) for key, facts in notices]
