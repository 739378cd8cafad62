"""Entries are numbered without gaps, chained, and written as a whole or not at all."""

import hashlib
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.store import Bond, Change, Draft, Head, Store, Writer, native_id, open_store
from linkage.store.records import FIRST, RowsDigest

Ledger = Callable[[str], Store]
CELL = st.none() | st.text(st.characters(codec="utf-8"), max_size=3)


@given(st.lists(st.lists(st.tuples(CELL, CELL), max_size=4), max_size=4))
def test_a_digest_does_not_know_how_rows_were_cut_into_batches(
    batches: list[list[tuple[str | None, str | None]]],
) -> None:
    digest = RowsDigest()
    digest.begin("change")
    for batch in batches:
        digest.add(batch)
    digest.begin("bond")
    rows = [row for batch in batches for row in batch]
    text = json.dumps(["change", rows, "bond", []], ensure_ascii=False, separators=(",", ":"))
    assert digest.hexdigest() == hashlib.sha256(text.encode()).hexdigest()


def test_an_empty_store_has_no_entry_and_nobody(store_url: str) -> None:
    with open_store(store_url) as store, store.reading() as reader:
        assert reader.head() == Head(0, FIRST)
        assert reader.subjects().read_all().num_rows == 0
        assert reader.follow("Pnobody") is None
        assert reader.history("Pnobody") == []
        assert store.verify() == []


def test_a_ledger_reads_back_what_was_written(store_url: str, small_ledger: Ledger) -> None:
    a, b, c, _ = (native_id(subject) for subject in "abcd")
    with small_ledger(store_url) as store, store.reading() as reader:
        entries = list(reader.entries())
        assert [(entry.number, entry.kind, entry.at) for entry in entries] == [
            (1, "build", "2026-01-01T12:00:00+00:00"),
            (2, "merge", "2026-01-01T12:00:01+00:00"),
            (3, "unmerge", "2026-01-01T12:00:02+00:00"),
            (4, "build", "2026-01-01T12:00:03+00:00"),
        ]
        assert [entry.previous for entry in entries] == [FIRST, *(entry.hash for entry in entries[:-1])]
        assert all(entry.hash == entry.sealed() for entry in entries)
        assert (entries[0].run, entries[0].model, entries[2].undoes) == ("1" * 64, "m@1", 2)
        assert (entries[1].because, entries[1].evidence) == ("họ là một người", f'{{"a":"{a}","b":"{b}"}}')
        assert reader.head() == Head(4, entries[-1].hash)
        assert [row["person_id"] for row in reader.subjects().read_all().to_pylist()] == [a, a, c, native_id("d")]
        assert set(reader.identifiers().read_all()["founder"].to_pylist()) == set("abcd")
        assert [(bond.entry, bond.kind, bond.left, bond.right, bond.away) for bond in reader.bonds()] == [
            (2, "together", frozenset("a"), frozenset("b"), frozenset("c")),
            (3, "apart", frozenset("c"), frozenset("ab"), frozenset()),
        ]
        standing = reader.follow(b)
        assert standing is not None
        assert (standing.minted, standing.founder, standing.base, standing.person_id) == (1, "b", b, a)


def test_a_history_has_all_that_touched_a_person_and_nothing_else(store_url: str, small_ledger: Ledger) -> None:
    a, _, c, d = (native_id(subject) for subject in "abcd")
    with small_ledger(store_url) as store, store.reading() as reader:
        build, merged, parted = reader.history(a)
        assert [change.subject for change in build.changes] == ["a", "b"]
        # c was of this person, and left it
        assert [change.subject for change in parted.changes] == ["c"]
        assert merged.bond == Bond(2, "together", frozenset("a"), frozenset("bc"))
        assert (parted.bond, parted.lifted) == (Bond(3, "apart", frozenset("c"), frozenset("ab")), (2,))
        assert [event.entry.number for event in reader.history(c)] == [1, 2, 3]
        assert [event.entry.number for event in reader.history(d)] == [1]


def test_the_same_events_at_the_same_time_give_the_same_hash(
    small_ledger: Ledger, new_database: Callable[[str], str]
) -> None:
    heads = set()
    for kind in ("sqlite", "postgresql"):
        with small_ledger(new_database(kind)) as store, store.reading() as reader:
            heads.add(reader.head())
    assert len(heads) == 1


@pytest.mark.parametrize(
    "changes",
    [
        [("f", None, "B", None, "B", None, None), ("e", None, "B", None, "B", None, None)],
        [("e", None, "B", None, "B", None, None), ("e", None, "B", None, "B", None, None)],
        [("a", None, "B", None, "B", None, None)],
        [("a", native_id("a"), "B", native_id("a"), "B", "003000000001", None)],
        [("e", "A", "B", None, "B", None, None)],
    ],
    ids=["unsorted", "twice", "known as new", "wrong citizen", "new as known"],
)
def test_changes_that_do_not_fit_the_state_are_not_written(
    changes: list[Change], store_url: str, small_ledger: Ledger
) -> None:
    with small_ledger(store_url) as store:
        with pytest.raises(ValueError, match="change"), store.writing() as writer:
            writer.append(Draft("build", "machine"), changes=changes)
        assert store.verify() == []
        with store.reading() as reader:
            assert reader.head().number == 4


