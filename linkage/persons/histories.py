"""How the injections of two subjects fit one person: one more comparison, with m and u from the run itself.

Nobody is injected twice within days, nor has two second doses weeks apart; who was entered under two profiles has doses
in one that go on where those in the other end. Strangers' histories each begin at one. So a comparison of histories
tells much, and needs no labels: subjects whose own number and details tie them to one citizen show m, random pairs of
subjects u (Fellegi & Sunter 1969; bits are log2 of m / u). Few such pairs are helped by declared ones.
"""

import math
from collections.abc import Mapping

from duckdb import DuckDBPyConnection

from linkage.persons.duplicates import compare_histories

__all__ = ["LEVELS", "history_levels", "learn_histories"]

LEVELS = ("same_injection", "clash", "continues", "neutral")
"""``same_injection``: some dose is in both, and no other pair of doses is against one person; ``clash``: some is;
``continues``: their numbers make one row from 1, in the order of days; ``neutral``: all else."""

PRIOR: Mapping[str, Mapping[str, float]] = {
    "m": {"same_injection": 5, "clash": 5, "continues": 25, "neutral": 15},
    "u": {"same_injection": 5, "clash": 30, "continues": 5, "neutral": 10},
}
"""Pairs assumed before any is seen: wrong dates and numbers counted anew exist, and some strangers' doses fit."""

RANDOM_PAIRS = 20_000


def history_levels(connection: DuckDBPyConnection, pairs: str, into: str) -> None:
    """Make the table ``into`` (subject_l, subject_r, level) for each row of ``pairs`` (subject_l, subject_r).

    Args:
        connection: holds ``injections`` and ``dose_subjects``.
        pairs: a relation, each pair once.
        into: replaced if there is one.
    """
    compare_histories(connection, pairs, "compared_histories")
    connection.execute(f"""
    CREATE OR REPLACE TABLE {into} AS
    WITH concerned AS (
      SELECT subject_l AS subject FROM compared_histories UNION SELECT subject_r FROM compared_histories
    ), numbered AS (
      SELECT subject, list(dose_number::INTEGER) AS numbers, count(*) = count(dose_number) AS every
      FROM concerned JOIN dose_subjects USING (subject) JOIN injections USING (dose_id) GROUP BY subject
    )
    SELECT subject_l, subject_r, CASE
        WHEN too_close + same_number_apart + numbers_against_days > 0 THEN 'clash'
        WHEN same_injections > 0 THEN 'same_injection'
        WHEN same_injections = 0 AND l.every AND r.every
          AND list_sort(list_concat(l.numbers, r.numbers)) = range(1, 1 + len(l.numbers) + len(r.numbers))::INTEGER[]
          THEN 'continues'
        ELSE 'neutral' END AS level
    FROM compared_histories JOIN numbered AS l ON l.subject = subject_l JOIN numbered AS r ON r.subject = subject_r
    """)
    connection.execute("DROP TABLE compared_histories")


def learn_histories(connection: DuckDBPyConnection, certain: str) -> dict[str, float]:
    """Bits of each level.

    Args:
        connection: holds ``injections``, ``dose_subjects`` and ``subjects`` (subject).
        certain: a relation (subject_l, subject_r) of pairs that are one person whatever their histories say.
    """
    # an order that has nothing to do with who a subject is, and is the same tomorrow
    connection.execute(f"""
    CREATE OR REPLACE TEMP VIEW strangers AS
    SELECT subject AS subject_l, lead(subject) OVER (ORDER BY mixed, subject) AS subject_r
    FROM (SELECT subject, md5(subject) AS mixed FROM subjects ORDER BY mixed, subject LIMIT {RANDOM_PAIRS + 1})
    QUALIFY subject_r IS NOT NULL
    """)
    shares = {}
    for name, pairs in (("m", certain), ("u", "strangers")):
        history_levels(connection, pairs, "learned_histories")
        seen = dict(connection.execute("SELECT level, count(*) FROM learned_histories GROUP BY level").fetchall())
        counts = {level: seen.get(level, 0) + PRIOR[name][level] for level in LEVELS}
        shares[name] = {level: count / sum(counts.values()) for level, count in counts.items()}
    connection.execute("DROP TABLE learned_histories")
    return {level: math.log2(shares["m"][level] / shares["u"][level]) for level in LEVELS}
