"""Whatever happens, in whatever order: nobody is lost, no id is reused, what a human said holds and can be undone."""

import itertools
from collections.abc import Callable
from contextlib import closing
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from linkage.errors import UserError
from linkage.persons.bonds import keep_apart, violated
from linkage.persons.by_hand import Merged, Unmerged, merge, unmerge
from linkage.store import Bond, Place, Store, native_id, open_store

Build = Callable[..., int]
BY_HAND: dict[str, Any] = {"because": "checked by phone", "actor": "clerk"}
EXAMPLES = {"sqlite": 20, "postgresql": 3}
UNTIMED: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}


def places(store: Store) -> list[Place]:
    """The current state."""
    with store.reading() as reader:
        return [Place(*row.values()) for row in reader.subjects().read_all().to_pylist()]


def together(store: Store) -> dict[int, Bond]:
    """The bonds that hold."""
    with store.reading() as reader:
        return {bond.entry: bond for bond in reader.bonds()}


def persons(state: list[Place]) -> dict[str, str]:
    """The person of each subject."""
    return {place.subject: place.person_id for place in state}


class Histories(RuleBasedStateMachine):
    """Builds with random groups, merges and unmerges of random ids, beside what they must leave true."""

    def __init__(self, store: Store, machine: Build) -> None:
        super().__init__()
        self.store = store
        self.machine = machine
        self.subjects: list[str] = []
        self.given_out: dict[str, str] = {}
        self.one: set[tuple[str, str]] = set()
        self.two: set[tuple[str, str]] = set()

    @initialize(data=st.data())
    def first_build(self, data: st.DataObject) -> None:
        self.build(data)

    @rule(data=st.data())
    def build(self, data: st.DataObject) -> None:
        if len(self.subjects) < 12:
            new = data.draw(st.integers(0, 4))
            self.subjects += [f"s{len(self.subjects) + place}" for place in range(new)] or ["s0"] * (not self.subjects)
        labels = st.sampled_from(["a", "b", "c", "d", "e", "f", "g"])
        groups = {subject: data.draw(labels) for subject in self.subjects}
        self.machine(self.store, groups, {"a": "citizen a", "b": "citizen b"} if data.draw(st.booleans()) else {})
        now = persons(places(self.store))
        assert all(now[one] == now[other] for one, other in self.one)
        assert all(now[one] != now[other] for one, other in self.two)

    def _merged(self, a: str, b: str) -> tuple[Merged, dict[str, str]] | None:
        before = persons(places(self.store))
        first, second = (before[self.given_out[one]] for one in (a, b))
        try:
            result = merge(self.store, a, b, **BY_HAND)
        except UserError as error:
            refused = "by_hand.already_one" if first == second else "by_hand.two_citizens"
            if error.key != refused:
                raise
            return None
        now = persons(places(self.store))
        assert [first, second].count(result.person_id) == 1
        assert {*result.redirected, result.person_id} == {first, second}
        assert now == {one: result.person_id if who in (first, second) else who for one, who in before.items()}
        assert set(result.subjects) == {one for one in now if now[one] != before[one]}
        return result, now

    @rule(data=st.data())
    def merge(self, data: st.DataObject) -> None:
        a, b = (data.draw(st.sampled_from(sorted(self.given_out))) for _ in range(2))
        done = self._merged(a, b)
        if done:
            self.one.add((self.given_out[a], self.given_out[b]))
            revoked = {one for one, other in self.two if done[1][one] == done[1][other]}
            self.two = {pair for pair in self.two if pair[0] not in revoked}

    @rule(data=st.data(), way=st.sampled_from(["entry", "redirected"]))
    def merge_and_back(self, data: st.DataObject, way: str) -> None:
        a, b = (data.draw(st.sampled_from(sorted(self.given_out))) for _ in range(2))
        before, bonds = places(self.store), together(self.store)
        done = self._merged(a, b)
        if done is None:
            return
        merged = done[0]
        if way == "entry":
            back = unmerge(self.store, a, entry=merged.entry, **BY_HAND)
        else:
            with self.store.reading() as reader:
                standings = [reader.follow(one) for one in (a, b)]
            # the base that a human named; an id that leads there by a build would leave it
            asked = next((one.base for one in standings if one and one.base in merged.redirected), None)
            if asked is None:
                back = unmerge(self.store, a, entry=merged.entry, **BY_HAND)
            else:
                back = unmerge(self.store, asked, **BY_HAND)
        assert places(self.store) == before
        assert {entry: bond for entry, bond in together(self.store).items() if entry != back.entry} == bonds
        assert set(back.subjects) == set(merged.subjects)
        assert back.living == merged.redirected
        self._remember_parted(back)

    @rule(data=st.data())
    def unmerge(self, data: st.DataObject) -> None:
        asked = data.draw(st.sampled_from(sorted(self.given_out)))
        before = persons(places(self.store))
        everybody = [one for one, who in before.items() if who == before[self.given_out[asked]]]
        bonds = [bond.entry for bond in together(self.store).values() if bond.kind == "together"]
        how = data.draw(st.sampled_from(["id", "subjects", "entry"]))
        chosen = data.draw(st.sets(st.sampled_from(everybody), min_size=1)) if how == "subjects" else ()
        entry = data.draw(st.sampled_from(bonds)) if how == "entry" and bonds else None
        try:
            result = unmerge(self.store, asked, subjects=chosen, entry=entry, **BY_HAND)
        except UserError as error:
            if error.key not in REFUSALS:
                raise
            assert persons(places(self.store)) == before
            return
        now = persons(places(self.store))
        assert {one for one in now if now[one] != before[one]} == set(result.subjects) <= set(everybody)
        assert len({now[one] for one in everybody}) > 1
        assert set(result.living) == set(now.values()) - set(before.values())
        if chosen:
            assert not {now[one] for one in chosen} & {
                now[one] for one in set(everybody) - {*chosen, *self._along(result)}
            }
        self._remember_parted(result)

    def _along(self, result: Unmerged) -> set[str]:
        bonds = together(self.store)
        named = set().union(*(bonds[entry].subjects for entry in result.along))
        now = persons(places(self.store))
        return {one for one in now if now[one] in {now[other] for other in named}}

    def _remember_parted(self, result: Unmerged) -> None:
        now = persons(places(self.store))
        bond = together(self.store)[result.entry]
        self.two |= set(itertools.product(bond.left, bond.right))
        self.one = {(one, other) for one, other in self.one if now[one] == now[other]}

    @precondition(lambda self: self.subjects)
    @invariant()
    def everybody_is_somebody(self) -> None:
        state = places(self.store)
        assert [place.subject for place in state] == sorted(self.subjects)
        with self.store.reading() as reader:
            minted = reader.identifiers().read_all().to_pylist()
            bonds = reader.bonds()
        ids = {row["person_id"]: row["founder"] for row in minted}
        assert self.given_out.items() <= ids.items()
        assert all(native_id(founder) == one for one, founder in ids.items())
        self.given_out = ids
        age = {row["founder"]: (row["entry"], row["person_id"]) for row in minted}
        for name in ("base", "person_id"):
            held: dict[str, list[str]] = {}
            for place in state:
                held.setdefault(getattr(place, name), []).append(place.subject)
            for group, members in held.items():
                assert group == min(age[one] for one in members if one in age)[1]
        assert not violated({place.subject: place.base for place in state}, bonds)
        now = persons(state)
        assert all(now[one] != now[other] for one, other in self.two)

    def teardown(self) -> None:
        assert self.store.verify() == []
        before = places(self.store)
        self.store.rebuild()
        assert places(self.store) == before
        self.store.close()