def _append_and_fail(writer: Writer) -> None:
    writer.append(Draft("build", "machine"), changes=[("e", None, "E", None, "E", None, None)])
    writer.append(Draft("build", "machine", evidence={"set": {1}}))


def test_whatever_is_raised_undoes_the_whole_transaction(store_url: str, small_ledger: Ledger) -> None:
    with small_ledger(store_url) as store:
        with pytest.raises(TypeError, match="JSON"), store.writing() as writer:
            _append_and_fail(writer)
        with store.reading() as reader:
            assert reader.head().number == 4
            assert reader.places(["e"]) == {}


def test_what_a_database_cannot_hold_is_one_message(small_ledger: Ledger, new_database: Callable[[str], str]) -> None:
    with small_ledger(new_database("postgresql")) as store:
        with pytest.raises(UserError, match="NUL") as refused, store.writing() as writer:
            writer.append(Draft("build", "machine"), changes=[("e\0", None, "E", None, "E", None, None)])
        assert refused.value.key == "store.database"
        assert store.verify() == []


@pytest.mark.parametrize("kind", ["build", "merge", "unmerge"])
def test_who_worked_on_older_persons_must_begin_again(kind: str, store_url: str, small_ledger: Ledger) -> None:
    with small_ledger(store_url) as store:
        with store.writing(after=4) as writer:
            writer.append(Draft(kind, "machine"))
        with pytest.raises(UserError) as refused, store.writing(after=4):
            pass
        assert refused.value.key == "store.moved"


def test_reviewers_do_not_keep_persons_from_being_built(store_url: str, small_ledger: Ledger) -> None:
    with small_ledger(store_url) as store:
        with store.writing() as writer:
            for kind in ("view", "answer", "undo", "import", "queue", "login", "account", "sample"):
                writer.append(Draft(kind, "clerk"))
        with store.writing(after=4) as writer:
            assert writer.append(Draft("build", "machine")) == 13


@pytest.mark.parametrize("before", [0, 1])
def test_a_first_build_after_other_entries_is_as_any(before: int, store_url: str) -> None:
    with open_store(store_url) as store:
        with store.writing() as writer:
            for _ in range(before):
                writer.append(Draft("login", "clerk"))
            writer.append(Draft("build", "machine"), changes=[("e", None, "E", None, "E", None, None)])
        assert store.verify() == []


def test_a_reader_sees_one_state_whatever_is_written_meanwhile(store_url: str, small_ledger: Ledger) -> None:
    with small_ledger(store_url) as store, open_store(store_url) as other, store.reading() as reader:
        before = reader.head()
        with other.writing() as writer:
            writer.append(Draft("build", "machine"), changes=[("e", None, "E", None, "E", None, None)])
        assert reader.head() == before
        assert reader.places(["e"]) == {}


@pytest.mark.parametrize("verb", ["UPDATE {} SET entry = 7", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["entry", "change", "identifier", "bond", "bond_member", "answer"])
def test_the_ledger_is_append_only(
    verb: str, table: str, small_ledger: Ledger, new_database: Callable[[str], str]
) -> None:
    for kind in ("sqlite", "postgresql"):
        with small_ledger(new_database(kind)) as store:
            statement = verb.format(table).replace("entry = 7", "number = 7" if table == "entry" else "entry = 7")
            with pytest.raises(UserError, match="append-only"), store.writing() as writer:
                writer.connection.exec_driver_sql(statement)
            assert store.verify() == []


def test_the_state_can_be_made_again_from_the_ledger(store_url: str, small_ledger: Ledger) -> None:
    with small_ledger(store_url) as store:
        with store.reading() as reader:
            before = reader.subjects().read_all()
        with store.writing() as writer:
            writer.connection.exec_driver_sql("DELETE FROM subject WHERE subject <> 'a'")
            writer.connection.exec_driver_sql("UPDATE subject SET person_id = 'P'")
            writer.connection.exec_driver_sql("UPDATE review_case SET state = 'disputed', first_reader = NULL")
        assert [problem.kind for problem in store.verify()] == ["state"]
        store.rebuild()
        assert store.verify() == []
        with store.reading() as reader:
            assert reader.subjects().read_all() == before
            cases = "SELECT case_id, state, first_reader, outcome, citizen_id FROM review_case ORDER BY 1"
            assert [tuple(row) for row in reader.connection.exec_driver_sql(cases)] == [
                ("case 1", "settled", "clerk", "citizen", "003000000001"),
                ("case 2", "open", "clerk", None, None),
            ]
