"""Classifiers from scikit-learn on the same comparison vectors: logistic regression and gradient boosting.

They learn from every candidate pair of labelled doses, weighted as labels are; their log odds in bits are their match
weights, which the conditional logit of `training.calibration` then weighs against the dose's other candidates and
"none". Settings are searched by cross-validation over all labels, in their favour.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, ParameterGrid

from evaluation.benchmarks.rivals.ground import Ground, Weighed
from training.vectors import Bools, Floats, Ints, Vectors

LOGISTIC_GRID: Mapping[str, Sequence[Any]] = {"C": [1.0, 10.0, 100.0, 1000.0]}
BOOSTING_GRID: Mapping[str, Sequence[Any]] = {
    "max_iter": [100, 300],
    "learning_rate": [0.05],
    "max_leaf_nodes": [15],
    "min_samples_leaf": [20],
    "l2_regularization": [0.5],
    "constrained": [True, False],
}
SEARCH_FOLDS = 2
MOST_BITS = 100
FINER = 1e-3
"""Share of the logistic log odds in those of boosting: trees give thousands of pairs one score; this orders them."""


class Learner(Protocol):
    """What learns from labelled pairs, and gives their log2 odds."""

    def fit(self, vectors: Vectors, dose: Ints, is_match: Bools, weight: Floats) -> Self:
        """Learn; all of shape (pairs,), sorted by dose."""
        ...

    def bits(self, vectors: Vectors, dose: Ints) -> Floats:
        """Log2 odds of pairs sorted by dose: shape (pairs,)."""
        ...


Make = Callable[[Mapping[str, Any]], Learner]


class Logistic:
    """Logistic regression on one column per level, and log2 of the frequency per level that has one."""

    def __init__(self, level_counts: Sequence[int], settings: Mapping[str, Any]) -> None:
        self._counts = np.asarray(level_counts)
        self._model = LogisticRegression(**settings, max_iter=1000)

    def fit(self, vectors: Vectors, _dose: Ints, is_match: Bools, weight: Floats) -> Self:
        """See ``Learner``; what other candidates the dose has is not looked at."""
        self._model.fit(self._columns(vectors), is_match, sample_weight=weight)
        return self

    def bits(self, vectors: Vectors, _dose: Ints) -> Floats:
        """See ``Learner``."""
        return np.asarray(self._model.decision_function(self._columns(vectors)) / np.log(2))

    def _columns(self, vectors: Vectors) -> csr_matrix:
        """Sparse, shape (pairs, 2 x levels): which level, then how rare its value is, in tens of bits."""
        pairs, comparisons = vectors.levels.shape
        first = np.concatenate([[0], np.cumsum(self._counts + 1)])
        place = first[:-1] + vectors.levels
        rarity = np.nan_to_num(-np.log2(vectors.frequencies)) / 10
        values = np.stack([np.ones((pairs, comparisons)), rarity], axis=2)
        columns = np.stack([place, place + first[-1]], axis=2)
        starts = np.arange(pairs + 1) * 2 * comparisons
        return csr_matrix((values.ravel(), columns.ravel(), starts), shape=(pairs, 2 * int(first[-1])))


class Boosting:
    """Histogram gradient boosting, helped: it also sees what logistic regression makes of the pair and of the dose.

    Features: each comparison's level as its smoothed log odds among the pairs learned from, so that "more never speaks
    against" can be asked of it; how rare the value is; the logistic log odds, their margin over the best other
    candidate of the dose, the rank, and the number of candidates.
    """

    def __init__(self, level_counts: Sequence[int], settings: Mapping[str, Any], seed: int) -> None:
        self._counts = level_counts
        self._logistic = Logistic(level_counts, {"C": 100.0})
        constrained = settings["constrained"]
        others = {name: value for name, value in settings.items() if name != "constrained"}
        # evidence, rarity, log odds and margin; rank and candidates are free
        monotonic = [1] * (2 * len(level_counts) + 2) + [0, 0]
        self._model = HistGradientBoostingClassifier(
            **others, monotonic_cst=monotonic if constrained else None, random_state=seed, early_stopping=False
        )
        self._evidence: list[Floats] = []

    def fit(self, vectors: Vectors, dose: Ints, is_match: Bools, weight: Floats) -> Self:
        """See ``Learner``."""
        self._logistic.fit(vectors, dose, is_match, weight)
        self._evidence = [
            _log_odds(vectors.levels[:, place], is_match, weight, count) for place, count in enumerate(self._counts)
        ]
        self._model.fit(self._features(vectors, dose), is_match, sample_weight=weight)
        return self

    def bits(self, vectors: Vectors, dose: Ints) -> Floats:
        """See ``Learner``."""
        bits = self._model.decision_function(self._features(vectors, dose)) / np.log(2)
        return np.asarray(bits + FINER * np.clip(self._logistic.bits(vectors, dose), -MOST_BITS, MOST_BITS))

    def _features(self, vectors: Vectors, dose: Ints) -> NDArray[np.float32]:
        logistic = self._logistic.bits(vectors, dose)
        evidence = [each[vectors.levels[:, place]] for place, each in enumerate(self._evidence)]
        # levels without a frequency: rarer than nothing
        rarity = list(np.nan_to_num(-np.log2(vectors.frequencies), nan=-1.0).T)
        columns = [*evidence, *rarity, logistic, *within_dose(logistic, dose)]
        return np.column_stack([column.astype(np.float32) for column in columns])


def _log_odds(level: NDArray[np.uint8], is_match: Bools, weight: Floats, count: int) -> Floats:
    yes, no = (np.bincount(level, weight * which, minlength=count + 1) for which in (is_match, ~is_match))
    return np.asarray(np.log2((yes + 0.5) / (no + 0.5)))


def within_dose(bits: Floats, dose: Ints) -> tuple[Floats, Floats, Floats]:
    """Bits less those of the best other candidate of the dose, rank from 0, and number of candidates.

    Args:
        bits: shape (pairs,).
        dose: ascending, shape (pairs,).

    Returns:
        Three of shape (pairs,); the margin is NaN for an only candidate.
    """
    start = np.flatnonzero(np.diff(dose, prepend=-1))
    which = np.cumsum(np.diff(dose, prepend=-1) != 0) - 1
    order = np.lexsort((-bits, which))
    rank = np.empty(len(bits), dtype=np.int64)
    rank[order] = np.arange(len(bits)) - start[which[order]]
    candidates = np.bincount(which)[which] if len(which) else rank
    ordered = bits[order]
    other = ordered[np.where(rank > 0, start[which], np.minimum(start[which] + 1, len(bits) - 1))]
    return np.where(candidates > 1, bits - other, np.nan), rank.astype(float), candidates.astype(float)


def logistic(ground: Ground) -> Weighed:
    """Make ``logistic_weights``."""
    counts = _level_counts(ground)
    return _weigh(ground, "logistic", lambda settings: Logistic(counts, settings), LOGISTIC_GRID)


def boosting(ground: Ground) -> Weighed:
    """Make ``boosting_weights``."""
    counts, seed = _level_counts(ground), ground.job.seed
    return _weigh(ground, "boosting", lambda settings: Boosting(counts, settings, seed), BOOSTING_GRID)


def _level_counts(ground: Ground) -> list[int]:
    return [len(comparison.levels) for comparison in ground.model.specification.comparisons]


def _weigh(ground: Ground, name: str, make: Make, grid: Mapping[str, Sequence[Any]]) -> Weighed:
    of = ground.labelled
    weight = (of.weight / of.weight.mean())[of.dose]
    fold, person = ground.fold[of.dose], of.person[of.dose]

    def taught(settings: Mapping[str, Any], used: Bools) -> Learner:
        return make(settings).fit(of.vectors.of(used), of.dose[used], of.is_match[used], weight[used])

    losses = []
    for settings in ParameterGrid(grid):
        total = 0.0
        for _, held in GroupKFold(SEARCH_FOLDS).split(person, groups=person):
            test = np.zeros(len(person), dtype=bool)
            test[held] = True
            guess = 1 / (1 + np.exp2(-taught(settings, ~test).bits(of.vectors.of(test), of.dose[test])))
            total += log_loss(
                of.is_match[test], guess, sample_weight=weight[test], normalize=False, labels=[False, True]
            )
        losses.append((settings, float(total / weight.sum())))
    chosen, _ = min(losses, key=lambda found: found[1])
    apart = np.zeros(len(weight))
    for each in np.unique(fold):
        inside = fold == each
        apart[inside] = taught(chosen, ~inside).bits(of.vectors.of(inside), of.dose[inside])
    _write(ground, taught(chosen, np.ones(len(weight), dtype=bool)), f"{name}_weights")
    return Weighed(apart, {"pairs": len(weight), "chosen": chosen, "losses": losses})


def _write(ground: Ground, learner: Learner, table: str) -> None:
    connection = ground.connection
    connection.execute(f"CREATE TABLE {table} (dose_key BIGINT, citizen_key BIGINT, match_weight DOUBLE)")
    for condition in ground.chunks():
        pairs = ground.of(condition)
        if len(pairs.dose_key):
            bits = learner.bits(pairs.vectors, pairs.dose_key)
            rows = {"dose_key": pairs.dose_key, "citizen_key": pairs.citizen_key, "match_weight": bits}
            connection.register("scored_rows", rows)
            connection.execute(f"INSERT INTO {table} FROM scored_rows")
            connection.unregister("scored_rows")
