"""Models as data: round trips, what is refused, and what the registry of a run changes."""

import copy
import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from models import (
    NEVER,
    Calibration,
    LevelParameters,
    Model,
    ModelError,
    Specification,
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
        *(
            replace(model, calibration={**model.calibration, stratum: Calibration(0.5)})
            for stratum in specification.stratum_names
        ),
        *(
            replace(model, thresholds=replace(model.thresholds, accept={**model.thresholds.accept, stratum: 0.91}))
            for stratum in specification.stratum_names
        ),
        replace(model, thresholds=replace(model.thresholds, review=0.11)),
        replace(model, evidence={"seed": 2}),
        replace(model, specification=replace(specification, blocking=specification.blocking[1:])),
        replace(model, specification=replace(specification, cautions=specification.cautions[1:])),
        replace(model, specification=replace(specification, strata=specification.strata[1:])),
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
        pytest.param(_set("schema_version", value=3), id="a later schema version"),
        pytest.param(_set("schema_version", value=0), id="an earlier schema version"),
        pytest.param(_set("schema_version", value=1), id="not of the version it says"),
        pytest.param(_set("schema_version", value="2"), id="the schema version is text"),
        pytest.param(_drop("schema_version"), id="no schema version"),
        pytest.param(_drop("thresholds"), id="no thresholds"),
        *(
            pytest.param(_drop(*path, stratum), id=f"no {path[-1]} of {stratum}")
            for path in (("calibration",), ("thresholds", "accept"))
            for stratum in ("no_number", "other", "caution")
        ),
        pytest.param(_set("calibration", "other", "tilt", value=1), id="unknown part of a calibration"),
        pytest.param(_set("calibration", value=[]), id="calibrations are a list"),
        pytest.param(_set("thresholds", "accept", value=0.97), id="one threshold for all strata"),
        pytest.param(_set("thresholds", "accept", value={}), id="no stratum has a threshold"),
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
        pytest.param(_set("thresholds", "accept", "other", value="high"), id="the threshold is text"),
        pytest.param(_set("calibration", "other", "slope", value=math.nan), id="the slope is not a number"),
        pytest.param(_set("calibration", "caution", "slope", value=-1), id="the slope is negative"),
        pytest.param(_set("specification", "comparison", 0, "level", value=[]), id="no levels"),
        pytest.param(_set("schema_version", value=True), id="the schema version is a truth"),
        pytest.param(_set("evidence", "note", value="\ud800"), id="half a character"),
        pytest.param(_set("evidence", "\udfff", value=1), id="half a character in a key"),
        pytest.param(_set("evidence", "note", value=math.inf), id="infinity in the evidence"),
        pytest.param(_set("evidence", "note", value=10**30), id="a huge integer"),
        pytest.param(_set("in_registry", value=10**400), id="an integer that is no float"),
        pytest.param(_set("parameters", "undeclared", value={}), id="parameters of no comparison"),
        pytest.param(_set("parameters", "sex", "undeclared", value=1), id="parameters that are a number"),
        pytest.param(_set("calibration", "undeclared", value={}), id="calibration of no stratum"),
        pytest.param(_set("thresholds", "accept", "undeclared", value=0.9), id="a threshold of no stratum"),
        *(
            pytest.param(_set(*LEVEL, name, value=value), id=f"{name} is {value!r}")
            for name in LevelParameters.__dataclass_fields__
            for value in ("many", "ab", -1e9, True, [], [1], ["0", "1"], {"a": 1}, [[0.1], [0.2]])
        ),
    ],
)
def test_a_broken_model_is_a_model_error(
    specification: Specification, random_model: Random, change: Callable[[dict[str, Any]], None]
) -> None:
    data = json.loads(random_model(specification, 1).to_json())
    Model.from_json(json.dumps(data))
    broken = copy.deepcopy(data)
    change(broken)
    with pytest.raises(ModelError) as raised:
        Model.from_json(json.dumps(broken))
    assert "Error" not in str(raised.value)


@pytest.mark.parametrize("text", ['{"a":' * 100_000, "[" * 100_000, '{"schema_version": ' + "9" * 10_000 + "}"])
def test_text_that_no_parser_takes_is_a_model_error(text: str) -> None:
    with pytest.raises(ModelError):
        Model.from_json(text)


def test_parameters_of_a_level_that_is_not_declared_are_refused(
    specification: Specification, random_model: Random
) -> None:
    data = json.loads(random_model(specification, 1).to_json())
    data["parameters"]["sex"]["undeclared"] = data["parameters"]["sex"]["same"]
    with pytest.raises(ModelError, match="'undeclared' is not declared"):
        Model.from_json(json.dumps(data))


PROBABILITY = ("in_registry",), (*LEVEL, "m"), (*LEVEL, "u")
REACH = ("parameters", "name", "identical", "reach"), (*LEVEL, "reach")
STRATA = ("no_number", "other", "caution")
NO_NUMBER = (math.nan, math.inf, -math.inf, "0.5", None, [0.5])


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *((path, value) for path in PROBABILITY for value in (*NO_NUMBER, 0, -0.5, 1.5)),
        *((("in_registry",), value) for value in (1, 1.0)),
        *((path, value) for path in REACH for value in (*NO_NUMBER, 0, -0.5, 1e-9, 1 + 1e-9)),
        (REACH[1], 0.999),
        *((("calibration", each, "slope"), value) for each in STRATA for value in (*NO_NUMBER, 0, -1.0)),
        *((("calibration", each, "intercept"), value) for each in STRATA for value in NO_NUMBER),
        *((("thresholds", "accept", each), value) for each in STRATA for value in (math.inf, 2)),
        *((("thresholds", "review"), value) for value in (*NO_NUMBER, -0.1, 0.9, 2)),
    ],
)
def test_a_number_without_sense_is_named(
    specification: Specification, random_model: Random, path: tuple[str, ...], value: object
) -> None:
    data = json.loads(random_model(specification, 1).to_json())
    at(data, *path[:-1])[path[-1]] = value
    match path:
        case "parameters", *level, part:
            named = f"{part} of {'.'.join(level)}"
        case "calibration", stratum, part:
            named = f"{part} of {stratum}"
        case "thresholds", "accept", stratum:
            named = f"accept threshold of {stratum}"
        case "thresholds", _:
            named = "review threshold"
        case _:
            named = ".".join(path)
    with pytest.raises(ModelError, match=f"{named} is "):
        Model.from_json(json.dumps(data))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("thresholds", "accept", "other"), NEVER),
        (("thresholds", "review"), 0.0),
        (("calibration", "no_number", "slope"), 1e-9),
        (("calibration", "caution", "intercept"), -1e3),
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
