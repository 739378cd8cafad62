"""Specifications as data: round trips, and what is wrong with one, with the place of its entry."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import BlockingRule, Caution, Comparison, Level, Specification, SpecificationError, Stratum, load

NAMES = st.from_regex("[a-z][a-z_]{0,6}", fullmatch=True)
SQL = st.sampled_from(("a_l = a_r", "b_l = b_r AND a_l IS NULL", "abs(n_l - n_r) <= 1"))


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

    names = draw(st.lists(NAMES, max_size=2, unique=True))
    return tuple(Caution(name, pattern(1), pattern(0)) for name in names)


@st.composite
def specifications(draw: st.DrawFn) -> Specification:
    compared = tuple(draw(comparisons(name)) for name in draw(st.lists(NAMES, min_size=1, max_size=3, unique=True)))
    columns = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
    plain_rule = st.tuples(columns, columns | st.just(()), st.just(False))
    rule_on_lists = st.tuples(NAMES.map(lambda name: (name,)), st.just(()), st.just(True))
    rules = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    return Specification(
        name=draw(st.text(max_size=8)),
        columns=draw(st.dictionaries(NAMES, SQL, max_size=3)),
        blocking=tuple(BlockingRule(rule, *draw(plain_rule | rule_on_lists)) for rule in rules),
        comparisons=draw(mistaken(compared)),
        cautions=draw(cautions(compared)),
        strata=tuple(Stratum(caution.name, caution.best) for caution in draw(cautions(compared))),
    )


@given(specifications())
@settings(max_examples=60, deadline=None)
def test_a_specification_survives_plain_data(specification: Specification) -> None:
    text = json.dumps(specification.to_dict())
    assert Specification.from_dict(json.loads(text)) == specification


@pytest.mark.parametrize("name", ["dose_citizen", "person"])
def test_the_shipped_specifications_survive_plain_data(name: str) -> None:
    specification = load(name)
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
        "stratum": [{"name": "men", "best": {"sex": ["same"]}}],
        "caution": [{"name": "odd", "best": {"sex": ["different", "missing"]}, "another": {"sex": ["same"]}}],
    }


def at(data: Any, *path: str | int) -> Any:
    for step in path:
        data = data[step]
    return data


NAMESAKE = ("comparison", 1, "level", 0)


def test_plain_is_a_specification() -> None:
    assert [level.name for _, level in Specification.from_dict(plain()).interactions] == ["namesake"]


@pytest.mark.parametrize(
    ("path", "key", "value", "says"),
    [
        (("blocking", 1), "name", "id", "blocking id, name: declared twice, found: id"),
        (("comparison", 1), "name", "sex", "comparison sex, name: declared twice, found: sex"),
        (("comparison", 1), "expressions", {"both": "1"}, "comparison coincidence, expressions, both: declared twice"),
        (("comparison", 0, "level", 1), "name", "same", "comparison sex, level same, name: declared twice"),
        ((), "caution", [plain()["caution"][0]] * 2, "caution odd, name: declared twice, found: odd"),
        ((), "stratum", [plain()["stratum"][0]] * 2, "stratum men, name: declared twice, found: men"),
        (("comparison", 0), "name", "Sex; DROP", "not a name, found: Sex; DROP"),
        (("blocking", 0), "name", "id rule", "not a name"),
        (("caution", 0), "name", "Odd!", "not a name"),
        (("stratum", 0), "name", "", "not a name"),
        ((), "columns", {"A": "b"}, "columns, A: not a name"),
        (("comparison", 0), "expressions", {"both_l": "1"}, "expressions, both_l: named like a column"),
        (("stratum", 0), "name", "other", "stratum other, name: name is reserved"),
        (("stratum", 0), "name", "caution", "name is reserved"),
        (("comparison", 0, "level", 1), "when", "true", "level different, when: last level takes the rest"),
        (
            ("comparison", 0, "level", 0),
            "surprise",
            1,
            "level same, surprise: unknown key, found: surprise, keys: name, ",
        ),
        (("comparison", 0, "level", 0), "frequncy", "sex", "level same, frequncy: unknown key"),
        (("blocking", 0), "any_of", True, "blocking id, any_of: unknown key"),
        ((), "cautions", [], "cautions: unknown key"),
        (("caution", 0), "worst", {}, "caution odd, worst: unknown key"),
        *((NAMESAKE, key, value, "one of several") for key, value in (("frequency", "name"), ("unique", True))),
        (NAMESAKE, "absent", True, "one of several, found: absent, together"),
        (("comparison", 2, "level", 0), "absent", True, "level same, absent: one of several"),
        ((), "blocking", 7, "blocking: needs entries"),
        ((), "blocking", [], "blocking: nothing declared"),
        ((), "blocking", ["id"], "blocking 1: needs entry"),
        ((), "comparison", [], "comparison: nothing declared"),
        (("comparison", 0), "level", [], "comparison sex, level: nothing declared"),
        ((), "columns", "abc", "columns: needs texts"),
        ((), "columns", {"one": 1}, "columns, one: needs text"),
        ((), "name", 7, "name: needs text"),
        (("comparison", 0, "level", 0), "when", None, "when: needs text"),
        (("comparison", 0, "level", 0), "unique", "yes", "unique: needs truth"),
        (("blocking", 0), "on", [], "blocking id, on: names no column"),
        *((("blocking", 0), key, value, f"{key}: needs names") for key in ("on", "split") for value in ("id", 7, [7])),
        (NAMESAKE, "together", "name", "together: needs names"),
        *(
            (("comparison", 0, "level", 0), key, value, f"level same, {key}: needs together")
            for key, value in (
                ("apart", "sex"),
                ("beside", "true"),
                ("mistaken", "sex.different"),
                ("slip", ["sex.same"]),
            )
        ),
        *(
            (NAMESAKE, "mistaken", named, "level namesake, mistaken: mistaken names a level")
            for named in ("sex", "sex.none", "age.different", "place.same", "coincidence.none", "coincidence.namesake")
        ),
        (NAMESAKE, "slip", ["sex.same"], "slip: slip names two levels"),
        (NAMESAKE, "slip", ["sex.same", "sex.none"], "slip: slip names two levels"),
        *(
            ((entry, 0), "best", best, f"{entry} {name}, best.*: {says}")
            for entry, name in (("caution", "odd"), ("stratum", "men"))
            for best, says in (
                ({"age": ["same"]}, r"no such level, found: age\.same"),
                ({"sex": ["same", "alike"]}, r"no such level, found: sex\.alike"),
                ({}, "names no level"),
                ({"sex": []}, "names no level"),
                ({"sex": "different"}, "needs names"),
                (["sex"], "needs pattern"),
            )
        ),
        (("caution", 0), "another", {"sex": ["none"]}, r"caution odd, another, sex: no such level, found: sex\.none"),
        (("caution", 0), "another", {"sex": []}, "caution odd, another, sex: names no level"),
    ],
)
def test_what_is_wrong_with_a_specification_is_named(
    path: tuple[str | int, ...], key: str, value: object, says: str
) -> None:
    data = plain()
    at(data, *path)[key] = value
    with pytest.raises(SpecificationError, match=says):
        Specification.from_dict(data)


@pytest.mark.parametrize("data", [None, 7, "text", [], [{}]])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(SpecificationError, match="needs entry"):
        Specification.from_dict(data)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"apart": "sex", "beside": "true"}, "beside: apart or beside"),
        ({"together": ["name"], "mistaken": "sex.different"}, "mistaken: mistaken names a level"),
    ],
)
def test_what_does_not_go_together_in_an_interaction_is_named(more: dict[str, Any], says: str) -> None:
    data = plain()
    at(data, *NAMESAKE).update(more)
    with pytest.raises(SpecificationError, match=f"comparison coincidence, level namesake, {says}"):
        Specification.from_dict(data)


def test_a_level_before_the_last_needs_a_condition() -> None:
    data = plain()
    del at(data, "comparison", 0, "level", 0)["when"]
    with pytest.raises(SpecificationError, match="level same: only the last level takes the rest"):
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
        with pytest.raises(SpecificationError, match=r"blocking numbers, (on: names no|any: any is of one) column"):
            Specification.from_dict(data)
    else:
        assert Specification.from_dict(data).blocking[-1] == BlockingRule("numbers", ("ids",), (), any_of=True)


def test_an_interaction_among_ordinary_levels_is_refused() -> None:
    data = plain()
    at(data, "comparison", 1, "level").insert(0, {"name": "odd", "when": "true"})
    with pytest.raises(SpecificationError, match="level odd: lacks together"):
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
        (("stratum", 0), "best"),
    ],
)
def test_what_a_specification_lacks_is_named(path: tuple[str | int, ...], key: str) -> None:
    data = plain()
    del at(data, *path)[key]
    with pytest.raises(SpecificationError, match=f"missing key, lacks: {key}$"):
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
