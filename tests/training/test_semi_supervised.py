"""Doses that nobody labelled help where labels are few, and never undo what labels say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models import BlockingRule, Comparison, Level, LevelParameters, Model, Registry, Specification, Thresholds
from training.estimation import estimate
from training.semi_supervised import refine
from training.shares import count_levels
from training.vectors import Vectors

CITIZENS = 20_000
IN_REGISTRY = 0.9
REGISTRY = Registry(CITIZENS, {}, {})
# shares of matches and of strangers that block together with them
LEVELS = {
    "name": ([0.9, 0.07, 0.02, 0.01], [0.001, 0.009, 0.09, 0.9]),
    "date": ([0.93, 0.04, 0.02, 0.01], [0.0001, 0.0099, 0.09, 0.9]),
    "place": ([0.7, 0.2, 0.08, 0.02], [0.01, 0.04, 0.15, 0.8]),
    "phone": ([0.8, 0.02, 0.03, 0.15], [0.0005, 0.0095, 0.09, 0.9]),
}
SPECIFICATION = Specification(
    "drawn",
    {},
    (BlockingRule("name", ("name",)),),
    tuple(Comparison(name, "", tuple(Level(f"level_{n}") for n in range(4)), {}) for name in LEVELS),
)
Shares = dict[str, NDArray[np.float64]]
TRUE: Shares = {name: np.array(m) for name, (m, _) in LEVELS.items()}


def draw(generator: np.random.Generator, of: Shares, size: int) -> NDArray[np.uint8]:
    columns = [generator.choice(4, size, p=shares) + 1 for shares in of.values()]
    return np.where(generator.random((size, 4)) < 0.1, 0, np.column_stack(columns)).astype(np.uint8)


def learn(seed: int, matches: int) -> Model:
    """A model from so many labelled matches drawn with ``TRUE``."""
    generator = np.random.default_rng(seed)
    u = {name: np.array(shares) for name, (_, shares) in LEVELS.items()}
    levels, strangers = draw(generator, TRUE, matches), draw(generator, u, 50_000)
    parameters = {
        comparison.name: estimate(
            comparison,
            levels[:, place],
            np.ones(matches, dtype=bool),
            np.ones(matches),
            count_levels(strangers[:, place], 4),
            absent=np.zeros(matches, dtype=bool),
            same_value={},
            reach={},
            hard_negatives=0.0,
            citizens=CITIZENS,
        )
        for place, comparison in enumerate(SPECIFICATION.comparisons)
    }
    return Model("drawn", SPECIFICATION, parameters, IN_REGISTRY, {}, Thresholds({}, 0.0))


@dataclass(frozen=True)
class Unlabelled:
    vectors: Vectors
    dose: NDArray[np.int64]

    def refine(self, model: Model, unlabelled: float = 0.1) -> Mapping[str, Mapping[str, LevelParameters]]:
        return refine(model, REGISTRY, self.vectors, self.dose, unlabelled=unlabelled)


def candidates(seed: int, doses: int, of: Shares = TRUE, *, blocked: bool = False) -> Unlabelled:
    """Each dose's citizen, if in the registry, and five strangers; ``blocked``: only those that agree on the name."""
    generator = np.random.default_rng(seed)
    u = {name: np.array(shares) for name, (_, shares) in LEVELS.items()}
    own = np.flatnonzero(generator.random(doses) < IN_REGISTRY)
    levels = np.concatenate([draw(generator, of, len(own)), draw(generator, u, 5 * doses)])
    dose = np.concatenate([own, np.repeat(np.arange(doses), 5)])
    if blocked:
        levels, dose = levels[levels[:, 0] == 1], dose[levels[:, 0] == 1]
    order = np.argsort(dose, kind="stable")
    _, dose = np.unique(dose[order], return_inverse=True)
    return Unlabelled(Vectors(levels[order], np.full(levels.shape, np.nan)), dose.astype(np.int64))


def m_of(parameters: Mapping[str, Mapping[str, LevelParameters]]) -> NDArray[np.float64]:
    return np.array([[level.m for level in levels.values()] for levels in parameters.values()])


