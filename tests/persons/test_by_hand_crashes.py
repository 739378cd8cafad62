"""A process that dies between any two steps, and eight that write at once."""

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event

from linkage.errors import UserError
from linkage.persons.by_hand import merge, unmerge
from linkage.store import Store, native_id, open_store

Build = Callable[..., int]
BY_HAND: dict[str, Any] = {"because": "checked by phone", "actor": "clerk"}
A, B = (native_id(subject) for subject in "ab")


def state(store: Store) -> tuple[list[dict[str, object]], list[object], int]:
    """Where everybody stands, which bonds hold, and how many entries there are."""
    with store.reading() as reader:
        return reader.subjects().read_all().to_pylist(), list(reader.bonds()), reader.head().number


@contextmanager
def dying(store: Store, step: int) -> Iterator[None]:
    """This process ends, without a word to anybody, before the store sends its statement of this number."""
    left = iter(range(step))

    def count(*_: object) -> None:
        if next(left, None) is None:
            os._exit(1)

    event.listen(store._engine, "before_cursor_execute", count)
    event.listen(store._engine, "commit", count)
    yield
    os._exit(0)


def in_a_child(work: Callable[[], None]) -> int:
    """Run in a process of its own, which ends by itself; its exit status."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


STEPS: dict[str, Callable[[Store, Build], object]] = {
    "build": lambda store, machine: machine(store, dict.fromkeys("abcde", "1")),
    "merge": lambda store, _: merge(store, A, native_id("c"), **BY_HAND),
    "unmerge": lambda store, _: unmerge(store, B, **BY_HAND),
    "split": lambda store, _: unmerge(store, native_id("d"), subjects=["e"], **BY_HAND),
    "rebuild": lambda store, _: store.rebuild(),
}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("name", STEPS)
def test_a_process_that_dies_leaves_all_or_nothing(
    name: str, kind: str, new_database: Callable[[str], str], machine: Build
) -> None:
    url = new_database(kind)
    with open_store(url) as store:
        machine(store, {"a": "1", "b": "2", "c": "3", "d": "4", "e": "4"})
        merge(store, A, B, **BY_HAND)
        before = state(store)

    def work(step: int) -> None:
        with open_store(url) as store, dying(store, step):
            STEPS[name](store, machine)

    deaths = 0
    while in_a_child(partial(work, deaths)) == 1:
        deaths += 1
        with open_store(url) as store:
            assert state(store) == before
            assert store.verify() == []
    assert deaths > 3
    with open_store(url) as store:
        assert (state(store) == before) == (name == "rebuild")
        assert store.verify() == []


def _scribble(url: str, seed: int) -> None:
    draw = random.Random(seed)
    ids = [native_id(f"s{place}") for place in range(12)]
    with open_store(url) as store:
        for _ in range(6):
            try:
                if draw.random() < 0.6:
                    merge(store, *draw.sample(ids, 2), because="checked", actor=f"clerk {seed}")
                else:
                    unmerge(store, draw.choice(ids), because="checked", actor=f"clerk {seed}")
            except UserError as error:
                if not error.key.startswith("by_hand."):
                    raise


def test_eight_writers_at_once_give_the_state_of_their_entries_one_after_the_other(
    store_url: str, new_database: Callable[[str], str], machine: Build
) -> None:
    groups = {f"s{place}": str(place) for place in range(12)}
    with open_store(store_url) as store:
        machine(store, groups)
    children = []
    for seed in range(8):
        child = os.fork()
        if child == 0:
            try:
                _scribble(store_url, seed)
            except BaseException as error:  # noqa: BLE001 # the parent sees the status alone
                sys.stderr.write(repr(error))
                os._exit(1)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
    with open_store(store_url) as store, open_store(new_database("sqlite")) as serial:
        machine(serial, groups)
        assert store.verify() == []
        with store.reading() as reader:
            entries = list(reader.entries())[1:]
        assert len({entry.actor for entry in entries}) > 1
        for entry in entries:
            said = json.loads(entry.evidence)
            if "restates" in said:
                continue
            if entry.kind == "merge":
                merge(serial, said["a"], said["b"], **BY_HAND)
            else:
                unmerge(serial, said["person"], **BY_HAND)
        assert state(serial) == state(store)
