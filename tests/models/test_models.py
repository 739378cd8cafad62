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
    BlockingRule,
    Calibration,
    Caution,
    Comparison,
    Level,
    LevelParameters,
    Model,
    ModelError,
    Registry,
    Specification,
    SpecificationError,
    Thresholds,
    to_splink,
)

NAMES = st.from_regex("[a-z][a-z_]{0,6}", fullmatch=True)
SQL = st.sampled_from(("a_l = a_r", "b_l = b_r AND a_l IS NULL", "abs(n_l - n_r) <= 1"))
Random = Callable[..., Model]


@st.composite
def comparisons(draw: st.DrawFn, name: str) -> Comparison:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    interaction = draw(st.booleans())
    levels = []
    for level in names[:-1]:
        when = draw(SQL)
        if interaction:
            together = tuple(draw(st.lists(NAMES, min_size=1, max_size=3)))
            apart, beside = draw(st.sampled_from(((None, None), ("b", None), (None, "of_a < 3"))))
            levels.append(Level(level, when, together=together, apart=apart, beside=beside))
        else:
            kind = draw(st.sampled_from(({}, {"frequency": "a"}, {"unique": True}, {"absent": True})))
            levels.append(Level(level, when, **kind))  # type: ignore[arg-type]
    expression = {f"of_{name}": "a_l || a_r"} if draw(st.booleans()) else {}
    return Comparison(name, draw(SQL), (*levels, Level(names[-1])), expression)


def disagreements(compared: tuple[Comparison, ...]) -> list[str]:
    return [f"{c.name}.{x.name}" for c in compared if not c.is_interaction for x in c.levels if not x.frequency]


@st.composite
def mistaken(draw: st.DrawFn, compared: tuple[Comparison, ...]) -> tuple[Comparison, ...]:
    """The same comparisons, some interactions of which may be mistaken."""
    among = st.none() | st.sampled_from(disagreements(compared)) if disagreements(compared) else st.none()
    return tuple(
        replace(
            comparison,
            levels=tuple(
                replace(level, mistaken=draw(among)) if len(level.together) > 1 else level
                for level in comparison.levels
            ),
        )
        for comparison in compared
    )


@st.composite
def cautions(draw: st.DrawFn, compared: tuple[Comparison, ...]) -> tuple[Caution, ...]:
    def pattern(least: int) -> dict[str, tuple[str, ...]]:
        chosen = draw(st.lists(st.sampled_from(compared), min_size=least, max_size=2, unique_by=lambda c: c.name))
        named = ((c.name, ["missing", *(level.name for level in c.levels)]) for c in chosen)
        return {name: tuple(draw(st.lists(st.sampled_from(levels), min_size=1))) for name, levels in named}

    names = draw(st.lists(NAMES, max_size=2, unique=True)) if compared else []
    return tuple(Caution(name, pattern(1), pattern(0)) for name in names)


@st.composite
def specifications(draw: st.DrawFn) -> Specification:
    compared = tuple(draw(comparisons(name)) for name in draw(st.lists(NAMES, max_size=3, unique=True)))
    columns = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
    plain_rule = st.tuples(columns, columns | st.just(()), st.just(False))
    rule_on_lists = st.tuples(NAMES.map(lambda name: (name,)), st.just(()), st.just(True))
    rules = draw(st.lists(NAMES, max_size=3, unique=True))
    return Specification(
        name=draw(st.text(max_size=8)),
        columns=draw(st.dictionaries(NAMES, SQL, max_size=3)),
        blocking=tuple(BlockingRule(rule, *draw(plain_rule | rule_on_lists)) for rule in rules),
        comparisons=draw(mistaken(compared)),
        cautions=draw(cautions(compared)),
    )


@given(specifications())
@settings(max_examples=60, deadline=None)
def test_a_specification_survives_plain_data(specification: Specification) -> None:
    text = json.dumps(specification.to_dict())
    assert Specification.from_dict(json.loads(text)) == specification


