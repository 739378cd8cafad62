"""Reading a file in a test, with what must hold of every reading."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest

from linkage.tables import DOSES, TableReport, TableSchema, read_table


@dataclass(frozen=True, slots=True)
class Outcome:
    """A report, the usable rows by row number, and the problems as (row, problem)."""

    report: TableReport
    rows: dict[int, dict[str, str | None]]
    problems: list[tuple[int, str]]
    ids: list[str | None]


def read(path: Path | str, schema: TableSchema = DOSES, columns: Mapping[str, str] | None = None) -> Outcome:
    """Read, and check what holds always."""
    with duckdb.connect() as connection:
        report = read_table(connection, schema, str(path), columns=columns)
        found = connection.execute(f"FROM {schema.name} ORDER BY key").fetchall()
        bad = connection.execute(f"SELECT key, row, problem, id FROM {schema.name}_quarantine ORDER BY key")
        quarantined = bad.fetchall()
    assert report.rows_read == report.rows_usable + report.rows_quarantined
    assert (report.rows_usable, report.rows_quarantined) == (len(found), len(quarantined))
    keys = sorted([row[0] for row in found] + [row[0] for row in quarantined])
    assert keys == list(range(report.rows_read))
    rows = {row[2]: dict(zip(schema.columns, row[3:], strict=True)) for row in found}
    return Outcome(report, rows, [(row[1], row[2]) for row in quarantined], [row[3] for row in quarantined])


@pytest.fixture(name="read", scope="session")
def _read() -> Callable[..., Outcome]:
    return read
