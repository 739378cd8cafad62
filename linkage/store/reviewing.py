"""What answers make of cases: one rule, for whoever writes, verifies and rebuilds."""

from sqlalchemy import Connection, text

_LIVE = """
SELECT a.case_id, a.entry, a.reading, a.outcome, a.citizen_id, a.field, e.actor
FROM answer AS a JOIN entry AS e ON e.number = a.entry
WHERE a.reading > 0 AND {cases} AND NOT EXISTS (
    SELECT 1 FROM answer AS later JOIN entry AS its ON its.number = later.entry
    WHERE later.case_id = a.case_id AND later.entry > a.entry AND its.actor = e.actor
)
"""
"""The answers that count: the last of each actor, unless it took the one before back."""

_COLUMNS = ("outcome", "citizen_id", "field", "actor")
_BY_READING = ", ".join(
    f"max(CASE WHEN reading = {reading} THEN {column} END) AS {column}_{reading}"
    for reading in (1, 2, 3)
    for column in _COLUMNS
)


def _final(column: str) -> str:
    return (
        f"CASE WHEN state <> 'settled' THEN NULL WHEN actor_3 IS NOT NULL THEN {column}_3 "
        f"WHEN actor_1 IS NOT NULL THEN {column}_1 ELSE {column}_2 END AS {column}"
    )


def derived(cases: str) -> str:
    """The statement that gives each case its state: ``case_id, state, first_reader, outcome, citizen_id, field``.

    A case is settled by the third reading, by the only one it needs, or by two that say the same of outcome and
    citizen; two that do not make it disputed. What the queue withdrew stays so until it is settled.

    Args:
        cases: a condition on ``a.case_id``, of answers and of cases.
    """
    return f"""
    SELECT case_id, state, coalesce(actor_1, actor_2) AS first_reader,
      {", ".join(_final(column) for column in ("outcome", "citizen_id", "field"))}
    FROM (
      SELECT s.*, a.case_id, CASE
          WHEN actor_3 IS NOT NULL THEN 'settled'
          WHEN coalesce(actor_1, actor_2) IS NOT NULL AND a.readings = 1 THEN 'settled'
          WHEN outcome_1 = outcome_2 AND citizen_id_1 IS NOT DISTINCT FROM citizen_id_2 THEN 'settled'
          WHEN a.state = 'withdrawn' THEN 'withdrawn'
          WHEN actor_1 IS NOT NULL AND actor_2 IS NOT NULL THEN 'disputed'
          ELSE 'open' END AS state
      FROM review_case AS a
      LEFT JOIN (
        SELECT case_id AS of_case_id, {_BY_READING} FROM ({_LIVE.format(cases=cases)}) AS live GROUP BY case_id
      ) AS s ON s.of_case_id = a.case_id
      WHERE {cases}
    ) AS weighed
    """


_STATE = ("state", "first_reader", "outcome", "citizen_id", "field")
_DIFFERS = " OR ".join(f"review_case.{column} IS DISTINCT FROM d.{column}" for column in _STATE)
_SET = ", ".join(f"{column} = d.{column}" for column in _STATE)

WRONG = f"""
SELECT count(*) FROM review_case JOIN ({derived("true")}) AS d ON d.case_id = review_case.case_id WHERE {_DIFFERS}
"""
"""How many cases have another state than their answers give."""

LOST = "SELECT count(*) FROM (SELECT case_id FROM answer EXCEPT SELECT case_id FROM review_case) AS lost"
"""How many cases have answers, and are no more."""


def settle(connection: Connection, entry: int) -> None:
    """Bring the cases that an entry has answers of to the state that follows; nobody holds them any more."""
    these = "a.case_id IN (SELECT case_id FROM answer WHERE entry = :entry)"
    connection.execute(
        text(f"""
        UPDATE review_case SET {_SET}, version = version + 1, holder = NULL, held_until = NULL
        FROM ({derived(these)}) AS d WHERE d.case_id = review_case.case_id
        """),
        {"entry": entry},
    )


def rebuild_cases(connection: Connection, cases: str = "true") -> None:
    """Bring cases to the state that their answers give: all of them, or those of a condition on ``a.case_id``."""
    connection.execute(
        text(f"""
        UPDATE review_case SET {_SET}, version = version + 1
        FROM ({derived(cases)}) AS d WHERE d.case_id = review_case.case_id AND ({_DIFFERS})
        """)
    )
