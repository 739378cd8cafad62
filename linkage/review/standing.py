"""Answers that stand: what humans finally said of each dose, for the next run to respect."""

import pyarrow as pa
from sqlalchemy import Select, func, select

from linkage.deciding.answers import ANSWERS
from linkage.reports.reading import connect
from linkage.store import Store
from linkage.store.schema import ANSWER, CASE_CONTENT, REVIEW_CASE

__all__ = ["standing_answers"]

_DOSES = """
INSERT INTO answered
SELECT case_id, outcome, citizen_id, entry, list_transform(shown.candidates, lambda each: each.citizen_id),
  unnest(shown.records, recursive := true)
FROM (
  SELECT *, from_json(content, '{
    "candidates": [{"citizen_id": "VARCHAR"}], "records": [{"dose_id": "VARCHAR", "record": "VARCHAR"}]}') AS shown
  FROM given)
"""
"""The doses of the settled cases ``given``."""

_LATEST = f"""
SELECT {", ".join(ANSWERS.names)} FROM answered
QUALIFY row_number() OVER (PARTITION BY dose_id ORDER BY entry DESC, case_id) = 1
ORDER BY dose_id
"""


def standing_answers(store: Store) -> pa.Table:
    """The final answer to every dose of the settled cases of the queue, by dose; the latest where there are several.

    Hidden cases and those read again for acceptance sampling do not count, nor what was undone, is disputed or waits
    for a second reader.

    Returns:
        A table of the schema ``ANSWERS``.

    Raises:
        UserError: the store cannot be read.
    """
    columns = ("case_id", "outcome", "citizen_id", "entry", "content")
    with store.reading() as reader, connect() as connection:
        connection.execute("""
        CREATE TABLE answered (case_id VARCHAR, outcome VARCHAR, citizen_id VARCHAR, entry BIGINT, candidates VARCHAR[],
          dose_id VARCHAR, record VARCHAR)
        """)
        for rows in reader.stream(_settled()):
            given = pa.table(dict(zip(columns, zip(*rows, strict=True), strict=True)))
            connection.register("given", given)
            connection.execute(_DOSES)
            connection.unregister("given")
        return connection.sql(_LATEST).to_arrow_table().cast(ANSWERS)


def _settled() -> Select[tuple[str, str, str | None, int, str]]:
    """The settled cases of the queue, with the entry that settled each: the last that says what stands."""
    case, said = REVIEW_CASE.c, ANSWER.c
    stands = (said.outcome == case.outcome) & (func.coalesce(said.citizen_id, "") == func.coalesce(case.citizen_id, ""))
    settled = (
        select(case.case_id, case.outcome, case.citizen_id, func.max(said.entry).label("entry"))
        .join(ANSWER, (said.case_id == case.case_id) & (said.reading > 0) & stands)
        .where(case.kind == "queue", case.state == "settled")
        .group_by(case.case_id, case.outcome, case.citizen_id)
        .subquery()
    )
    return select(settled, CASE_CONTENT.c.content).join(CASE_CONTENT, CASE_CONTENT.c.case_id == settled.c.case_id)
