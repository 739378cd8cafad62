"""Answers that stand: what humans finally said of each dose, for the next run to respect."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection
from sqlalchemy import Select, func, select

from linkage.deciding.answers import ANSWERS, SEEN, seen_value
from linkage.reports.reading import connect
from linkage.store import Store
from linkage.store.schema import ANSWER, CASE_CONTENT, CASE_DOSE, REVIEW_CASE

__all__ = ["standing_answers"]

_SETTLED = {"case_id": "VARCHAR", "outcome": "VARCHAR", "citizen_id": "VARCHAR", "entry": "BIGINT"}


def standing_answers(store: Store) -> pa.Table:
    """The final answer to every dose of the settled cases of the queue, by dose; the latest where there are several.

    Hidden cases and those read again for acceptance sampling do not count, nor what was undone, is disputed or waits
    for a second reader. A value that stands in any dose of a case was seen with each of them.

    Returns:
        A table of the schema ``ANSWERS``.

    Raises:
        UserError: the store cannot be read.
    """
    settled = _settled().subquery()
    contents = select(settled, CASE_CONTENT.c.content).join(CASE_CONTENT, CASE_CONTENT.c.case_id == settled.c.case_id)
    doses = select(CASE_DOSE.c.case_id, CASE_DOSE.c.dose_id).join(settled, settled.c.case_id == CASE_DOSE.c.case_id)
    with store.reading() as reader, connect() as connection:
        typed = ", ".join(f"{name} {kind}" for name, kind in _SETTLED.items())
        connection.execute(f"CREATE TABLE cases ({typed}, candidates VARCHAR[], seen UBIGINT[])")
        connection.execute("CREATE TABLE case_doses (case_id VARCHAR, dose_id VARCHAR)")
        for rows in reader.stream(contents):
            _insert(connection, f"cases {_shown()}", (*_SETTLED, "content"), rows)
        for rows in reader.stream(doses):
            _insert(connection, "case_doses FROM given", ("case_id", "dose_id"), rows)
        found = connection.sql(f"""
        SELECT {", ".join(ANSWERS.names)} FROM case_doses JOIN cases USING (case_id)
        QUALIFY row_number() OVER (PARTITION BY dose_id ORDER BY entry DESC, case_id) = 1
        ORDER BY dose_id
        """)
        return found.to_arrow_table().cast(ANSWERS)


def _settled() -> Select[Any]:
    """The settled cases of the queue, with the entry that settled each: the last that says what stands."""
    case, said = REVIEW_CASE.c, ANSWER.c
    stands = (said.outcome == case.outcome) & (func.coalesce(said.citizen_id, "") == func.coalesce(case.citizen_id, ""))
    return (
        select(case.case_id, case.outcome, case.citizen_id, func.max(said.entry).label("entry"))
        .join(ANSWER, (said.case_id == case.case_id) & (said.reading > 0) & stands)
        .where(case.kind == "queue", case.state == "settled")
        .group_by(case.case_id, case.outcome, case.citizen_id)
    )


def _shown() -> str:
    """SQL for the rows of ``cases``, from those of ``given``."""
    fields = {
        "record": "{" + ", ".join(f'"{column}": "VARCHAR"' for column in SEEN) + "}",
        "variants": "{" + ", ".join(f'"{column}": ["VARCHAR"]' for column in SEEN) + "}",
        "doses": '[{"dose_id": "VARCHAR"}]',
        "candidates": '[{"citizen_id": "VARCHAR"}]',
    }
    structure = "{" + ", ".join(f'"{name}": {kind}' for name, kind in fields.items()) + "}"
    of_record = ", ".join(seen_value(column, f"shown.record.{column}") for column in SEEN)
    # variants name no absence: of several doses any may lack a value that others have
    absent = ", ".join(seen_value(column, "NULL") for column in SEEN)
    of_others = "".join(
        f" || list_transform(coalesce(shown.variants.{column}, []), lambda other: {seen_value(column, 'other')})"
        for column in SEEN
    )
    return f"""
    SELECT {", ".join(_SETTLED)}, list_transform(shown.candidates, lambda each: each.citizen_id),
      [{of_record}] || if(len(shown.doses) > 1, [{absent}], []) {of_others}
    FROM (SELECT * EXCLUDE (content), from_json(content, '{structure}') AS shown FROM given)
    """


def _insert(connection: DuckDBPyConnection, into: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    batch = pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True)))
    connection.register("given", batch)
    connection.execute(f"INSERT INTO {into}")
    connection.unregister("given")