REFUSALS = {f"by_hand.{name}" for name in ("nothing", "ambiguous", "all_subjects", "several_bases", "entry")}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_history_keeps_the_laws(kind: str, new_database: Callable[[str], str], machine: Build) -> None:
    class Here(Histories):
        def __init__(self) -> None:
            super().__init__(open_store(new_database(kind)), machine)

    run_state_machine_as_test(
        Here,
        settings=settings(max_examples=EXAMPLES[kind], stateful_step_count=15, **UNTIMED),
    )


GROUPS = st.lists(st.sampled_from("abcdef"), min_size=9, max_size=9)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_any_order_of_merges_gives_one_state_and_any_order_of_undoing_the_first(
    kind: str, new_database: Callable[[str], str], machine: Build
) -> None:
    @settings(max_examples=EXAMPLES[kind], **UNTIMED)
    @given(st.lists(GROUPS, min_size=1, max_size=3), st.data())
    def law(builds: list[list[str]], data: st.DataObject) -> None:
        with closing(open_store(new_database(kind))) as one, closing(open_store(new_database(kind))) as other:
            for store in (one, other):
                for build in builds:
                    machine(store, {f"s{place}": group for place, group in enumerate(build)})
            start = places(one)
            with one.reading() as reader:
                ids = reader.identifiers().read_all()["person_id"].to_pylist()
            pairs = data.draw(st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), min_size=1, max_size=5))
            entries = [
                _merge_all(store, some) for store, some in ((one, pairs), (other, data.draw(st.permutations(pairs))))
            ]
            assert places(one) == places(other)
            assert len(entries[0]) == len(entries[1])
            for entry in data.draw(st.permutations(entries[0])):
                unmerge(one, _an_id(one, entry), entry=entry, **BY_HAND)
            assert places(one) == start
            assert not [bond for bond in together(one).values() if bond.kind == "together"]

    law()