def test_the_shipped_specification_survives_plain_data(specification: Specification) -> None:
    assert Specification.from_dict(json.loads(json.dumps(specification.to_dict()))) == specification


def plain() -> dict[str, Any]:
    return {
        "name": "plain",
        "blocking": [{"name": "id", "on": ["id"]}, {"name": "name", "on": ["name"]}],
        "comparison": [
            {
                "name": "sex",
                "missing": "sex_l IS NULL",
                "expressions": {"both": "sex_l || sex_r"},
                "level": [{"name": "same", "when": "sex_l = sex_r"}, {"name": "different"}],
            },
            {
                "name": "coincidence",
                "missing": "false",
                "level": [
                    {"name": "namesake", "when": "name_l = name_r", "together": ["name", "born"]},
                    {"name": "none"},
                ],
            },
            {
                "name": "place",
                "missing": "false",
                "level": [{"name": "same", "when": "place_l = place_r", "frequency": "place"}, {"name": "other"}],
            },
        ],
        "caution": [{"name": "odd", "best": {"sex": ["different", "missing"]}, "another": {"sex": ["same"]}}],
    }


def at(data: Any, *path: str | int) -> Any:
    for step in path:
        data = data[step]
    return data


NEED_TOGETHER = "'apart', 'beside' and 'mistaken' need 'together'"
NAMESAKE = ("comparison", 1, "level", 0)


def test_plain_is_a_specification() -> None:
    assert [level.name for _, level in Specification.from_dict(plain()).interactions] == ["namesake"]


@pytest.mark.parametrize(
    ("path", "key", "value", "says"),
    [
        (("blocking", 1), "name", "id", "'id' is declared twice"),
        (("comparison", 1), "name", "sex", "'sex' is declared twice"),
        (("comparison", 1), "expressions", {"both": "1"}, "'both' is declared twice"),
        (("comparison", 0, "level", 1), "name", "same", "'same' is declared twice"),
        (("comparison", 0), "name", "Sex; DROP", "lower-case"),
        (("blocking", 0), "name", "id rule", "lower-case"),
        (("comparison", 0, "level", 1), "when", "true", "last level"),
        (("comparison", 0, "level", 0), "when", None, "last level"),
        (("comparison", 0), "level", [], "sex"),
        (("comparison", 0, "level", 0), "surprise", 1, "surprise"),
        (("comparison", 1, "level", 0), "frequency", "name", "not several"),
        (("comparison", 1, "level", 0), "unique", True, "not several"),
        (("comparison", 1, "level", 0), "absent", True, "not several"),
        (("comparison", 2, "level", 0), "absent", True, "not several"),
        ((), "blocking", 7, "another kind"),
        ((), "columns", "abc", "columns|another kind"),
        (("blocking", 0), "on", [], "rule id: 'on' names columns"),
        (("blocking", 0), "on", "id", "'id' is a name where a list of names"),
        (("blocking", 0), "split", "sex", "'sex' is a name where a list of names"),
        (("comparison", 1, "level", 0), "together", "name", "'name' is a name where a list of names"),
        (("blocking", 0), "on", 7, "another kind"),
        (("comparison", 0, "level", 0), "apart", "sex", f"comparison sex, level same: {NEED_TOGETHER}"),
        (("comparison", 0, "level", 0), "beside", "true", f"comparison sex, level same: {NEED_TOGETHER}"),
        (("comparison", 0, "level", 0), "mistaken", "sex.different", f"comparison sex, level same: {NEED_TOGETHER}"),
        *(
            (NAMESAKE, "mistaken", named, "coincidence, level namesake: 'mistaken' names a level without frequency")
            for named in ("sex", "sex.none", "age.different", "place.same", "coincidence.none", "coincidence.namesake")
        ),
        (("caution", 0), "best", {"age": ["same"]}, r"caution odd: .*'age\.same'"),
        (("caution", 0), "best", {"sex": ["same", "alike"]}, r"caution odd: .*'sex\.alike'"),
        (("caution", 0), "another", {"sex": ["none"]}, r"caution odd: .*'sex\.none'"),
        (("caution", 0), "best", {}, "caution odd: 'best' names no level"),
        (("caution", 0), "best", {"sex": []}, "caution odd: 'best' names no level of sex"),
        (("caution", 0), "another", {"sex": []}, "caution odd: 'another' names no level of sex"),
        (("caution", 0), "best", {"sex": "different"}, "'different' is a name where a list of names"),
        (("caution", 0), "best", ["sex"], "another kind"),
        (("caution", 0), "name", "Odd!", "lower-case"),
        ((), "caution", [plain()["caution"][0]] * 2, "'odd' is declared twice"),
    ],
)
def test_what_is_wrong_with_a_specification_is_named(
    path: tuple[str | int, ...], key: str, value: object, says: str
) -> None:
    data = plain()
    at(data, *path)[key] = value
    with pytest.raises(SpecificationError, match=says):
        Specification.from_dict(data)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"apart": "sex", "beside": "true"}, "one of 'apart' and 'beside', not both"),
        ({"together": ["name"], "mistaken": "sex.different"}, "'mistaken' .* two columns of 'together'"),
    ],
)
def test_what_does_not_go_together_in_an_interaction_is_named(more: dict[str, Any], says: str) -> None:
    data = plain()
    at(data, *NAMESAKE).update(more)
    with pytest.raises(SpecificationError, match=f"comparison coincidence, level namesake: {says}"):
        Specification.from_dict(data)


