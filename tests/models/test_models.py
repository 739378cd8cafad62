"""Models as data: round trips, what is refused, and what the registry of a run changes."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import (
    Calibration,
    Comparison,
    Level,
    LevelParameters,
    Model,
    ModelError,
    Registry,
    Specification,
    Thresholds,
    to_splink,
)

Random = Callable[..., Model]


def at(data: Any, *path: str | int) -> Any:
    for step in path:
        data = data[step]
    return data


@pytest.mark.parametrize("seed", range(5))
def test_a_model_survives_json_to_the_byte(specification: Specification, random_model: Random, seed: int) -> None:
    model = random_model(specification, seed)
    again = Model.from_json(model.to_json())
    assert again == model
    assert again.to_json() == model.to_json()
    assert again.digest == model.digest


def test_the_digest_changes_with_every_part(specification: Specification, random_model: Random) -> None:
    model = random_model(specification, 1)
    others = [
        replace(model, name="other"),
        replace(model, in_registry=math.nextafter(model.in_registry, 1)),
        replace(model, calibration=replace(model.calibration, slope=0.5)),
        replace(model, cautioned=replace(model.cautioned, slope=0.5)),
        replace(model, thresholds=replace(model.thresholds, accept=0.91)),
        replace(model, evidence={"seed": 2}),
        replace(model, specification=replace(specification, blocking=specification.blocking[1:])),
        replace(model, specification=replace(specification, cautions=specification.cautions[1:])),
        replace(model, parameters=random_model(specification, 2).parameters),
    ]
    assert len({model.digest, *(other.digest for other in others)}) == len(others) + 1


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", '"text"', "{}"])
def test_what_is_no_model_is_a_model_error(text: str) -> None:
    with pytest.raises(ModelError):
        Model.from_json(text)


def _set(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        at(data, *path[:-1])[path[-1]] = value

    return change


def _drop(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        del at(data, *path[:-1])[path[-1]]

    return change


LEVEL = ("parameters", "sex", "same")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_set("schema_version", value=2), id="another schema version"),
        pytest.param(_drop("schema_version"), id="no schema version"),
        pytest.param(_drop("thresholds"), id="no thresholds"),
        pytest.param(_drop("cautioned"), id="no calibration of cautioned doses"),
        pytest.param(_set("calibration", "tilt", value=1), id="unknown calibration"),
        pytest.param(_drop(*LEVEL), id="missing level"),
        pytest.param(_drop("parameters", "sex"), id="missing comparison"),
        pytest.param(_drop(*LEVEL, "u"), id="missing u"),
        pytest.param(_set(*LEVEL, "m", value=0), id="m is 0"),
        pytest.param(_set(*LEVEL, "u", value=0), id="u is 0"),
        pytest.param(_set(*LEVEL, "m", value=-0.5), id="m is negative"),
        pytest.param(_set(*LEVEL, "m", value="0.5"), id="m is text"),
        pytest.param(_set(*LEVEL, "m", value=math.nan), id="m is not a number"),
        pytest.param(_set(*LEVEL, "m", value=2), id="m is above 1"),
        pytest.param(_set("parameters", value=[]), id="parameters are a list"),
        pytest.param(_set("parameters", "sex", value=[]), id="levels are a list"),
        pytest.param(_set("in_registry", value=0), id="nobody is in the registry"),
        pytest.param(_set("in_registry", value=1), id="the prior of none is 0"),
        pytest.param(_set("in_registry", value="a"), id="the prior is text"),
        pytest.param(_set("thresholds", "accept", value="high"), id="the threshold is text"),
        pytest.param(_set("calibration", "slope", value=math.nan), id="the slope is not a number"),
        pytest.param(_set("calibration", "slope", value=-1), id="the slope is negative"),
        pytest.param(_set("specification", "comparison", 0, "level", value=[]), id="no levels"),
    ],
)
def test_a_broken_model_is_a_model_error(
    specification: Specification, random_model: Random, change: Callable[[dict[str, Any]], None]
) -> None:
    data = json.loads(random_model(specification, 1).to_json())
    Model.from_json(json.dumps(data))
    broken = copy.deepcopy(data)
    change(broken)
    with pytest.raises(ModelError):
        Model.from_json(json.dumps(broken))


PROBABILITY = ("in_registry",), (*LEVEL, "m"), (*LEVEL, "u")
REACH = ("parameters", "name", "identical", "reach"), (*LEVEL, "reach")
CALIBRATIONS = ("calibration", "cautioned")
NO_NUMBER = (math.nan, math.inf, -math.inf, "0.5", None, [0.5])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((path, value) for path in PROBABILITY for value in (*NO_NUMBER, 0, -0.5, 1.5)),
        *((("in_registry",), value) for value in (1, 1.0)),
        *((path, value) for path in REACH for value in (*NO_NUMBER, 0, -0.5, 1e-9, 1 + 1e-9)),
        (REACH[1], 0.999),
        *(((which, "slope"), value) for which in CALIBRATIONS for value in (*NO_NUMBER, 0, -1.0)),
        *(((which, "intercept"), value) for which in CALIBRATIONS for value in NO_NUMBER),
        *((("thresholds", name), value) for name in ("accept", "review") for value in (*NO_NUMBER, -0.1, 2)),
    ],
)
def test_a_number_without_sense_is_named(
    specification: Specification, random_model: Random, path: tuple[str, ...], value: object
) -> None:
    data = json.loads(random_model(specification, 1).to_json())
    at(data, *path[:-1])[path[-1]] = value
    named = {"parameters": f"{path[-1]} of {'.'.join(path[1:-1])}", "thresholds": f"threshold {path[-1]}"}.get(
        path[0], ".".join(path)
    )
    with pytest.raises(ModelError, match=f"{named} is "):
        Model.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("thresholds", "accept"), math.nextafter(1, 2)),
        (("thresholds", "review"), 0.0),
        (("calibration", "slope"), 1e-9),
        (("calibration", "intercept"), -1e3),
        (("in_registry",), 1e-9),
        ((*LEVEL, "m"), 1e-300),
    ],
)
def test_a_number_at_the_edge_of_sense_is_read(
    specification: Specification, random_model: Random, path: tuple[str, ...], value: float
) -> None:
    data = json.loads(random_model(specification, 1).to_json())
    at(data, *path[:-1])[path[-1]] = value
    assert at(json.loads(Model.from_json(json.dumps(data)).to_json()), *path) == value


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
    return Model("moving", specification, {"place": parameters}, 0.9, Calibration(), Thresholds(0.9, 0.1))


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
