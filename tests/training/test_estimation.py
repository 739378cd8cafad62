"""m and u: known ones are found again, biased samples are weighed right, and no level is impossible or certain."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models import Calibration, Comparison, Level, LevelParameters, Model, Specification, Thresholds
from training.estimation import estimate

CITIZENS = 1_000_000
COMPARISON = Comparison(
    "name",
    "name_l IS NULL",
    (Level("same", "a"), Level("near", "b"), Level("far", "c"), Level("other")),
    {},
)
M, U = np.array([0.85, 0.1, 0.03, 0.02]), np.array([0.01, 0.04, 0.15, 0.8])


def draw(generator: np.random.Generator, of: NDArray[np.float64], size: int, missing: float = 0.0) -> NDArray[np.uint8]:
    levels = generator.choice(len(of), size, p=of) + 1
    return np.where(generator.random(size) < missing, 0, levels).astype(np.uint8)


def learn(
    levels: NDArray[np.uint8],
    is_match: NDArray[np.bool_],
    weights: NDArray[np.float64],
    strangers: NDArray[np.uint8],
    *,
    comparison: Comparison = COMPARISON,
    hard_negatives: float = 0.0,
    citizens: int = CITIZENS,
    same_value: float = 0.3,
) -> dict[str, LevelParameters]:
    return estimate(
        comparison,
        levels,
        is_match,
        weights,
        strangers,
        same_value={"value": same_value},
        hard_negatives=hard_negatives,
        citizens=citizens,
    )


def shares(found: dict[str, LevelParameters], name: str) -> NDArray[np.float64]:
    return np.array([getattr(found[level.name], name) for level in COMPARISON.levels])


@pytest.mark.parametrize("seed", range(3))
def test_known_m_and_u_are_found_again_missing_pairs_left_out(seed: int) -> None:
    generator = np.random.default_rng(seed)
    is_match = np.arange(40_000) < 20_000
    levels = np.concatenate([draw(generator, part, 20_000, 0.4) for part in (M, U[::-1])])
    found = learn(levels, is_match, np.ones(40_000), draw(generator, U, 200_000, 0.4))
    np.testing.assert_allclose(shares(found, "m"), M, atol=0.012)
    np.testing.assert_allclose(shares(found, "u"), U, atol=0.004)


@pytest.mark.parametrize("seed", range(3))
def test_a_biased_sample_with_its_weights_is_as_good_as_an_unbiased_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    levels = draw(generator, M, 60_000)
    sampled = np.array([0.05, 0.5, 1.0, 1.0])[levels - 1]
    taken = generator.random(60_000) < sampled
    levels, weights = levels[taken], 1 / sampled[taken]
    matches = np.ones(len(levels), dtype=bool)
    strangers = draw(generator, U, 1000)
    weighed = shares(learn(levels, matches, weights, strangers), "m")
    unweighed = shares(learn(levels, matches, np.ones(len(levels)), strangers), "m")
    np.testing.assert_allclose(weighed, M, atol=0.01)
    assert abs(unweighed - M).max() > 0.2


def test_only_the_ratio_of_weights_counts() -> None:
    generator = np.random.default_rng(5)
    levels, is_match = draw(generator, M, 300), generator.random(300) < 0.5
    weights, strangers = generator.uniform(1, 9, 300), draw(generator, U, 100)
    here, there = (learn(levels, is_match, weights * by, strangers) for by in (1, 1000))
    np.testing.assert_allclose(shares(here, "m"), shares(there, "m"), rtol=1e-12)
    np.testing.assert_allclose(shares(here, "u"), shares(there, "u"), rtol=1e-12)


def test_u_mixes_hard_negatives_and_strangers_by_their_number() -> None:
    levels = np.array([1] * 5000 + [4] * 5000, dtype=np.uint8)
    is_match = np.arange(10_000) >= 5000
    strangers = np.full(5000, 4, dtype=np.uint8)
    found = learn(levels, is_match, np.ones(10_000), strangers, hard_negatives=5.0, citizens=100)
    np.testing.assert_allclose(shares(found, "u"), [0.05, 0, 0, 0.95], atol=1e-3)


def test_frequency_and_unique_levels_take_u_from_the_registry() -> None:
    comparison = Comparison(
        "id", "m", (Level("same", "a", unique=True), Level("value", "b", frequency="value"), Level("other")), {}
    )
    found = learn(
        np.array([1, 2, 3], dtype=np.uint8),
        np.array([True, True, False]),
        np.ones(3),
        np.array([3, 3, 1], dtype=np.uint8),
        comparison=comparison,
        citizens=5000,
        same_value=0.0123,
    )
    assert found["same"].u == 1 / 5000
    assert found["value"].u == 0.0123


LEVELS = st.lists(st.integers(0, 4), min_size=1, max_size=40)


@given(LEVELS, st.data(), LEVELS, st.floats(0, 1e6), st.integers(2, 10**8))
@settings(max_examples=40, deadline=None)
def test_no_level_is_impossible_or_certain(
    levels: list[int], data: st.DataObject, strangers: list[int], hard_negatives: float, citizens: int
) -> None:
    size = len(levels)
    found = learn(
        np.array(levels, dtype=np.uint8),
        np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))),
        np.array(data.draw(st.lists(st.floats(0.1, 1e4), min_size=size, max_size=size))),
        np.array(strangers, dtype=np.uint8),
        hard_negatives=hard_negatives,
        citizens=citizens,
    )
    for name in ("m", "u"):
        values = shares(found, name)
        assert ((values > 0) & (values < 1)).all()
        assert values.sum() == pytest.approx(1)


@given(
    st.sampled_from((0.0, 1e-12, 0.3, 1 - 2**-53, 1.0)),
    st.sampled_from((1, 2, 5000, 10**8)),
    st.lists(st.integers(0, 3), min_size=1, max_size=20),
)
@settings(max_examples=30, deadline=None)
def test_what_is_learned_can_be_read_again_even_where_all_citizens_agree(
    same_value: float, citizens: int, levels: list[int]
) -> None:
    comparison = Comparison(
        "place", "m", (Level("own", "a", unique=True), Level("province", "b", frequency="value"), Level("other")), {}
    )
    found = learn(
        np.array(levels, dtype=np.uint8),
        np.arange(len(levels)) % 2 == 0,
        np.ones(len(levels)),
        np.array(levels, dtype=np.uint8),
        comparison=comparison,
        citizens=citizens,
        same_value=same_value,
    )
    specification = Specification("one", {}, (), (comparison,))
    model = Model("one", specification, {"place": found}, 0.9, Calibration(), Thresholds(0.9, 0.1))
    assert Model.from_json(model.to_json()) == model
