"""The Fellegi–Sunter model as a scikit-learn classifier over comparison vectors: ``linkage train``'s m and u."""

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from models import Comparison, Level, LevelParameters
from training.estimation import PSEUDO_COUNT, estimate
from training.shares import count_levels


class FellegiSunterClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Match or non-match of pairs, from the levels that their comparisons are on (Fellegi & Sunter 1969).

    The sum of log2(m / u) over the comparisons, and the prior, are the match weight in bits. m and u are those of
    ``estimate``, u of the labelled non-matches alone: where ``linkage train`` has random pairs and the frequencies of a
    registry, this has not. Each pair is judged by itself, not against the other candidates of its dose.

    X is a matrix of shape (pairs, comparisons) of codes of levels, 0 for missing; a code is a name and no quantity. A
    code that was not there in ``fit`` is no evidence, as missing is not. The larger class of y is the match.

    Args:
        pseudo_count: pairs that the Dirichlet prior of a comparison's levels is worth.
        match_share: prior probability of a match; None: the weighted share of matches in y.

    Attributes:
        classes_: non-match, match.
        n_features_in_: number of comparisons.
        match_share_: the prior probability that is used.
        categories_: of each comparison the codes seen, in ascending order.
        parameters_: of each comparison what was learned of these codes, with intervals.
        m_, u_: of each comparison the probabilities of these codes.
    """

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's own name and form
        "pseudo_count": [Interval(Real, 0, None, closed="neither")],
        "match_share": [None, Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(self, *, pseudo_count: float = PSEUDO_COUNT, match_share: float | None = None) -> None:
        self.pseudo_count = pseudo_count
        self.match_share = match_share

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Learn m and u; ``sample_weight`` is 1 ÷ the probability with which the pair was sampled, 0 leaves it out.

        Raises:
            ValueError: y has not two classes, or X, y or weights cannot be used.
        """
        self._validate_params()
        codes, labels = validate_data(self, X, y)
        check_classification_targets(labels)
        self.classes_, is_match = np.unique(labels, return_inverse=True)
        weights = _check_sample_weight(sample_weight, codes, dtype=np.float64, ensure_non_negative=True)
        kept = weights > 0
        codes, is_match, weights = codes[kept], is_match[kept] == 1, weights[kept]
        if len(self.classes_) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is multiclass: it has"
                f" {len(self.classes_)} classes."
            )
        if is_match.all() or not is_match.any():
            raise ValueError("Classifier can't train when only one class is present.")
        share = float(weights[is_match].sum() / weights.sum()) if self.match_share is None else self.match_share
        self.match_share_ = float(share)
        self.categories_ = [np.unique(column[column != 0]) for column in codes.T]
        self.parameters_ = [
            _learn(places, len(found), is_match, weights, float(self.pseudo_count))
            for found, places in zip(self.categories_, self._places(codes), strict=True)
        ]
        self.m_ = [np.array([level.m for level in levels]) for levels in self.parameters_]
        self.u_ = [np.array([level.u for level in levels]) for levels in self.parameters_]
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Match weight of each pair in bits, prior included: shape (pairs,)."""
        check_is_fitted(self)
        codes = validate_data(self, X, reset=False)
        bits = np.full(len(codes), np.log2(self.match_share_ / (1 - self.match_share_)))
        for m, u, places in zip(self.m_, self.u_, self._places(codes), strict=True):
            bits += np.concatenate([[0.0], np.log2(m / u)])[places]
        return bits

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """Probability of non-match and of match: shape (pairs, 2)."""
        match = expit(self.decision_function(X) * np.log(2))
        return np.column_stack([1 - match, match])

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """The likelier class of each pair: shape (pairs,)."""
        check_is_fitted(self)
        likelier: NDArray[Any] = self.classes_[(self.decision_function(X) > 0).astype(int)]
        return likelier

    def _places(self, codes: NDArray[Any]) -> list[NDArray[np.int64]]:
        """Of each comparison, the place of each pair's code among the categories from 1, 0 for none."""
        places = []
        for found, column in zip(self.categories_, codes.T, strict=True):
            place = np.searchsorted(found, column)
            known = np.append(found, np.nan)[place] == column
            places.append(np.where(known, place + 1, 0))
        return places

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.categorical = True
        return tags


def _learn(
    places: NDArray[np.int64],
    levels: int,
    is_match: NDArray[np.bool_],
    weights: NDArray[np.float64],
    pseudo_count: float,
) -> list[LevelParameters]:
    if levels == 0:
        return []
    learned = estimate(
        Comparison("comparison", "", tuple(Level(str(place)) for place in range(levels)), {}),
        places,
        is_match,
        weights,
        count_levels(places[:0], levels),
        absent=np.zeros(len(places), dtype=bool),
        same_value={},
        reach={},
        # whoever is not the match is a labelled non-match
        hard_negatives=1.0,
        citizens=1,
        pseudo_count=pseudo_count,
    )
    return list(learned.values())
