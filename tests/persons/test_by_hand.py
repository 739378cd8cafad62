"""What a merge and an unmerge do and say, and what they refuse."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from linkage.errors import UserError
from linkage.persons.by_hand import merge, unmerge
from linkage.persons.cutting import Persons
from linkage.store import Store, native_id, open_store

Build = Callable[..., int]
BY_HAND: dict[str, Any] = {"because": "checked by phone", "actor": "clerk"}
A, B, C, D = (native_id(subject) for subject in "abcd")
CITIZENS = {"1": "003000000001", "2": "005000000002"}


@pytest.fixture
def store(store_url: str, machine: Build) -> Iterator[Store]:
    """Four subjects, minted one after the other, each of a person of its own."""
    opened = open_store(store_url)
    for number in range(1, 5):
        machine(opened, {subject: subject for subject in "abcd"[:number]})
    yield opened
    assert opened.verify() == []
    opened.close()


def persons(store: Store) -> dict[str, str]:
    with store.reading() as reader:
        rows = reader.subjects().read_all().to_pylist()
    return {row["subject"]: row["person_id"] for row in rows}


def citizens(store: Store, person: str) -> set[str]:
    with store.reading() as reader:
        return Persons.read(reader, [person]).citizens()[person]


def test_the_elder_id_lives_on_and_the_other_leads_to_it(store: Store) -> None:
    result = merge(store, C, A, **BY_HAND)
    assert (result.person_id, result.redirected, result.subjects, result.lifted) == (A, (C,), ("c",), ())
    assert persons(store) == {"a": A, "b": B, "c": A, "d": D}
    with store.reading() as reader:
        standing = reader.follow(C)
    assert standing is not None
    assert (standing.founder, standing.base, standing.person_id) == ("c", C, A)


def test_whoever_was_merged_with_the_one_that_leaves_goes_along(store: Store) -> None:
    first = merge(store, A, B, **BY_HAND)
    second = merge(store, B, C, **BY_HAND)
    merge(store, A, D, **BY_HAND)
    result = unmerge(store, B, **BY_HAND)
    assert persons(store) == {"a": A, "b": B, "c": B, "d": A}
    assert (result.person_id, result.living, result.minted, result.subjects) == (A, (B,), (), ("b", "c"))
    assert (result.lifted, result.along) == ((first.entry,), (second.entry,))
    with store.reading() as reader:
        [*_, last] = reader.entries()
    assert (last.kind, last.undoes, last.because) == ("unmerge", first.entry, "checked by phone")


def test_a_machine_does_not_merge_again_what_a_human_parted(store: Store, machine: Build) -> None:
    merge(store, A, B, **BY_HAND)
    parted = unmerge(store, A, **BY_HAND)
    machine(store, {"a": "1", "b": "1", "c": "1", "d": "2", "e": "1"}, CITIZENS)
    now = persons(store)
    assert now["a"] == now["c"] == now["e"] == A
    assert now["b"] == B
    again = merge(store, A, B, **BY_HAND)
    assert again.lifted == (parted.entry,)
    machine(store, dict.fromkeys("abcde", "1"))
    assert set(persons(store).values()) == {A}


def test_what_a_machine_agreed_to_can_be_taken_back(store: Store, machine: Build) -> None:
    merged = merge(store, A, B, **BY_HAND)
    machine(store, {"a": "1", "b": "1", "c": "1", "d": "2"}, CITIZENS)
    assert unmerge(store, A, **BY_HAND).lifted == (merged.entry,)
    assert persons(store) == {"a": A, "b": B, "c": A, "d": D}


def test_an_id_that_a_machine_merged_away_lives_again_with_what_it_held(store: Store, machine: Build) -> None:
    machine(store, {"a": "1", "b": "2", "c": "2", "d": "4"}, CITIZENS)
    machine(store, {"a": "1", "b": "1", "c": "1", "d": "1"}, CITIZENS)
    result = unmerge(store, B, **BY_HAND)
    assert persons(store) == {"a": A, "b": B, "c": B, "d": A}
    assert result.living == (B,)
    assert citizens(store, A) == {CITIZENS["1"]}
    assert citizens(store, B) == {CITIZENS["2"]}
    machine(store, dict.fromkeys("abcd", "1"), CITIZENS)
    assert persons(store) == {"a": A, "b": B, "c": B, "d": A}
    assert citizens(store, B) == {CITIZENS["2"]}


def test_some_subjects_leave_with_an_id_of_their_own_and_no_citizen(store: Store, machine: Build) -> None:
    machine(store, dict.fromkeys("abcdef", "1"), CITIZENS)
    result = unmerge(store, A, subjects=["e", "f"], **BY_HAND)
    founder = min("ef", key=native_id)
    assert result.minted == result.living == (native_id(founder),)
    assert result.subjects == ("e", "f")
    assert citizens(store, native_id(founder)) == set()
    assert unmerge(store, A, subjects=["a"], **BY_HAND).living == (B,)
    assert persons(store) == {"a": A, "b": B, "c": B, "d": B} | dict.fromkeys("ef", native_id(founder))


def test_who_was_merged_with_a_subject_that_leaves_goes_along(store: Store, machine: Build) -> None:
    merge(store, D, B, **BY_HAND)
    machine(store, {"a": "1", "b": "2", "c": "3", "d": "1"})
    assert persons(store) == {"a": A, "b": A, "c": C, "d": A}
    unmerge(store, A, subjects=["d"], **BY_HAND)
    assert persons(store) == {"a": A, "b": B, "c": C, "d": B}


def test_of_several_bonds_in_a_circle_all_that_lead_back_are_lifted(store: Store, machine: Build) -> None:
    machine(store, {"a": "1", "b": "2", "c": "3", "d": "4"})
    entries = [
        merge(store, A, C, **BY_HAND).entry,
        merge(store, B, D, **BY_HAND).entry,
        merge(store, C, D, **BY_HAND).entry,
    ]
    machine(store, {"a": "1", "b": "1", "c": "3", "d": "4"})
    result = unmerge(store, C, **BY_HAND)
    assert persons(store) == {"a": A, "b": A, "c": C, "d": A}
    assert result.lifted == (entries[0], entries[2])


def test_a_merge_is_no_longer_that_of_a_subject_that_left_it(store: Store, machine: Build) -> None:
    machine(store, {"a": "1", "b": "1", "c": "3", "d": "4"})
    merged = merge(store, A, C, **BY_HAND)
    unmerge(store, A, subjects=["b"], **BY_HAND)
    with pytest.raises(UserError) as refused:
        unmerge(store, B, entry=merged.entry, **BY_HAND)
    assert refused.value.key == "by_hand.entry"
    assert persons(store) == {"a": A, "b": B, "c": A, "d": D}


def test_two_that_leave_together_are_still_one_by_the_same_word(store: Store, machine: Build) -> None:
    machine(store, {"a": "1", "b": "2", "c": "1", "d": "4"})
    merged = merge(store, A, B, **BY_HAND)
    machine(store, dict.fromkeys("abcd", "1"))
    result = unmerge(store, A, subjects=["b", "c"], **BY_HAND)
    assert result.lifted == (merged.entry,)
    assert result.along == (result.entry + 1,)
    machine(store, {"a": "1", "b": "2", "c": "3", "d": "4"})
    assert persons(store) == {"a": A, "b": B, "c": B, "d": D}


def test_the_citizen_that_a_human_named_last_is_the_person_s(store: Store, machine: Build) -> None:
    machine(store, {"a": "1", "b": "2", "c": "3", "d": "4"}, CITIZENS)
    first = merge(store, A, B, citizen=CITIZENS["2"], **BY_HAND)
    assert citizens(store, A) == {CITIZENS["2"]}
    assert merge(store, A, C, **BY_HAND).person_id == A
    machine(store, {"a": "1", "b": "2", "c": "3", "d": "4"}, {"1": "003000000009"})
    assert citizens(store, A) == {CITIZENS["2"]}
    unmerge(store, B, entry=first.entry, **BY_HAND)
    assert citizens(store, A) == {"003000000009"}
    assert citizens(store, B) == set()


def test_an_undone_merge_gives_back_the_earlier_no(store: Store) -> None:
    merge(store, A, B, **BY_HAND)
    no = unmerge(store, B, **BY_HAND).entry
    yes = merge(store, A, B, **BY_HAND)
    unmerge(store, B, **BY_HAND)
    with store.reading() as reader:
        assert {no, yes.entry + 1} == {bond.entry for bond in reader.bonds()}


def _prepared(store: Store, machine: Build) -> None:
    """A, B, C by hand one person; D and e one base of another citizen."""
    machine(store, {"a": "1", "b": "b", "c": "c", "d": "2", "e": "2"}, CITIZENS)
    merge(store, A, B, **BY_HAND)
    merge(store, A, C, **BY_HAND)


@pytest.mark.parametrize(
    ("key", "call"),
    [
        ("because", lambda store: merge(store, A, D, because=" \n", actor="clerk")),
        ("because", lambda store: unmerge(store, B, because="", actor="clerk")),
        ("unknown", lambda store: merge(store, A, "Pnobody", **BY_HAND)),
        ("unknown", lambda store: unmerge(store, "Pnobody", **BY_HAND)),
        ("already_one", lambda store: merge(store, B, C, **BY_HAND)),
        ("already_one", lambda store: merge(store, D, D, **BY_HAND)),
        ("two_citizens", lambda store: merge(store, B, D, **BY_HAND)),
        ("other_citizen", lambda store: merge(store, B, D, citizen="099000000003", **BY_HAND)),
        ("nothing", lambda store: unmerge(store, D, **BY_HAND)),
        ("ambiguous", lambda store: unmerge(store, A, **BY_HAND)),
        ("entry", lambda store: unmerge(store, D, entry=6, **BY_HAND)),
        ("entry", lambda store: unmerge(store, A, entry=1, **BY_HAND)),
        ("not_theirs", lambda store: unmerge(store, A, subjects=["a", "d"], **BY_HAND)),
        ("all_subjects", lambda store: unmerge(store, D, subjects=["d", "e"], **BY_HAND)),
        ("several_bases", lambda store: unmerge(store, A, subjects=["a", "b"], **BY_HAND)),
        ("subjects_or_entry", lambda store: unmerge(store, A, subjects=["a"], entry=6, **BY_HAND)),
    ],
)
def test_what_is_refused_changes_nothing(
    key: str, call: Callable[[Store], Any], new_database: Callable[[str], str], machine: Build
) -> None:
    store = open_store(new_database("sqlite"))
    for number in range(1, 5):
        machine(store, {subject: subject for subject in "abcd"[:number]})
    _prepared(store, machine)
    with store.reading() as reader:
        before = reader.head()
    with pytest.raises(UserError) as refused:
        call(store)
    assert refused.value.key == f"by_hand.{key}"
    for language in ("en", "vi"):
        text = refused.value.in_language(language)
        assert not any(citizen in text for citizen in (*CITIZENS.values(), "099000000003"))
    if key == "ambiguous":
        assert "6, 7" in str(refused.value)
    with store.reading() as reader:
        assert reader.head() == before
    store.close()
