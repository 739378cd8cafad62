"""Laws of joining links into groups, and what of a run makes subjects one person or a conflict."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product
from random import Random
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.persons import grouping
from linkage.persons.grouping import group_subjects
from linkage.persons.injections import make_injections
from linkage.persons.joining import JOIN_BITS, Fact, days_in, join, numbers_in
from linkage.persons.subjects import make_subjects

# neighbours in a row are a slip of the pen apart, others are not
NUMBERS = ("003068357295", "003068357296", "003068357396", "003068358396", "099160123457")
DAYS = ("1960-02-03", "1960-02-13", "1960-02-19", "1961-02-19", "1960-03-02", "1988-12-30")
CITIZENS = (NUMBERS[0], NUMBERS[1], "005088246813")

Edge = tuple[str, str, float, bool]


@dataclass(frozen=True)
class Linked:
    """Subjects, and links between some of them."""

    facts: Mapping[str, Fact]
    edges: tuple[Edge, ...]


def some(values: tuple[str, ...], most: int) -> st.SearchStrategy[frozenset[str]]:
    return st.frozensets(st.sampled_from(values), max_size=most)


@st.composite
def linked(draw: st.DrawFn, most: int = 1) -> Linked:
    names = [f"S{number}" for number in range(draw(st.integers(2, 9)))]
    facts = {
        name: Fact(
            draw(st.none() | st.none() | st.sampled_from(CITIZENS)), draw(some(NUMBERS, most)), draw(some(DAYS, most))
        )
        for name in names
    }
    pairs = [draw(st.permutations(pair)) for pair in combinations(names, 2)]
    edges = [
        (pair[0], pair[1], draw(st.sampled_from([JOIN_BITS - 1, JOIN_BITS, 9.0, 12.0])), draw(st.booleans()))
        for pair in draw(st.lists(st.sampled_from(pairs), max_size=14, unique_by=frozenset))
    ]
    touched = {name for edge in edges for name in edge[:2]}
    return Linked({name: facts[name] for name in touched}, tuple(edges))


def near(one: str, other: str) -> bool:
    """At most one sign differs; every value here has the length of the other."""
    return sum(x != y for x, y in zip(one, other, strict=True)) <= 1


def swapped(day: str) -> str:
    year, month, day_of_month = day.split("-")
    return f"{year}-{day_of_month}-{month}"


def heads(case: Linked) -> dict[str, str]:
    joined, _ = join(case.edges, case.facts)
    assert len(joined) == len(dict(joined)) == len(case.facts)
    return dict(joined)


@given(linked(most=2), st.randoms())
def test_the_order_of_subjects_and_links_changes_nothing(case: Linked, random: Random) -> None:
    names, edges = list(case.facts), list(case.edges)
    random.shuffle(names)
    random.shuffle(edges)
    again = Linked({name: case.facts[name] for name in names}, tuple(edges))
    assert heads(again) == heads(case)
    assert join(again.edges, again.facts)[1] == join(case.edges, case.facts)[1]


@given(linked(most=2))
def test_a_group_has_one_citizen_and_one_citizen_is_one_group(case: Linked) -> None:
    head = heads(case)
    for one, other in combinations(case.facts, 2):
        citizens = {case.facts[one].citizen, case.facts[other].citizen}
        if None not in citizens:
            assert (head[one] == head[other]) == (len(citizens) == 1)


@given(linked())
def test_far_numbers_and_far_birth_dates_never_meet_not_even_through_chains(case: Linked) -> None:
    head = heads(case)
    for one, other in combinations(case.facts, 2):
        mine, theirs = case.facts[one], case.facts[other]
        if head[one] != head[other] or (mine.citizen and mine.citizen == theirs.citizen):
            continue
        if mine.citizen is None and theirs.citizen is None:
            assert all(near(*pair) for pair in product(mine.numbers, theirs.numbers))
        holder, single = (mine, theirs) if mine.citizen else (theirs, mine)
        if holder.citizen:
            assert all(near(holder.citizen, number) for number in single.numbers)
            # whoever has that citizen too may have brought another day to it
            continue
        for day, their_day in product(mine.days, theirs.days):
            assert near(day, their_day) or swapped(day) == their_day


@given(linked(most=2))
def test_every_link_is_joined_or_refused_with_the_reason(case: Linked) -> None:
    head = heads(case)
    refused = {(one, other): reason for one, other, reason in join(case.edges, case.facts)[1]}
    for one, other, bits, clash in case.edges:
        reason = refused.get((one, other))
        assert reason or head[one] == head[other]
        if reason in {"two_citizens", "two_numbers", "two_birth_dates"}:
            assert head[one] != head[other]
        if reason not in {None, "unsure", "histories_clash"}:
            assert bits >= JOIN_BITS
        if reason in {"unsure", "ambiguous", "histories_clash"}:
            assert clash == (reason == "histories_clash")
        apart = case.facts[one].against(case.facts[other])
        assert head[one] != head[other] or apart in {None, "two_birth_dates"}


@given(linked(most=2))
def test_the_head_of_a_group_is_its_first_subject(case: Linked) -> None:
    head = heads(case)
    for group in set(head.values()):
        assert group == min(one for one, of in head.items() if of == group)


@given(linked(most=2), st.data())
def test_whom_a_human_keeps_apart_never_meet(case: Linked, data: st.DataObject) -> None:
    sides = {
        name: data.draw(st.sampled_from([frozenset[str](), frozenset({"+3"}), frozenset({"-3"})]))
        for name, fact in case.facts.items()
        if not fact.citizen
    }
    joined, refused = join(case.edges, case.facts, sides)
    head = dict(joined)
    for one, other in combinations(sides, 2):
        assert head[one] != head[other] or len(sides[one] | sides[other]) < 2
    for one, other, bits, _ in case.edges:
        if bits >= JOIN_BITS and len(sides.get(one, frozenset()) | sides.get(other, frozenset())) == 2:
            assert {reason for *pair, reason in refused if set(pair) == {one, other}}


def test_who_fits_two_that_are_not_one_is_at_most_the_one_it_fits_far_better() -> None:
    facts = {name: Fact(None) for name in "ABC"}
    joined, refused = join([("A", "C", 30.0, False), ("A", "B", 20.0, False)], facts)
    assert dict(joined) == {"A": "A", "B": "B", "C": "A"}
    assert refused == [("A", "B", "ambiguous")]
    joined, refused = join([("A", "C", 21.0, False), ("A", "B", 20.0, False)], facts)
    assert dict(joined) == {"A": "A", "B": "B", "C": "C"}
    assert refused == [("A", "C", "ambiguous"), ("A", "B", "ambiguous")]


def test_the_middle_of_a_chain_joins_neither_of_two_far_ends_to_the_other() -> None:
    facts = {name: Fact(None, frozenset({number})) for name, number in zip("ABC", NUMBERS, strict=False)}
    joined, refused = join([("A", "B", 20.0, False), ("B", "C", 19.0, False), ("A", "C", 18.0, False)], facts)
    assert dict(joined) == {"A": "A", "B": "A", "C": "C"}
    assert refused == [("B", "C", "two_numbers"), ("A", "C", "two_numbers")]


@pytest.mark.parametrize(
    ("typed", "read"),
    [("003 068 357 295", {"003068357295"}), ("3068357295", set()), ("=003068357295", set()), ("", set())],
)
def test_only_numbers_written_as_they_should_be_speak_against_a_person(typed: str, read: set[str]) -> None:
    assert numbers_in([typed, None]) == read


def test_a_birth_date_that_stands_for_an_unknown_one_speaks_against_nobody() -> None:
    assert days_in(["01/01/1950", "1950", "07/1950", "", None]) == set()
    assert days_in(["30/07/1950", "1950-07-30"]) == {"1950-07-30"}


# subject, citizen accepted to, probability, match weight, day, dose number, number typed, birth date typed
DOSES = (
    ("sure", "C1", 1.0, 60.0, "2021-07-01", 1, None, None),
    ("sure too", "C1", 1.0, 50.0, "2021-08-01", 2, None, None),
    ("hardly", "C1", 0.99, 12.0, "2022-02-01", 3, None, None),
    ("torn", "C2", 0.98, 31.0, "2021-07-01", 1, None, None),
    ("torn", "C3", 0.98, 30.0, "2021-08-01", 2, None, None),
    ("clear", "C4", 1.0, 60.0, "2021-07-01", 1, None, None),
    ("clear", "C5", 0.98, 20.0, "2021-08-01", 2, None, None),
    ("first", "C6", 1.0, 60.0, "2021-07-01", 1, None, None),
    ("a week on", "C6", 1.0, 50.0, "2021-07-08", 2, None, None),
    ("number one", None, None, None, "2021-07-01", 1, NUMBERS[0], None),
    ("number two", None, None, None, "2021-08-01", 2, NUMBERS[4], None),
    ("born in 1960", None, None, None, "2021-07-01", 1, None, "1960-02-13"),
    ("born in 1988", None, None, None, "2021-08-01", 2, None, "30/12/1988"),
    ("one", None, None, None, "2021-07-01", 1, NUMBERS[0], "1960-02-13"),
    ("same", None, None, None, "2021-08-01", 2, NUMBERS[1], "13/02/1960"),
    ("somebody", None, None, None, "2021-07-01", 1, None, None),
    ("anybody", None, None, None, "2021-07-09", 2, None, None),
    ("nobody", None, None, None, "2021-12-09", None, None, None),
)
LINKS = (
    ("number one", "number two", 0.999999),
    ("born in 1960", "born in 1988", 0.999999),
    ("born in 1988", "born in 1960", 0.999999),
    ("one", "same", 0.999999),
    ("somebody", "anybody", 0.9),
    ("nobody", "somebody", 0.3),
)


BASES = "SELECT subject, head, citizen_of_base FROM bases"


@pytest.fixture
def grouped(monkeypatch: pytest.MonkeyPatch) -> duckdb.DuckDBPyConnection:
    """``bases`` and ``doubts`` of a few doses, with links as given."""
    connection = duckdb.connect()
    connection.execute("""
    CREATE TABLE given (subject VARCHAR, citizen_id VARCHAR, probability DOUBLE, match_weight DOUBLE,
      injected_on VARCHAR, dose_number VARCHAR, national_id VARCHAR, date_of_birth VARCHAR, dose_id VARCHAR)
    """)
    connection.executemany(
        "INSERT INTO given VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(*dose, f"D{number:02d}") for number, dose in enumerate(DOSES)],
    )
    connection.execute("""
    CREATE TABLE doses AS SELECT dose_id, subject AS subject_id, national_id, date_of_birth, injected_on, dose_number,
      'pfizer' AS vaccine, subject AS facility_id FROM given
    """)
    connection.execute("""
    CREATE TABLE decisions AS SELECT dose_id, citizen_id, probability, match_weight, NULL::BIGINT AS answered,
      if(citizen_id IS NULL, 'no_match', 'accept') AS decision FROM given
    """)
    connection.execute("CREATE TABLE candidates AS SELECT dose_id, citizen_id FROM decisions WHERE decision = 'accept'")

    connection.execute("CREATE TABLE citizens (citizen_id VARCHAR, date_of_birth VARCHAR)")

    def give(connection: duckdb.DuckDBPyConnection, *_: object, **__: object) -> None:
        connection.execute(
            "CREATE TABLE links (subject VARCHAR, other VARCHAR, probability DOUBLE, match_weight DOUBLE)"
        )
        connection.executemany("INSERT INTO links VALUES (?, ?, ?, 20)", LINKS)

    monkeypatch.setattr(grouping, "link_subjects", give)
    make_subjects(connection)
    make_injections(connection)
    unasked: Any = None
    group_subjects(connection, unasked, unasked)
    return connection


def test_who_is_one_person(grouped: duckdb.DuckDBPyConnection) -> None:
    found = {subject: (head, citizen) for subject, head, citizen in grouped.execute(BASES).fetchall()}
    assert len(found) == len({dose[0] for dose in DOSES})
    groups = {("sure", "sure too"): "C1", ("a week on", "first"): "C6", ("clear",): "C4", ("one", "same"): None}
    for group, citizen in groups.items():
        assert {found[subject] for subject in group} == {(group[0], citizen)}
    others = found.keys() - {subject for group in groups for subject in group}
    assert {found[subject] for subject in others} == {(subject, None) for subject in others}


def test_what_a_human_must_look_at_is_named_once_with_the_reason(grouped: duckdb.DuckDBPyConnection) -> None:
    doubts = grouped.execute("SELECT reason, subject, other, citizen_id, dose_id FROM doubts ORDER BY ALL").fetchall()
    assert doubts == [
        ("histories_clash", "a week on", "first", "C6", None),
        ("histories_clash", "anybody", "somebody", None, None),
        ("second_subject_unsure", "hardly", doubts[2][2], "C1", None),
        ("two_birth_dates", "born in 1960", "born in 1988", None, None),
        ("two_citizens", "clear", None, "C5", "D06"),
        ("two_citizens", "torn", None, "C2", "D03"),
        ("two_citizens", "torn", None, "C3", "D04"),
        ("two_numbers", "number one", "number two", None, None),
    ]
    assert doubts[2][2] in {"sure", "sure too"}
