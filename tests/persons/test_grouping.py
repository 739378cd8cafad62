"""Laws of joining links into groups, and what of a run makes subjects one person or a conflict."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.persons.grouping import JOIN_BITS, Fact, days_in, join, numbers_in

# neighbours in a row are a slip of the pen apart, others are not
NUMBERS = ("003000000001", "003000000011", "003000000111", "003000001111", "099555555555")
DAYS = ("1960-02-03", "1960-02-13", "1960-02-19", "1961-02-19", "1960-03-02", "1988-12-30")
CITIZENS = ("003000000001", "003000000011", "005999999999")

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
    pairs = [(one, other) for one, other in product(names, names) if one != other]
    edges = [
        (*pair, draw(st.sampled_from([JOIN_BITS - 1, JOIN_BITS, 9.0, 12.0])), draw(st.booleans()))
        for pair in draw(st.lists(st.sampled_from(pairs), max_size=14, unique=True))
    ]
    touched = {name for edge in edges for name in edge[:2]}
    return Linked({name: facts[name] for name in touched}, tuple(sorted(edges, key=lambda e: (-e[2], e[0], e[1]))))


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
def test_the_order_of_subjects_changes_nothing(case: Linked, random: "object") -> None:
    names = list(case.facts)
    random.shuffle(names)  # type: ignore[attr-defined]
    again = Linked({name: case.facts[name] for name in names}, case.edges)
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
            assert near(day, their_day) or near(swapped(day), their_day)


@given(linked(most=2))
def test_every_link_is_joined_or_refused_with_the_reason(case: Linked) -> None:
    head = heads(case)
    refused = {(one, other): reason for one, other, reason in join(case.edges, case.facts)[1]}
    for one, other, bits, clash in case.edges:
        reason = refused.get((one, other))
        assert reason or head[one] == head[other]
        if reason in {"two_citizens", "two_numbers", "two_birth_dates"}:
            assert head[one] != head[other]
            assert bits >= JOIN_BITS
        if reason in {"unsure", "histories_clash"}:
            assert bits < JOIN_BITS
            assert clash == (reason == "histories_clash")
        apart = case.facts[one].against(case.facts[other])
        assert head[one] != head[other] or apart in {None, "two_birth_dates"}


@given(linked(most=2))
def test_the_head_of_a_group_is_its_first_subject(case: Linked) -> None:
    head = heads(case)
    for group in set(head.values()):
        assert group == min(one for one, of in head.items() if of == group)


def test_of_two_links_that_cannot_both_hold_the_surer_one_does() -> None:
    facts = {"A": Fact(None), "B": Fact(CITIZENS[0]), "C": Fact(CITIZENS[2])}
    joined, refused = join([("A", "C", 30.0, False), ("A", "B", 20.0, False)], facts)
    assert dict(joined) == {"A": "A", "B": "B", "C": "A"}
    assert refused == [("A", "B", "two_citizens")]


def test_the_middle_of_a_chain_joins_neither_of_two_far_ends_to_the_other() -> None:
    facts = {name: Fact(None, frozenset({number})) for name, number in zip("ABC", NUMBERS, strict=False)}
    joined, refused = join([("A", "B", 20.0, False), ("B", "C", 19.0, False)], facts)
    assert dict(joined) == {"A": "A", "B": "A", "C": "C"}
    assert refused == [("B", "C", "two_numbers")]


@pytest.mark.parametrize(
    ("typed", "read"),
    [("003 068 357 295", {"003068357295"}), ("3068357295", set()), ("=003068357295", set()), ("", set())],
)
def test_only_numbers_written_as_they_should_be_speak_against_a_person(typed: str, read: set[str]) -> None:
    assert numbers_in([typed, None]) == read


def test_a_birth_date_that_stands_for_an_unknown_one_speaks_against_nobody() -> None:
    assert days_in(["01/01/1950", "1950", "07/1950", "", None]) == set()
    assert days_in(["30/07/1950", "1950-07-30"]) == {"1950-07-30"}
