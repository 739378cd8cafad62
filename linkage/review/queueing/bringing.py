"""The cases of a run brought into the store: new ones, those known already, and those no longer asked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import duckdb
import pyarrow as pa
from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table, Text, select, text

from linkage.progress import Progress, silent
from linkage.review.accounts import FACILITY
from linkage.review.queueing.inputs import Run
from linkage.store import Writer
from linkage.store.reviewing import rebuild_cases
from linkage.store.schema import CASE_CONTENT, CASE_DOSE, REVIEW_CASE

__all__ = ["UNITS", "Brought", "By", "bring"]

BATCH = 5_000
"""Cases that are in memory at a time."""

By = Literal["commune", "facility", "reviewer"]

_OF_FACILITY = f"'{FACILITY}' || c.facility"
_OF_PLACE = "c.commune, c.district, c.province"
UNITS: dict[By, str] = {
    "commune": f"coalesce({_OF_PLACE}, {_OF_FACILITY}, '')",
    "facility": f"coalesce({_OF_FACILITY}, {_OF_PLACE}, '')",
    "reviewer": f"coalesce({_OF_PLACE}, {_OF_FACILITY}, '')",
}
"""Where a case belongs."""

# what a later run may say otherwise of a case that is still asked
_QUEUED = Table(
    "queued",
    MetaData(),
    Column("case_id", Text, primary_key=True),
    Column("run", Text),
    Column("model", Text),
    Column("unit", Text),
    Column("province", Text),
    Column("district", Text),
    Column("commune", Text),
    Column("facility", Text),
    Column("reviewer", Text),
    Column("place", BigInteger),
    Column("worth", Double),
    Column("doses", Integer),
    Column("probability", Double),
    Column("waiting_since", Text),
    Column("known_outcome", Text),
    Column("known_citizen", Text),
    prefixes=["TEMPORARY"],
)
_SAID = Table(
    "said", MetaData(), Column("case_id", Text, primary_key=True), Column("content", Text), prefixes=["TEMPORARY"]
)
_GONE = Table("gone", MetaData(), Column("case_id", Text, primary_key=True), prefixes=["TEMPORARY"])

_CHANGING = [column.name for column in _QUEUED.columns if column.name != "case_id"]


@dataclass(frozen=True, slots=True)
class Brought:
    """What a run did to the queue: cases added, with something new about them, withdrawn, and asked again."""

    added: int
    updated: int
    withdrawn: int
    reopened: int

    @property
    def is_nothing(self) -> bool:
        """Whether the queue was so before."""
        return not (self.added or self.updated or self.withdrawn or self.reopened)


def bring(writer: Writer, connection: duckdb.DuckDBPyConnection, run: Run, by: By, progress: Progress) -> Brought:
    """Bring ``cases``, ``placed`` and ``dealt`` into the store.

    A case that is settled stays as it was; one that is asked keeps its state and answers, and gets what is new about
    it; one that was withdrawn is asked again. Withdrawn is what is asked, of doses that the run holds, and no case of
    the run; and hidden cases that are none of it.
    """
    _read_known(connection, writer)
    connection.execute(f"""
    CREATE OR REPLACE TEMP VIEW standing AS
    SELECT c.* EXCLUDE (content, dose_ids), {UNITS[by]} AS unit, p.place, p.readings, d.reviewer
    FROM cases AS c JOIN placed AS p USING (case_id) LEFT JOIN dealt AS d USING (case_id)
    """)
    added = _add(writer, connection, run, progress)
    updated, reopened = _update(writer, connection, run, progress)
    return Brought(added, updated, _withdraw(writer, connection), reopened)


def _read_known(connection: duckdb.DuckDBPyConnection, writer: Writer) -> None:
    """Make ``known`` (case_id, kind, state) and, of what is asked, ``known_doses`` (case_id, dose_id)."""
    of = REVIEW_CASE.c
    asked = select(of.case_id).where(of.state.in_(("open", "disputed")))
    for name, query in (
        ("known", select(of.case_id, of.kind, of.state)),
        ("known_doses", select(CASE_DOSE).where(CASE_DOSE.c.case_id.in_(asked))),
    ):
        columns = [column.name for column in query.selected_columns]
        schema = pa.schema([(column, pa.string()) for column in columns])
        batches = (
            pa.record_batch([pa.array(column, pa.string()) for column in zip(*rows, strict=True)], schema)
            for rows in writer.stream(query)
        )
        connection.register("of_store", pa.RecordBatchReader.from_batches(schema, batches))
        connection.execute(f"CREATE TABLE {name} AS FROM of_store")
        connection.unregister("of_store")


def _add(writer: Writer, connection: duckdb.DuckDBPyConnection, run: Run, progress: Progress) -> int:
    names = [column.name for column in REVIEW_CASE.columns]
    fixed = {"run": run.digest, "model": run.model_name, "queued_at": writer.now(), "state": "open", "version": 1}
    new = "ANTI JOIN known USING (case_id)"
    [(total,)] = connection.execute(f"SELECT count(*) FROM cases {new}").fetchall()
    for rows in _batches(connection, f"FROM standing {new}"):
        found = [_row(row) | fixed for row in rows]
        writer.insert(REVIEW_CASE, [tuple(row.get(name) for name in names) for row in found])
    # what is long is joined with nothing: it never has to fit in memory
    _stream(
        writer, connection, CASE_CONTENT, f"SELECT case_id, content FROM cases {new}", total=total, progress=progress
    )
    doses = f"SELECT case_id, unnest(dose_ids) AS dose_id FROM cases {new} WHERE NOT hidden"
    _stream(writer, connection, CASE_DOSE, doses)
    return int(total)


def _stream(
    writer: Writer,
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    query: str,
    *,
    total: int = 0,
    progress: Progress = silent,
) -> None:
    done = 0
    for rows in _batches(connection, query):
        writer.insert(table, [tuple(row.values()) for row in rows])
        done += len(rows)
        progress("queue store", done, total)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """The columns of the store that a row of ``standing`` gives."""
    return row | {"kind": "hidden" if row["hidden"] else "queue", "probability": row["probability"] or 0.0}


def _update(writer: Writer, connection: duckdb.DuckDBPyConnection, run: Run, progress: Progress) -> tuple[int, int]:
    """Give known cases that are not settled what is new; returns how many had something, and how many are back."""
    _QUEUED.create(writer.connection, checkfirst=False)
    _SAID.create(writer.connection, checkfirst=False)
    names = [column.name for column in _QUEUED.columns]
    asked = "SEMI JOIN (FROM known WHERE state <> 'settled') AS k USING (case_id)"
    [(total,)] = connection.execute(f"SELECT count(*) FROM cases {asked}").fetchall()
    for rows in _batches(connection, f"FROM standing {asked}"):
        found = [_row(row) | {"run": run.digest, "model": run.model_name} for row in rows]
        writer.insert(_QUEUED, [tuple(row[name] for name in names) for row in found])
    _stream(writer, connection, _SAID, f"SELECT case_id, content FROM cases {asked}", total=total, progress=progress)
    if not total:
        _drop(writer, _QUEUED, _SAID)
        return 0, 0
    differs = " OR ".join(f"review_case.{name} IS DISTINCT FROM q.{name}" for name in _CHANGING)
    run_sql = writer.connection.execute
    updated = run_sql(
        text(f"""
        UPDATE review_case SET {", ".join(f"{name} = q.{name}" for name in _CHANGING)}
        FROM queued AS q WHERE q.case_id = review_case.case_id AND ({differs})
        """)
    ).rowcount
    run_sql(
        text("""
        UPDATE case_content SET content = s.content FROM said AS s
        WHERE s.case_id = case_content.case_id AND case_content.content <> s.content
        """)
    )
    reopened = run_sql(
        text("""
        UPDATE review_case SET state = 'open', version = version + 1
        WHERE state = 'withdrawn' AND case_id IN (SELECT case_id FROM queued)
        """)
    ).rowcount
    if reopened:
        rebuild_cases(writer.connection, "a.case_id IN (SELECT case_id FROM queued)")
    _drop(writer, _QUEUED, _SAID)
    return int(updated), int(reopened)


def _withdraw(writer: Writer, connection: duckdb.DuckDBPyConnection) -> int:
    _GONE.create(writer.connection, checkfirst=False)
    query = """
    SELECT case_id FROM known ANTI JOIN cases USING (case_id)
    WHERE state IN ('open', 'disputed') AND (kind = 'hidden' OR (kind = 'queue' AND case_id IN (
      SELECT case_id FROM known_doses SEMI JOIN decisions USING (dose_id))))
    """
    for rows in _batches(connection, query):
        writer.insert(_GONE, [(row["case_id"],) for row in rows])
    gone = writer.connection.execute(
        text("""
        UPDATE review_case SET state = 'withdrawn', version = version + 1, holder = NULL, held_until = NULL
        WHERE case_id IN (SELECT case_id FROM gone)
        """)
    ).rowcount
    _drop(writer, _GONE)
    return int(gone)


def _drop(writer: Writer, *tables: Table) -> None:
    for table in tables:
        table.drop(writer.connection, checkfirst=False)


def _batches(connection: duckdb.DuckDBPyConnection, query: str) -> Iterator[Sequence[dict[str, Any]]]:
    for batch in connection.sql(query).to_arrow_reader(BATCH):
        if batch.num_rows:
            yield batch.to_pylist()
