"""A URL becomes a store: connected, brought to the newest version of the tables, or refused in one message."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError

from linkage.errors import UserError
from linkage.store.schema import VERSION, version_of
from linkage.store.store import Store, mended

SECONDS = 300
"""How long a writer waits for the one before it."""

POOLED, THREADS = 5, 48
"""Connections of a process that are kept, and those it has at most: as many as threads of a web page and some."""


def utc_now() -> datetime:
    """The time of an entry."""
    return datetime.now(UTC)


def open_store(url: str, *, create: bool = True, clock: Callable[[], datetime] = utc_now) -> Store:
    """Connect to the operational database and bring its tables to the newest version.

    Args:
        url: ``sqlite:///linkage.db`` or ``postgresql://user@host/database``.
        create: make the tables, and the SQLite file, if there are none.
        clock: gives the time of an entry, with its zone.

    Raises:
        UserError: the URL is none, the database cannot be reached, is no database, holds no store and ``create`` is
            false, or belongs to a newer version of this program.
    """
    parsed = _parsed(url)
    shown = _shown(parsed)
    _check_file(parsed, shown, create=create)
    engine = _engine(parsed)
    try:
        with mended(parsed, shown):
            _bring_up_to_date(engine, shown, create=create)
    except BaseException:
        engine.dispose()
        raise
    return Store(engine, shown, clock)


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # the text may hold a password, hence it is not repeated
        raise UserError("store.url") from None
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername in ("sqlite", "sqlite+pysqlite") and parsed.database and parsed.database != ":memory:":
        return parsed.set(drivername="sqlite")
    raise UserError("store.url")


def _shown(url: URL) -> str:
    """The URL as messages show it: neither a password nor options, which may hold one."""
    return url.set(password=None, query={}, drivername=url.get_backend_name()).render_as_string()


def _check_file(url: URL, shown: str, *, create: bool) -> None:
    if url.get_backend_name() != "sqlite":
        return
    path = Path(url.database or "")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UserError("store.folder", store=shown)
    if not create and not path.exists():
        raise UserError("store.missing", store=shown)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        # a server that was started again has forgotten the connections of a web page
        engine = create_engine(
            url,
            pool_size=POOLED,
            max_overflow=THREADS - POOLED,
            pool_pre_ping=True,
            connect_args={"connect_timeout": 10, "autocommit": False},
        )
        event.listen(engine, "connect", _set_up_postgresql)
        return engine
    engine = create_engine(url, pool_size=POOLED, max_overflow=THREADS - POOLED, connect_args={"timeout": SECONDS})
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_up_postgresql(connection: DBAPIConnection, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET lock_timeout = '{SECONDS}s'")
    cursor.execute("SET client_min_messages = warning")
    cursor.close()
    connection.commit()


def _set_up_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # the driver would begin transactions when it thinks fit
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "temp_store = FILE",
        "cache_size = -65536",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _bring_up_to_date(engine: Engine, shown: str, *, create: bool) -> None:
    with engine.connect() as connection:
        if version_of(connection) == VERSION:
            return
    from linkage.store.upgrading import upgrade  # noqa: PLC0415 - it takes long to load, and is seldom needed

    upgrade(engine, shown, create=create)
