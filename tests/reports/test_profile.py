"""A profile equals a count by hand, whatever the order of the rows, and survives JSON."""

import json
import math
from collections import Counter
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.reports.profile import DECISIONS, Profile, count_doses, measure_profile

COMPARISONS = ("name", "birth date")
LEVELS = ("exact", "typo", "missing", "else")

candidates = st.fixed_dictionaries(
    {
        "decision": st.sampled_from(DECISIONS),
        "match_weight": st.floats(-20, 90),
        **{name: st.sampled_from(LEVELS) for name in COMPARISONS},
    }
)
without = st.just({"decision": "no_match", "match_weight": None, **dict.fromkeys(COMPARISONS)})
populations = st.lists(st.one_of(candidates, candidates, without), max_size=30)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    types = {"decision": pa.string(), "match_weight": pa.float64(), **dict.fromkeys(COMPARISONS, pa.string())}
    return pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()})


def measured(rows: list[dict[str, Any]]) -> Profile:
    with duckdb.connect() as connection:
        connection.register("best", table(rows))
        return measure_profile(connection, COMPARISONS, "best")


@settings(max_examples=25, deadline=None)
@given(rows=populations)
def test_a_profile_equals_a_count_by_hand(rows: list[dict[str, Any]]) -> None:
    profile = measured(rows)
    scored = [row for row in rows if row["match_weight"] is not None]
    assert profile.doses == len(rows) == sum(profile.decisions.values())
    assert +Counter(profile.decisions) == Counter(row["decision"] for row in rows)
    assert profile.bits == Counter(math.floor(row["match_weight"]) for row in scored)
    assert profile.without_candidate == len(rows) - len(scored)
    for name in COMPARISONS:
        assert profile.levels[name] == Counter(row[name] for row in scored)


@settings(max_examples=15, deadline=None)
@given(rows=populations, data=st.data())
def test_order_changes_no_byte_and_json_keeps_all(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    profile = measured(rows)
    text = json.dumps(profile.as_dict())
    assert Profile.from_dict(json.loads(text)) == profile
    assert json.dumps(measured(data.draw(st.permutations(rows))).as_dict()) == text


def test_units_are_counted_apart() -> None:
    rows: list[dict[str, Any]] = [
        {"decision": "accept", "match_weight": 31.5, "name": "exact", "birth date": "typo"},
        {"decision": "no_match", "match_weight": None, "name": None, "birth date": None},
    ]
    with duckdb.connect() as connection:
        connection.register("best", table(rows))
        query = count_doses(COMPARISONS, "best", {"side": "decision", "half": "(match_weight > 0)::VARCHAR"})
        counts = connection.execute(query).fetchall()
    assert {row[1:] for row in counts if row[0] == "side"} == {
        ("accept", "decision", "accept", 1),
        ("accept", "match_weight", "31", 1),
        ("accept", "name", "exact", 1),
        ("accept", "birth date", "typo", 1),
        ("no_match", "decision", "no_match", 1),
        *(("no_match", aspect, None, 1) for aspect in ("match_weight", *COMPARISONS)),
    }
    assert {row[1:] for row in counts if row[0] == "half" and row[2] == "decision"} == {
        ("true", "decision", "accept", 1),
        (None, "decision", "no_match", 1),
    }
    assert sum(row[4] for row in counts if row[0] is None) == len(rows) * (2 + len(COMPARISONS))


def test_a_profile_holds_no_quarantine() -> None:
    row = {"decision": "quarantine", "match_weight": None, "name": None, "birth date": None}
    with pytest.raises(ValueError, match="quarantine"):
        measured([row])
