"""Models of an earlier schema are read and decide as they did; what is written is of the schema of today."""

import json
from collections.abc import Callable
from typing import Any

import duckdb
import pytest

from linkage.deciding import compile_deciding
from linkage.scoring import level_column
from models import CAUTION, NEVER, OTHER, Calibration, Model, ModelError, Specification

CLEAR, CAUTIONED = {"slope": 0.75, "intercept": 0.55}, {"slope": 0.4, "intercept": -2.0}
ACCEPT, REVIEW = 0.975, 0.3


@pytest.fixture
def schema_1(specification: Specification, random_model: Callable[..., Model]) -> dict[str, Any]:
    """A model as version 1 wrote it: one accept threshold, a calibration of doses with a caution and one of others."""
    data: dict[str, Any] = json.loads(random_model(specification, 1).to_json())
    del data["specification"]["stratum"]
    kept = "m", "u", "positives", "negatives", "reach"
    return {
        **data,
        "schema_version": 1,
        "parameters": {
            comparison: {level: {name: learned[name] for name in kept} for level, learned in levels.items()}
            for comparison, levels in data["parameters"].items()
        },
        "calibration": CLEAR,
        "cautioned": CAUTIONED,
        "thresholds": {"accept": ACCEPT, "review": REVIEW},
        "evidence": {"seed": 1, "thresholds": {"accepted": 10, "false_links": 0}},
    }


def test_a_model_of_schema_1_is_read_and_written_as_one_of_today(schema_1: dict[str, Any]) -> None:
    model = Model.from_json(json.dumps(schema_1))
    assert model.specification.stratum_names == (OTHER, CAUTION)
    assert model.calibration == {OTHER: Calibration(**CLEAR), CAUTION: Calibration(**CAUTIONED)}
    assert model.thresholds.accept == {OTHER: ACCEPT, CAUTION: NEVER}
    assert model.thresholds.review == REVIEW
    assert model.evidence == schema_1["evidence"]
    assert json.loads(model.to_json())["schema_version"] == 2
    assert Model.from_json(model.to_json()) == model


@pytest.mark.parametrize("cautioned", [False, True])
def test_a_model_of_schema_1_decides_as_it_did(schema_1: dict[str, Any], cautioned: bool) -> None:
    only = next(each for each in schema_1["specification"]["caution"] if not each.get("another"))
    schema_1["specification"]["caution"] = [only]
    model = Model.from_json(json.dumps(schema_1))
    [caution] = model.specification.cautions
    levels = []
    for comparison in model.specification.comparisons:
        places = ("missing", *(level.name for level in comparison.levels))
        named = {places.index(level) for level in caution.best.get(comparison.name, ())}
        others = set(range(len(places))) - named
        levels.append(f"{min(named if named and cautioned else others)} AS {level_column(comparison)}")
    slope, intercept = (CAUTIONED if cautioned else CLEAR).values()
    weights = [-20.0, -4.0, 2.0, 5.0, 7.0, 9.0, 60.0]
    candidates = ", ".join(f"({dose}, {weight})" for dose, weight in enumerate(weights))
    found = duckdb.execute(
        compile_deciding(
            model,
            f"(SELECT dose_key, 1 AS citizen_key, match_weight::DOUBLE AS match_weight, {', '.join(levels)}"
            f" FROM (VALUES {candidates}) AS v (dose_key, match_weight))",
        )
        + " ORDER BY dose_key"
    )
    names = [column[0] for column in found.description or ()]
    rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    for weight, row in zip(weights, rows, strict=True):
        odds = 2 ** (slope * weight + intercept)
        probability = odds / (odds + 1 - model.in_registry)
        assert row["probability"] == pytest.approx(probability, rel=1e-9)
        accepted = probability >= ACCEPT and not cautioned
        assert row["decision"] == ("accept" if accepted else "review" if probability >= REVIEW else "no_match")
        assert (row["stratum"], row["caution"]) == ((CAUTION, caution.name) if cautioned else (OTHER, None))
    assert {row["decision"] for row in rows} >= {"review", "no_match"} | (set() if cautioned else {"accept"})


@pytest.mark.parametrize("version", [0, -1, 3, 99, None, "1", 1.5, [1]])
def test_a_model_of_no_known_schema_is_refused(schema_1: dict[str, Any], version: object) -> None:
    with pytest.raises(ModelError, match="schema version"):
        Model.from_json(json.dumps(schema_1 | {"schema_version": version}))


@pytest.mark.parametrize("part", ["calibration", "cautioned", "thresholds"])
def test_what_a_model_of_schema_1_lacks_is_a_model_error(schema_1: dict[str, Any], part: str) -> None:
    del schema_1[part]
    with pytest.raises(ModelError, match=part):
        Model.from_json(json.dumps(schema_1))