def error(parameters: Mapping[str, Mapping[str, LevelParameters]]) -> float:
    """Mean absolute error of log2 m, in bits."""
    return float(abs(np.log2(m_of(parameters)) - np.log2(list(TRUE.values()))).mean())


def test_where_labels_are_few_doses_without_a_label_make_m_better() -> None:
    models = [learn(seed, 300) for seed in range(8)]
    labels = [error(model.parameters) for model in models]
    refined = [error(candidates(seed + 100, 5000).refine(model)) for seed, model in enumerate(models)]
    assert np.mean(refined) < 0.6 * np.mean(labels)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("unlabelled", [0.1, 1.0, 1e6])
def test_labels_are_never_undone(seed: int, unlabelled: float) -> None:
    """The unlabelled are of another kind altogether: most disagree on place, none on phone."""
    model = learn(seed, 300)
    others = TRUE | {"place": np.array([0.1, 0.1, 0.1, 0.7]), "phone": np.array([0.997, 0.001, 0.001, 0.001])}
    refined = candidates(seed, 3000, others).refine(model, unlabelled)
    for comparison, levels in refined.items():
        for name, level in levels.items():
            given = model.parameters[comparison][name]
            assert given.m_interval is not None
            low, high = given.m_interval
            assert low <= level.m <= high
            assert level == replace(given, m=level.m)
    assert m_of(refined).sum(axis=1) == pytest.approx(1)
    moved = m_of(refined) - m_of(model.parameters)
    assert moved[2, 0] < 0 < moved[2, 3]
    assert moved[3, 3] < 0 < moved[3, 0]


def test_blocking_makes_agreement_look_better_than_it_is_and_the_labels_limit_that() -> None:
    model = learn(1, 300)
    low, high = np.array([[level.m_interval for level in levels.values()] for levels in model.parameters.values()]).T
    refined = m_of(candidates(1, 5000, blocked=True).refine(model, unlabelled=1.0))
    # no candidate disagrees on the name: m would go to 1 on its first level, and to 0 on the others
    assert refined[0, 0] == pytest.approx(high[0, 0], rel=0.02)
    assert (refined[0, 1:] >= low[1:, 0]).all()
    free = {
        comparison: {name: replace(level, m_interval=(0.0, 1.0)) for name, level in levels.items()}
        for comparison, levels in model.parameters.items()
    }
    unbound = candidates(1, 5000, blocked=True).refine(replace(model, parameters=free), unlabelled=1.0)
    assert m_of(unbound)[0, 0] > 0.99
    assert error(unbound) > error(candidates(1, 5000, blocked=True).refine(model, unlabelled=1.0)) + 0.5


def test_the_same_candidates_give_the_same_model_and_none_give_the_labels_alone() -> None:
    model, doses = learn(2, 2000), candidates(2, 3000)
    assert doses.refine(model) == doses.refine(model)
    nothing = Unlabelled(doses.vectors.of(doses.dose < 0), doses.dose[:0])
    assert nothing.refine(model) == model.parameters


def test_the_more_an_unlabelled_dose_counts_the_more_it_moves() -> None:
    model, doses = learn(2, 2000), candidates(2, 3000)
    moved = [abs(np.log2(m_of(doses.refine(model, share)) / m_of(model.parameters))).max() for share in (1e-6, 0.01, 1)]
    assert moved[0] < 1e-3
    assert moved[0] < moved[1] < moved[2]


def test_m_never_exceeds_its_reach() -> None:
    model = learn(3, 300)
    name = {
        level: replace(learned, reach=learned.m if level == "level_1" else 1.0)
        for level, learned in model.parameters["name"].items()
    }
    model = replace(model, parameters={**model.parameters, "name": name})
    more = candidates(3, 3000, TRUE | {"name": np.array([0.5, 0.4, 0.05, 0.05])})
    assert more.refine(model, 10.0)["name"]["level_1"].m <= name["level_1"].reach
