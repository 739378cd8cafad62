"""Whatever somebody changes behind the program's back, verify sees it."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from linkage.store import Problem, Store
from linkage.store.schema import METADATA, OF_AN_ENTRY, SUBJECT
from linkage.store.verifying import verify

Ledger = Callable[[str], Store]
TABLES = ["entry", *(table.name for table in OF_AN_ENTRY), SUBJECT.name]
CELLS = [(table, column.name) for table in TABLES for column in METADATA.tables[table].columns]
NUMBERS = {"number", "undoes", "entry", "bond", "live", "first_entry", "reading", "seconds"}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, new_database: Callable[[str], str], small_ledger: Ledger) -> Iterator[Store]:
    """A ledger without its triggers."""
    with small_ledger(new_database(request.param)) as store:
        with store.writing() as writer:
            for table in TABLES[:-1]:
                if request.param == "postgresql":
                    names, suffix = [f"{table}_append_only"], f" ON {table}"
                else:
                    names, suffix = [f"{table}_no_update", f"{table}_no_delete"], ""
                for name in names:
                    writer.connection.exec_driver_sql(f"DROP TRIGGER {name}{suffix}")
        yield store


def _found(store: Store, *statements: str, head: str | None = None) -> set[str]:
    """What verify finds after the statements, which are then taken back."""
    with store.writing() as writer:
        transaction = writer.connection.begin_nested()
        for statement in statements:
            assert writer.connection.execute(text(statement)).rowcount
        found = {problem.kind for problem in verify(writer, head)}
        transaction.rollback()
    assert store.verify() == []
    return found


ROWS = {"entry": "number = 2", "bond": "entry = 2", "subject": "subject = 'b'", "identifier": "founder = 'b'"} | {
    "answer": "entry = 2 AND case_id = 'case 1'"
}


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_one_edited_cell_is_found(table: str, column: str, ledger: Store) -> None:
    row = ROWS.get(table, "entry = 2 AND subject = 'b'")
    value = "77" if column in NUMBERS else "'x'"
    assert _found(ledger, f"UPDATE {table} SET {column} = {value} WHERE {row}")


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_found(table: str, ledger: Store) -> None:
    row = ROWS.get(table, "entry = 2 AND subject = 'b'")
    assert _found(ledger, f"DELETE FROM {table} WHERE {row}")


@pytest.mark.parametrize("entry", [2, 4, 5])
@pytest.mark.parametrize("table", TABLES)
def test_an_inserted_row_is_found(table: str, entry: int, ledger: Store) -> None:
    new = {"number": "5", "subject": "'e'", "person_id": "'E'", "case_id": "'case 3'"} | {"entry": str(entry)}
    columns = [column.name for column in METADATA.tables[table].columns]
    row = ROWS.get(table, "entry = 2 AND subject = 'b'")
    if table == "bond" and entry == 2:
        row, new = "entry = 3", {"entry": "1"}
    values = ", ".join(new.get(column, column) for column in columns)
    assert _found(ledger, f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE {row}")


def test_entries_in_another_order_are_found(ledger: Store) -> None:
    swap = ["UPDATE entry SET number = 99 WHERE number = 2", "UPDATE entry SET number = 2 WHERE number = 3"]
    assert _found(ledger, *swap, "UPDATE entry SET number = 3 WHERE number = 99") >= {"entry", "chain"}


@pytest.mark.parametrize(
    ("column", "value"),
    [("state", "'open'"), ("state", "'withdrawn'"), ("outcome", "'none'"), ("citizen_id", "NULL"), ("field", "'name'")],
)
def test_a_case_that_is_not_as_its_answers_say_is_found(column: str, value: str, ledger: Store) -> None:
    assert _found(ledger, f"UPDATE review_case SET {column} = {value} WHERE case_id = 'case 1'") == {"state"}


def test_a_case_that_only_waits_may_be_withdrawn_or_held(ledger: Store) -> None:
    for change in ("state = 'withdrawn'", "holder = 'x', held_until = 'y'", "place = 7"):
        assert _found(ledger, f"UPDATE review_case SET {change} WHERE case_id = 'case 2'") == set()


def test_a_case_with_answers_that_is_gone_is_found(ledger: Store) -> None:
    assert _found(ledger, "DELETE FROM review_case WHERE case_id = 'case 1'") == {"lost_cases"}


def test_a_gap_in_the_middle_is_found(ledger: Store) -> None:
    assert _found(ledger, "DELETE FROM entry WHERE number = 3") >= {"gap", "chain", "orphans"}


def test_an_edited_entry_whose_hash_is_made_anew_breaks_the_chain(ledger: Store) -> None:
    with ledger.reading() as reader:
        entry = list(reader.entries())[1]
    forged = replace(entry, because="forged").sealed()
    edit = f"UPDATE entry SET because = 'forged', hash = '{forged}' WHERE number = 2"
    assert _found(ledger, edit) == {"chain"}


def test_a_tail_that_was_cut_off_is_found_by_a_hash_written_down_elsewhere(ledger: Store) -> None:
    with ledger.reading() as reader:
        head, earlier = reader.head().hash, next(reader.entries()).hash
    cut = "DELETE FROM entry WHERE number = 4"
    assert _found(ledger, cut) == set()
    assert _found(ledger, cut, head=head) == {"head"}
    assert _found(ledger, cut, head=earlier) == set()
    assert ledger.verify(head) == []


def test_a_problem_says_what_it_is_about_in_both_languages() -> None:
    for language in ("en", "vi"):
        for kind in ("gap", "chain", "entry", "rows", "head", "orphans", "state", "lost_cases"):
            said = Problem(kind, entry=12, count=34).in_language(language)
            assert ("12" in said) == (kind in {"gap", "chain", "entry", "rows"})
            assert ("34" in said) == (kind in {"orphans", "state", "lost_cases"})