def _merge_all(store: Store, pairs: list[tuple[str, str]]) -> list[int]:
    entries = []
    for a, b in pairs:
        with store.reading() as reader:
            first, second = reader.follow(a), reader.follow(b)
        assert first
        assert second
        if first.person_id != second.person_id:
            entries.append(merge(store, a, b, **BY_HAND).entry)
    return entries


def _an_id(store: Store, entry: int) -> str:
    """The person that a bond holds together."""
    now = persons(places(store))
    return now[min(together(store)[entry].subjects)]


SUBJECTS = [f"s{place}" for place in range(9)]
SIDE = st.frozensets(st.sampled_from(SUBJECTS), min_size=1, max_size=3)


@given(GROUPS, GROUPS, st.lists(st.tuples(st.booleans(), SIDE, SIDE), max_size=6), st.integers(0, 3), st.randoms())
def test_no_proposal_of_a_machine_survives_against_a_human(
    stored: list[str],
    proposed: list[str],
    sides: list[tuple[bool, frozenset[str], frozenset[str]]],
    new: int,
    random: Random,
) -> None:
    base_of = dict(zip(SUBJECTS, (f"base {name}" for name in stored), strict=True))
    bonds: list[Bond] = []
    for entry, (is_apart, left, right) in enumerate(sides, 1):
        bond = Bond(entry, "apart" if is_apart else "together", left, right - left)
        bonds += [bond] if bond.is_live and not violated(base_of, [*bonds, bond]) else []
    groups = dict(zip(SUBJECTS, proposed, strict=True)) | {f"new {place}": "a" for place in range(new)}
    minted = {base: 1 + place for place, base in enumerate(sorted(set(base_of.values())))}
    out = keep_apart(groups, base_of, bonds, minted)
    assert not violated({one: f"{group} {out.get(one, 0)}" for one, group in groups.items()}, bonds)
    assert {one for one in out if one.startswith("new")} == set()
    for one, other in itertools.combinations(SUBJECTS, 2):
        if base_of[one] == base_of[other] and groups[one] == groups[other]:
            assert out.get(one) == out.get(other)
    if not violated(groups, bonds):
        assert not out
    shuffled = random.sample(sorted(groups.items()), len(groups))
    assert keep_apart(dict(shuffled), base_of, random.sample(bonds, len(bonds)), minted) == out