def test_frequency_and_unique_exclude_each_other() -> None:
    data = plain()
    at(data, "comparison", 0, "level", 0).update(frequency="sex", unique=True)
    with pytest.raises(SpecificationError, match="level same"):
        Specification.from_dict(data)


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ({"on": ["ids"]}, False),
        ({"on": ["ids", "name"]}, True),
        ({"on": ["ids"], "split": ["sex"]}, True),
        ({"on": []}, True),
    ],
)
def test_a_rule_on_lists_has_one_column_and_is_not_split(rule: dict[str, Any], refused: bool) -> None:
    data = plain()
    data["blocking"].append({"name": "numbers", "any": True, **rule})
    if refused:
        with pytest.raises(SpecificationError, match=r"rule numbers: .* 'any' one that holds lists, and no 'split'"):
            Specification.from_dict(data)
    else:
        assert Specification.from_dict(data).blocking[-1] == BlockingRule("numbers", ("ids",), (), any_of=True)


def test_an_interaction_among_ordinary_levels_is_refused() -> None:
    data = plain()
    at(data, "comparison", 1, "level").insert(0, {"name": "odd", "when": "true"})
    with pytest.raises(SpecificationError, match="level odd"):
        Specification.from_dict(data)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ((), "name"),
        ((), "blocking"),
        ((), "comparison"),
        (("blocking", 0), "name"),
        (("blocking", 0), "on"),
        (("comparison", 0), "missing"),
        (("comparison", 0), "level"),
        (("caution", 0), "name"),
        (("caution", 0), "best"),
    ],
)
def test_what_a_specification_lacks_is_named(path: tuple[str | int, ...], key: str) -> None:
    data = plain()
    del at(data, *path)[key]
    with pytest.raises(SpecificationError, match=key):
        Specification.from_dict(data)


def test_named_expressions_are_written_out_to_the_last_and_to_the_letter() -> None:
    data = plain()
    at(data, "comparison", 0)["expressions"] = {"digits": r"regexp_replace(a_l, '\D', '')", "short": "digits < 9"}
    at(data, "comparison", 1)["expressions"] = {"both": "short AND short_l = short_r"}
    written = Specification.from_dict(data).inlined("both OR undigits")
    digits = r"(regexp_replace(a_l, '\D', ''))"
    assert written == f"(({digits} < 9) AND short_l = short_r) OR undigits"


def test_columns_read_by_beside_are_compared() -> None:
    data = plain()
    at(data, *NAMESAKE)["beside"] = "abs(house_l - house_r) = 1"
    assert "house" in Specification.from_dict(data).compared_columns


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
