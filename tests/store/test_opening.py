"""A URL becomes a store, or one message without a password."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from linkage.errors import UserError
from linkage.store import Draft, open_store
from linkage.store.store import begin_writing

SECRET = "hunter2"  # noqa: S105 # nobody's


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("", "url"),
        ("linkage.db", "url"),
        ("sqlite://", "url"),
        ("sqlite:///:memory:", "url"),
        (f"mysql://me:{SECRET}@localhost/d", "url"),
        (f"postgresql://me:{SECRET}@localhost:port/d", "url"),
        ("sqlite:///{folder}", "folder"),
        ("sqlite:///{folder}/nowhere/x.db", "folder"),
        ("sqlite:///{folder}/text.db", "database"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/d", "database"),
        (f"postgres://me@127.0.0.1:1/d?password={SECRET}", "database"),
        (f"postgresql://me:{SECRET}@127.0.0.1:1/d?nonsense={SECRET}", "database"),
    ],
)
def test_what_is_no_store_is_refused_without_its_password(url: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database " * 100)
    with pytest.raises(UserError) as refused:
        open_store(url.replace("{folder}", str(tmp_path)))
    assert refused.value.key == f"store.{key}"
    for language in ("en", "vi"):
        assert SECRET not in refused.value.in_language(language)
    assert SECRET not in repr(refused.value)


def test_nothing_is_made_for_who_only_looks(store_url: str, tmp_path: Path) -> None:
    for url in (store_url, f"sqlite:///{tmp_path}/missing.db"):
        with pytest.raises(UserError) as refused:
            open_store(url, create=False)
        assert refused.value.key == "store.missing"
    assert not list(tmp_path.iterdir())
    open_store(store_url).close()
    open_store(store_url, create=False).close()


def test_a_newer_store_and_one_of_another_program_are_left_alone(store_url: str) -> None:
    with open_store(store_url) as store, store.writing() as writer:
        writer.connection.exec_driver_sql("UPDATE linkage_version SET version_num = '9999'")
    with pytest.raises(UserError) as refused:
        open_store(store_url)
    assert refused.value.key == "store.newer"
    with begin_writing(store._engine) as connection:
        connection.exec_driver_sql("DROP TABLE linkage_version")
    store.close()
    with pytest.raises(UserError) as refused:
        open_store(store_url)
    assert refused.value.key == "store.foreign"


def test_eight_who_open_an_empty_database_at_once_make_it_once(store_url: str) -> None:
    failed: list[BaseException] = []

    def work() -> None:
        try:
            with open_store(store_url) as store, store.writing() as writer:
                writer.append(Draft("build", "machine"))
        except BaseException as error:  # noqa: BLE001 # a thread has nobody to raise to
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with open_store(store_url, create=False) as store, store.reading() as reader:
        assert [entry.number for entry in reader.entries()] == list(range(1, 9))
        assert store.verify() == []


def test_sqlite_is_set_to_survive_a_crash(new_database: Callable[[str], str]) -> None:
    with open_store(new_database("sqlite")) as store, store.reading() as reader:
        asked = ("journal_mode", "synchronous", "foreign_keys")
        found = [reader.connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
    assert found == ["wal", 2, 1]
