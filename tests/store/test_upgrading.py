"""A store that an earlier version made is brought up to date, and verifies as before."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from linkage.store import Draft, Said, Store, Writer, open_store
from linkage.store.opening import _engine, _parsed, utc_now
from linkage.store.schema import VERSION
from linkage.store.store import begin_writing
from linkage.store.upgrading import scripts
from linkage.store.verifying import verify


def _at_version(url: str, version: str) -> Store:
    """An empty store as it was at a version."""
    engine = _engine(_parsed(url))
    with begin_writing(engine) as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(Path(scripts().dir)))
        command.upgrade(config, version)
    return Store(engine, url, utc_now)


def _rows_of_0001(changes: list[list[str | None]]) -> str:
    """The digest of the rows of an entry as version 0001 wrote it, of its four tables."""
    text = json.dumps(["change", changes, "identifier", [], "bond", [], "bond_member", []], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def old_store(store_url: str) -> str:
    """The URL of a store of version 0001 with two entries."""
    change = ("e", None, "E", None, "E", None, None)
    with _at_version(store_url, "0001") as store, begin_writing(store._engine) as connection:
        writer = Writer(connection, utc_now)
        writer.append(Draft("build", "machine"), changes=[change])
        writer.append(Draft("build", "machine"))
        digests = [entry.rows for entry in writer.entries()]
    assert digests == [_rows_of_0001([list(change)]), _rows_of_0001([])]
    return store_url


def test_the_last_migration_leaves_the_version_that_is_looked_for() -> None:
    assert scripts().get_current_head() == VERSION


def test_entries_of_an_older_version_still_verify(old_store: str) -> None:
    with open_store(old_store, create=False) as store:
        assert store.verify() == []
        with store.writing() as writer:
            writer.append(Draft("view", "clerk", evidence={"case": "x"}))
        assert store.verify() == []


def test_no_answer_can_be_slipped_into_an_older_entry(old_store: str) -> None:
    with open_store(old_store, create=False) as store:
        with store.writing() as writer:
            transaction = writer.connection.begin_nested()
            writer.connection.exec_driver_sql(
                "INSERT INTO answer (entry, case_id, outcome, comment, reading) VALUES (1, 'x', 'none', '', 1)"
            )
            found = {problem.kind for problem in verify(writer, None)}
            transaction.rollback()
        assert found == {"rows", "lost_cases"}


def test_the_digest_of_answers_stands_after_the_other_tables(new_database: Callable[[str], str]) -> None:
    with open_store(new_database("sqlite")) as store, store.writing() as writer:
        writer.append(Draft("answer", "clerk"), answers=[Said("x", "none", None, None, "", 1, 5)])
        [entry] = writer.entries()
    tables = ["change", [], "identifier", [], "bond", [], "bond_member", []]
    text = json.dumps([*tables, "answer", [["x", "none", None, None, "", 1, 5]]], separators=(",", ":"))
    assert entry.rows == hashlib.sha256(text.encode()).hexdigest()
