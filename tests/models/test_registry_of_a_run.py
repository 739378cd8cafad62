"""What the registry of a run changes in a model's m and u."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import Comparison, Level, LevelParameters, Model, Registry, Specification, Thresholds, to_splink

Random = Callable[..., Model]

RATIOS = st.floats(1e-6, 1e9)
SIZES = st.integers(2, 100_000_000)


def registry_of(
    specification: Specification, citizens: int, ratio: float, without_last: float | None = None
) -> Registry:
    ratios: dict[str, dict[str, float]] = {}
    others: dict[str, dict[str, float]] = {}
    for comparison, level in specification.interactions:
        ratios.setdefault(comparison, {})[level.name] = ratio
        if level.mistaken:
            others.setdefault(comparison, {})[level.name] = ratio if without_last is None else without_last
    return Registry(citizens, ratios, others)


@given(size=SIZES, other=SIZES)
@settings(max_examples=20, deadline=None)
def test_the_size_of_the_registry_changes_unique_levels_alone(
    specification: Specification, random_model: Random, size: int, other: int
) -> None:
    model = random_model(specification, 3)
    here, there = (registry_of(specification, citizens, 2.0) for citizens in (size, other))
    for comparison in specification.comparisons:
        for level in comparison.levels:
            m, u = model.m_u(comparison, level, here)
            m_there, u_there = model.m_u(comparison, level, there)
            assert m == m_there <= 1
            assert u / u_there == pytest.approx(other / size if level.unique else 1)
            if level.unique:
                assert u == 1 / size


@given(size=SIZES)
@settings(max_examples=20, deadline=None)
def test_the_prior_is_the_odds_of_one_citizen_drawn_at_random(
    specification: Specification, random_model: Random, size: int
) -> None:
    model = random_model(specification, 3)
    probability = model.in_registry / size
    assert 2 ** model.prior_bits(size) == pytest.approx(probability / (1 - probability))
    assert to_splink(model, registry_of(specification, size, 1))[
        "probability_two_random_records_match"
    ] == pytest.approx(probability)


@given(ratio=RATIOS)
@settings(max_examples=30, deadline=None)
def test_an_interaction_weighs_minus_the_bits_of_its_ratio(
    specification: Specification, random_model: Random, ratio: float
) -> None:
    model = random_model(specification, 3)
    registry = registry_of(specification, 1000, ratio)
    for comparison in specification.comparisons:
        for level in comparison.levels if comparison.is_interaction else ():
            m, u = model.m_u(comparison, level, registry)
            assert 0 < m < 1
            assert 0 < u < 1
            expected = ratio if level.together else 1.0
            if level.slip:
                right, slipped = (model.parameters[c][name] for c, name in (each.split(".") for each in level.slip))
                expected = 1 + (ratio - 1) * min(1.0, slipped.m / right.m * right.u / slipped.u)
            assert m / u == pytest.approx(1 / expected)


@given(st.floats(1e-6, 1))
@settings(max_examples=30, deadline=None)
def test_reach_takes_no_evidence_from_an_agreeing_value(
    specification: Specification, random_model: Random, frequency: float
) -> None:
    model = random_model(specification, 3)
    registry = registry_of(specification, 1000, 2.0)
    for comparison in specification.comparisons:
        for level in comparison.levels:
            if level.frequency:
                learned = model.parameters[comparison.name][level.name]
                m, u = model.m_u(comparison, level, registry)
                assert m / u == pytest.approx(learned.m / learned.u)
                # among all pairs of dose and citizen with that value, as among those on the level alone
                assert m / frequency == pytest.approx(learned.m / (frequency * learned.reach))
                assert learned.m <= m <= 1


def mover(kind: float, strangers: float, wrong: float) -> Model:
    """A share ``kind`` of all people move; ``wrong`` of their own doses disagree, and ``strangers`` of others'."""
    place = Comparison(
        "place",
        "false",
        (
            Level("same", "place_l = place_r", frequency="place"),
            Level("other_of_movers", "moves_l"),
            Level("other"),
        ),
        {},
    )
    beside = Level("namesake", "true", together=("name", "born", "place"), mistaken="place.other_of_movers")
    coincidence = Comparison("coincidence", "false", (beside, Level("none")), {})
    stay = (1 - kind) * 0.01
    parameters = {
        "same": LevelParameters(1 - kind * wrong - stay, 1 - strangers, 1.0, 1.0),
        "other_of_movers": LevelParameters(kind * wrong, kind * strangers, 1.0, 1.0),
        "other": LevelParameters(stay, (1 - kind) * strangers, 1.0, 1.0),
    }
    specification = Specification("moving", {}, (), (place, coincidence))
    return Model("moving", specification, {"place": parameters}, 0.9, {}, Thresholds({}, 0.1))


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0.01, 0.9), RATIOS, RATIOS)
@settings(max_examples=40, deadline=None)
def test_a_mistaken_interaction_mixes_its_two_ratios_by_how_often_those_people_are_wrong(
    kind: float, strangers: float, wrong: float, ratio: float, without_last: float
) -> None:
    model = mover(kind, strangers, wrong)
    _, comparison = model.specification.comparisons
    registry = registry_of(model.specification, 1000, ratio, without_last)
    m, u = model.m_u(comparison, comparison.levels[0], registry)
    assert u / m == pytest.approx((1 - wrong) * ratio + wrong * without_last)


def test_people_who_disagree_more_often_than_strangers_are_always_wrong() -> None:
    model = mover(0.2, 0.1, 0.9)
    _, comparison = model.specification.comparisons
    learned = dict(model.parameters["place"])
    often = replace(model, parameters={"place": learned | {"other_of_movers": LevelParameters(0.9, 0.1, 1.0, 1.0)}})
    m, u = often.m_u(comparison, comparison.levels[0], registry_of(model.specification, 1000, 64.0, 4.0))
    assert u / m == pytest.approx(4.0)
