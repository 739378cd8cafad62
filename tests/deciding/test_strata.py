"""Cautions and strata: what forbids a machine to accept, and by which calibration and threshold it decides."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.deciding import compile_deciding, compile_ranking
from linkage.scoring import level_column
from models import (
    CAUTION,
    NEVER,
    OTHER,
    Calibration,
    Caution,
    Comparison,
    Level,
    Model,
    Pattern,
    Specification,
    Stratum,
    Thresholds,
)

COMPARED = tuple(
    Comparison(name, "false", (*(Level(level, "true") for level in levels), Level("rest")), {})
    for name, levels in {"name": ("same", "near"), "born": ("same",)}.items()
)
NAMES = {c.name: ("missing", *(level.name for level in c.levels)) for c in COMPARED}
PATTERNS = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(levels), min_size=1, max_size=2).map(tuple) for name, levels in NAMES.items()
    },
)
CAUTIONS = st.lists(st.tuples(PATTERNS.filter(bool), PATTERNS), max_size=3).map(
    lambda drawn: tuple(Caution(f"caution_{number}", *each) for number, each in enumerate(drawn))
)


STRATA = st.lists(PATTERNS.filter(bool), max_size=3).map(
    lambda drawn: tuple(Stratum(f"stratum_{number}", each) for number, each in enumerate(drawn))
)


class Candidate(NamedTuple):
    match_weight: float
    name: str
    born: str


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.floats(-15, 15) | st.sampled_from((9.0, 10.0)),
        st.sampled_from(NAMES["name"]),
        st.sampled_from(NAMES["born"]),
    ),
    min_size=1,
    max_size=5,
)


class Decided(NamedTuple):
    dose: int
    citizen: int
    rank: int
    caution: str | None
    stratum: str
    probability: float
    decision: str


def model_of(cautions: Sequence[Caution], strata: Sequence[Stratum] = ()) -> Model:
    """Decides alike in every stratum."""
    specification = Specification("cautious", {}, (), COMPARED, tuple(cautions), tuple(strata))
    names = specification.stratum_names
    thresholds = Thresholds(dict.fromkeys(names, 0.9), 0.1)
    return Model("plain", specification, {}, 0.9, dict.fromkeys(names, Calibration()), thresholds)


def decide_levels(model: Model, doses: Sequence[Sequence[Candidate]], shuffle: int | None = None) -> list[Decided]:
    """All candidates by dose and rank; citizens are numbered by their place."""
    rows = [
        {"dose_key": dose, "citizen_key": citizen, "match_weight": each.match_weight}
        | {level_column(c): NAMES[c.name].index(getattr(each, c.name)) for c in COMPARED}
        for dose, candidates in enumerate(doses)
        for citizen, each in enumerate(candidates)
    ]
    if shuffle is not None:
        random.Random(shuffle).shuffle(rows)
    with duckdb.connect() as connection:
        connection.register("candidates", pa.Table.from_pylist(rows))
        found = connection.execute(
            "SELECT dose_key, citizen_key, rank, caution, stratum, probability, decision"
            f" FROM ({compile_deciding(model, 'candidates')}) ORDER BY dose_key, rank"
        ).fetchall()
        ranked = connection.execute(
            "SELECT COLUMNS(lambda c: c NOT LIKE 'level_%' AND c <> 'match_weight')"
            f" FROM ({compile_ranking(model.specification, 'candidates')}) ORDER BY dose_key, rank"
        )
        assert ranked.fetchall() == [row[:5] for row in found]
        columns = ["dose_key", "citizen_key", "rank", "caution", "stratum"]
        assert [column[0] for column in ranked.description or ()] == columns
    return [Decided(*row) for row in found]


def has(candidate: Candidate, pattern: Pattern) -> bool:
    return all(getattr(candidate, name) in levels for name, levels in pattern.items())


def first_caution(cautions: Sequence[Caution], candidates: Sequence[Candidate]) -> str | None:
    """The first caution that holds, by the words of its definition."""
    best, *others = sorted(candidates, key=lambda each: -each.match_weight)
    for caution in cautions:
        if has(best, caution.best) and (not caution.another or any(has(o, caution.another) for o in others)):
            return caution.name
    return None


def first_stratum(strata: Sequence[Stratum], candidates: Sequence[Candidate]) -> str:
    best = max(candidates, key=lambda each: each.match_weight)
    return next((stratum.name for stratum in strata if has(best, stratum.best)), OTHER)


@given(CAUTIONS, st.lists(CANDIDATES, min_size=1, max_size=5), st.none() | st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_the_first_caution_that_holds_is_named_and_its_dose_never_accepted(
    cautions: tuple[Caution, ...], doses: list[list[Candidate]], shuffle: int | None
) -> None:
    found = decide_levels(model_of(cautions), doses, shuffle)
    without = decide_levels(model_of(()), doses)
    for one, other in zip(found, without, strict=True):
        assert one[:3] == other[:3]
        assert one.caution == first_caution(cautions, doses[one.dose])
        assert other.caution is None
        assert one.decision == ("review" if one.caution and other.decision == "accept" else other.decision)


SAME, BESIDE = Candidate(20.0, "same", "same"), Candidate(-10.0, "near", "rest")
BOTH = Caution("both", {"name": ("same",)}, {"name": ("near", "rest"), "born": ("rest",)})


@pytest.mark.parametrize(
    ("candidates", "holds"),
    [
        ([SAME, BESIDE], True),
        ([BESIDE, SAME], True),
        ([SAME], False),
        ([BESIDE], False),
        ([SAME, SAME._replace(match_weight=-10.0)], False),
        # each half on a candidate of its own
        ([SAME, BESIDE._replace(born="same"), BESIDE._replace(name="same")], False),
        ([SAME, SAME._replace(match_weight=-9.0), BESIDE], True),
        # the best must have the one pattern, not only some candidate
        ([BESIDE._replace(match_weight=30.0), SAME], False),
        ([SAME, BESIDE._replace(born="missing")], False),
    ],
)
def test_a_caution_with_another_needs_both_candidates(candidates: list[Candidate], holds: bool) -> None:
    # the doses beside it have what it lacks
    found = [row for row in decide_levels(model_of([BOTH]), [[BESIDE], candidates, [SAME, BESIDE]]) if row.dose == 1]
    assert {row.caution for row in found} == {"both" if holds else None}
    if candidates[0] is SAME:
        assert found[0].decision == ("review" if holds else "accept")


def test_missing_is_a_level_that_a_caution_may_name() -> None:
    caution = Caution("unknown", {"born": ("missing", "rest")}, {})
    doses = [[SAME._replace(born=born)] for born in ("missing", "rest", "same")]
    assert [row.decision for row in decide_levels(model_of([caution]), doses)] == ["review", "review", "accept"]


DOSES = st.lists(CANDIDATES, min_size=1, max_size=5)


@given(CAUTIONS, STRATA, DOSES, st.none() | st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_dose_is_in_the_stratum_caution_or_in_the_first_whose_pattern_its_best_candidate_has_or_in_other(
    cautions: tuple[Caution, ...], strata: tuple[Stratum, ...], doses: list[list[Candidate]], shuffle: int | None
) -> None:
    for row in decide_levels(model_of(cautions, strata), doses, shuffle):
        candidates = doses[row.dose]
        expected = CAUTION if first_caution(cautions, candidates) else first_stratum(strata, candidates)
        assert row.stratum == expected


@given(CAUTIONS, STRATA, DOSES, st.integers(0, 99), st.data())
@settings(max_examples=30, deadline=None)
def test_the_calibration_and_the_accept_threshold_are_those_of_the_stratum(
    cautions: tuple[Caution, ...],
    strata: tuple[Stratum, ...],
    doses: list[list[Candidate]],
    shuffle: int,
    data: st.DataObject,
) -> None:
    plain = model_of(cautions, strata)
    names = plain.specification.stratum_names
    calibration = {name: Calibration(data.draw(st.floats(0.05, 3)), data.draw(st.floats(-10, 10))) for name in names}
    accept = {name: data.draw(st.sampled_from((0.55, 0.9, 0.99, NEVER))) for name in names}
    model = replace(plain, calibration=calibration, thresholds=Thresholds(accept, 0.1))
    found = decide_levels(model, doses, shuffle)
    assert [row[:5] for row in found] == [row[:5] for row in decide_levels(plain, doses)]
    for dose, candidates in enumerate(doses):
        rows = [row for row in found if row.dose == dose]
        weights = np.array([candidates[row.citizen].match_weight for row in rows])
        stratum = rows[0].stratum
        odds = np.exp2(calibration[stratum].slope * weights + calibration[stratum].intercept)
        probability = odds / (odds.sum() + 1 - model.in_registry)
        np.testing.assert_allclose([row.probability for row in rows], probability, rtol=1e-9, atol=1e-300)
        best, total, tied = probability[0], probability.sum(), len(weights) > 1 and weights[0] == weights[1]
        if min(abs(best - accept[stratum]), abs(total - 0.1)) > 1e-9:
            accepted = best >= accept[stratum] and not tied and rows[0].caution is None
            expected = "accept" if accepted else "review" if total >= 0.1 else "no_match"
            assert {row.decision for row in rows} == {expected}


def test_what_is_never_accepted_is_not_even_at_probability_one() -> None:
    strata = [Stratum("near", {"name": ("near",)})]
    model = model_of([], strata)
    for threshold, decision in ((NEVER, "review"), (0.97, "accept")):
        accept = {"near": threshold, OTHER: 0.97, CAUTION: NEVER}
        some = replace(model, thresholds=Thresholds(accept, 1e-06))
        [near, same] = decide_levels(some, [[Candidate(1100.0, "near", "same")], [Candidate(1100.0, "same", "same")]])
        assert (near.probability, near.decision) == (1.0, decision)
        assert same.decision == "accept"
