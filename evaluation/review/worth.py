"""What a queue gives for the time it takes: doses freed by the decisions made, in several orders of the same cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy

from evaluation.review.clearing import Cleared

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SHARES = (0.5, 0.8, 0.95)
"""Of all doses that the queue frees: how many decisions it takes to free so many."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One order of the queue: after each case, decisions made so far and doses rightly linked by them.

    Attributes:
        decisions, freed: shape (cases,), ascending.
    """

    decisions: Ints
    freed: Ints

    @property
    def mean_share(self) -> float:
        """Share of the doses freed so far, on average over the time that the whole queue takes."""
        steps = np.diff(self.decisions, prepend=0)
        before = np.concatenate([[0], self.freed[:-1]])
        return float((steps * (before + self.freed) / 2).sum() / (self.decisions[-1] * max(self.freed[-1], 1)))

    def needed(self, share: float) -> int:
        """Decisions after which this share of the doses that the queue frees is free."""
        return int(self.decisions[np.searchsorted(self.freed, share * self.freed[-1])])


def _uncertainty(case: Cleared) -> float:
    """Entropy (bits) over the candidates and "none of them"."""
    some = np.array(case.candidates)
    return float(entropy([*some, max(0.0, 1 - some.sum())], base=2)) if len(some) else 0.0


ORDERS: Mapping[str, Callable[[Cleared], float]] = {
    "worth": lambda case: -case.place,
    "probability": lambda case: case.probability,
    "uncertainty": _uncertainty,
}
"""What comes first where it is largest: the order of the queue itself; the probability that a
candidate is the one; the entropy
of the candidates, doses left aside. ``random`` is the fourth."""


def curves(cases: Sequence[Cleared], truth: Mapping[str, str | None], seed: int) -> dict[str, Curve]:
    """The curve of each order, by its name.

    Args:
        cases: with their answers, which do not depend on the order they are read in.
        truth: dose → its citizen.
        seed: of the random order.
    """
    cases = sorted(cases, key=lambda case: case.place)
    reads = np.array([case.reads for case in cases], dtype=np.int64)
    freed = np.array([case.freed(truth) for case in cases], dtype=np.int64)
    shuffled = np.random.default_rng(seed).permutation(len(cases)).astype(float)
    keys = {name: np.array([key(case) for case in cases]) for name, key in ORDERS.items()} | {"random": shuffled}
    orders = {name: np.argsort(-key, kind="stable") for name, key in keys.items()}
    return {name: Curve(np.cumsum(reads[order]), np.cumsum(freed[order])) for name, order in orders.items()}
