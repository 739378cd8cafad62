"""From labelled pairs and the candidates of their doses to a model, and to what its thresholds rest on."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import fsum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linkage.deciding import WEAKEST
from models import CAUTION, Model, Registry, Specification, Thresholds
from training.calibration import Scored, calibrate_strata, cross_fitted, folds
from training.dependence import Dependence, measure_dependence
from training.estimation import estimate
from training.semi_supervised import refine
from training.shares import Seen, Share
from training.thresholds import Chosen, Outcomes, choose_thresholds
from training.vectors import Bools, Candidates, Ints, Vectors, match_weights, strata

FOLDS = 5


@dataclass(frozen=True, slots=True)
class Tolerances:
    """Errors that are tolerated, as shares.

    Attributes:
        false_links: false links among accepts.
        missed_links: doses whose citizen is in the registry, among no-match.
        false_links_of_a_stratum: as ``false_links``, in any stratum; None for `training.thresholds.OF_A_STRATUM` times
            as many.
    """

    false_links: float = 1 / 2500
    missed_links: float = 0.02
    false_links_of_a_stratum: float | None = None


@dataclass(frozen=True, slots=True)
class Learned:
    """A calibrated model, what became of every labelled dose out of its own fold, and the thresholds chosen on that."""

    model: Model
    outcomes: Outcomes
    chosen: Chosen


@dataclass(frozen=True, slots=True)
class LabelledPairs:
    """Labelled and random pairs with their levels: what m, u and dependence are learned from.

    Attributes:
        specification: what is compared.
        registry: the citizens.
        labelled: columns ``dose_key``, ``citizen_key``, ``is_match``, ``weight`` (1 ÷ sampling probability of the
            dose) and ``person``, each of shape (labelled pairs,).
        levels: comparison → level of each labelled pair, 0 for missing.
        random_levels: comparison → level of each random pair.
        strangers: comparison → the same, counted.
        same_value: Σp² by frequency column.
        reach: comparison → level with a frequency → its reach, as `training.estimation.reaches` finds it.
    """

    specification: Specification
    registry: Registry
    labelled: Mapping[str, NDArray[Any]]
    levels: Mapping[str, NDArray[np.uint8]]
    random_levels: Mapping[str, NDArray[np.uint8]]
    strangers: Mapping[str, Seen]
    same_value: Mapping[str, float]
    reach: Mapping[str, Mapping[str, Share]]

    def model(self, used: Bools) -> Model:
        """An uncalibrated model from some of the labelled pairs: shape (labelled pairs,)."""
        is_match, weight, hard_negatives = self._of(used)
        dose = self.labelled["dose_key"][used]
        absent = ~np.isin(dose, dose[is_match])
        parameters = {
            comparison.name: estimate(
                comparison,
                self.levels[comparison.name][used],
                is_match,
                weight,
                self.strangers[comparison.name],
                absent=absent,
                same_value=self.same_value,
                reach=self.reach.get(comparison.name, {}),
                hard_negatives=hard_negatives,
                citizens=self.registry.citizens,
                persons=self.labelled["person"][used],
            )
            for comparison in self.specification.comparisons
            if not comparison.is_interaction
        }
        return Model(
            name=self.specification.name,
            specification=self.specification,
            parameters=parameters,
            in_registry=0.5,
            calibration={},
            thresholds=Thresholds(accept={}, review=0.0),
        )

    def dependence(self, model: Model) -> Dependence:
        """How far the comparisons of the model are from independent."""
        is_match, weight, hard_negatives = self._of(np.ones(len(self.labelled["weight"]), dtype=bool))
        return measure_dependence(
            model,
            self.levels,
            is_match,
            weight,
            registry=self.registry,
            random_levels=self.random_levels,
            hard_negatives=hard_negatives,
        )

    def _of(self, used: Bools) -> tuple[Bools, NDArray[np.float64], float]:
        is_match, weight = self.labelled["is_match"][used], self.labelled["weight"][used]
        _, first = np.unique(self.labelled["dose_key"][used], return_index=True)
        # exact sums: the order of the rows is that of the files
        hard_negatives = fsum(weight[~is_match]) / fsum(weight[first]) if len(first) else 0.0
        return is_match, weight, hard_negatives


def learn(
    pairs: LabelledPairs,
    candidates: Candidates,
    dose_keys: Ints,
    tolerances: Tolerances,
    seed: int,
    *,
    unlabelled: tuple[Vectors, Ints] | None = None,
) -> Learned:
    """A model of all labels, with thresholds proven by cross-fitting.

    Doses are in ``FOLDS`` folds by person. Each is weighed by parameters, and its probabilities are calibrated, that
    the labels of other folds gave; but for reach, which says nothing of matches.

    Args:
        pairs: labelled and random pairs.
        candidates: of the labelled doses.
        dose_keys: key of each of them, ascending, shape (doses,).
        tolerances: errors that are tolerated.
        seed: of the folds.
        unlabelled: candidates of doses without a label, and the number of each one's dose: m is learned of them too.
    """
    specification, registry = pairs.specification, pairs.registry
    names = specification.stratum_names
    found = np.zeros(len(candidates.weight), dtype=bool)
    found[candidates.dose[candidates.is_match]] = True
    in_registry = round((fsum(candidates.weight[found]) + 0.5) / (fsum(candidates.weight) + 1), 9)
    fold = folds(candidates.person, FOLDS, seed)
    of_pair = fold[np.searchsorted(dose_keys, pairs.labelled["dose_key"])]
    weights = np.zeros(len(candidates.dose))

    def taught(used: Bools) -> Model:
        model = replace(pairs.model(used), in_registry=in_registry)
        return replace(model, parameters=refine(model, registry, *unlabelled)) if unlabelled else model

    for each in range(FOLDS):
        other = taught(of_pair != each)
        inside = fold[candidates.dose] == each
        weights[inside] = match_weights(other, registry, candidates.vectors.of(inside))
    # a run does not keep what weighs less
    kept = weights > WEAKEST
    candidates, weights = candidates.keep(kept), weights[kept]
    stratum = strata(specification, candidates.vectors, candidates.dose, weights, len(candidates.weight))
    scored = Scored(candidates, weights, stratum)
    outcomes = cross_fitted(scored, names, fold, in_registry)
    chosen = choose_thresholds(
        outcomes,
        names,
        CAUTION,
        max_false_link_rate=tolerances.false_links,
        max_missed_link_rate=tolerances.missed_links,
        max_false_link_rate_of_a_stratum=tolerances.false_links_of_a_stratum,
    )
    model = replace(
        taught(np.ones(len(of_pair), dtype=bool)),
        calibration=calibrate_strata(scored, names, in_registry),
        thresholds=chosen.thresholds,
    )
    return Learned(model, outcomes, chosen)
