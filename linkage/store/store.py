"""One operational database: snapshots to read, one writer at a time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Self

import psycopg
from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import DBAPIError

from linkage.errors import UserError
from linkage.store.reading import Reader
from linkage.store.verifying import Problem, rebuild, verify
from linkage.store.writing import Writer

# any number will do, as long as every version of this program takes the same
_WRITERS = 7_264_665

_LOCK_NOT_AVAILABLE = "55P03"


class Store:
    """The operational database of a URL, made by :func:`linkage.store.open_store`; ``url`` as messages show it."""

    def __init__(self, engine: Engine, url: str, clock: Callable[[], datetime]) -> None:
        self.url = url
        self._engine = engine
        self._clock = clock
        # whoever waits for a lock of SQLite sleeps and tries again; threads of one process take turns
        self._turn = threading.Lock()

    def now(self) -> datetime:
        """The time, as entries have it."""
        return self._clock().astimezone(UTC)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """One snapshot: whatever others write meanwhile is not seen.

        Raises:
            UserError: the database cannot be reached or read.
        """
        options = {"isolation_level": "REPEATABLE READ"} if self._engine.name == "postgresql" else {}
        with (
            mended(self._engine.url, self.url),
            self._engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield Reader(connection)

    @contextmanager
    def writing(self, after: int | None = None) -> Iterator[Writer]:
        """One transaction, after all others that write: done as a whole, or, whatever is raised in it, not at all.

        Args:
            after: the number of the last entry when what is to be written about persons was worked out.

        Raises:
            UserError: entries that move persons were added since ``after``; another writer does not end; the database
                fails.
        """
        with self._turn, mended(self._engine.url, self.url), begin_writing(self._engine) as connection:
            writer = Writer(connection, self._clock)
            if after is not None and writer.moved_since(after):
                raise UserError("store.moved", store=self.url)
            yield writer

    def verify(self, head: str | None = None) -> list[Problem]:
        """What shows that the ledger or the state was tampered with; nothing, if nothing does.

        See :func:`linkage.store.verifying.verify` for what cannot be seen.
        """
        with self.reading() as reader:
            return verify(reader, head)

    def rebuild(self) -> None:
        """Make the current state again from the ledger."""
        with self.writing() as writer:
            rebuild(writer.connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()


@contextmanager
def begin_writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that no other writer runs beside."""
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        if engine.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITERS})")
        yield connection


@contextmanager
def mended(url: URL, shown: str) -> Iterator[None]:
    """What the database says becomes one message, without a password."""
    try:
        yield
    except (DBAPIError, psycopg.Error) as error:
        # COPY goes past SQLAlchemy
        cause = error.orig if isinstance(error, DBAPIError) else error
        reason = str(cause).strip().partition("\n")[0]
        for secret in (url.password, url.query.get("password")):
            reason = reason.replace(str(secret), "***") if secret else reason
        if "locked" in reason or getattr(cause, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise UserError("store.busy", store=shown) from None
        raise UserError("store.database", store=shown, reason=reason) from None
