"""Labels as read, typed: what they say of each pair and of each dose, and how many doses each dose stands for."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from linkage.errors import UserError
from linkage.tables.reading import FileReport

BARE = r"regexp_replace({}, '^[\s\p{{Z}}]+|[\s\p{{Z}}]+$', '', 'g')"
ANSWER, WEIGHT, DRAW = (BARE.format(name) for name in ("lower(is_match)", "weight", "draw"))

ROWS = f"""
CREATE TABLE label_rows AS SELECT row, file_no, trim(dose_id) AS dose_id, nullif(trim(citizen_id), '') AS citizen_id,
  CASE WHEN {ANSWER} IN ('1', '1.0', 'true', 't', 'yes', 'y', 'có') THEN true
       WHEN {ANSWER} IN ('0', '0.0', 'false', 'f', 'no', 'n', 'không') THEN false END AS is_match,
  coalesce(nullif({ANSWER}, ''), '?') IN ('?', '？') AS undecided,
  lower(trim(reviewer)) AS reviewer, coalesce({DRAW}, '') AS draw, weight IS NULL AS unweighted,
  -- a spreadsheet of this country writes 12,5
  try_cast(CASE WHEN {WEIGHT} NOT LIKE '%.%' THEN replace({WEIGHT}, ',', '.') ELSE {WEIGHT} END AS DOUBLE) AS weight
FROM labels
"""

PAIRS = """
CREATE TABLE label_pairs AS SELECT dose_id, citizen_id, bool_and(is_match) AS is_match,
  count(*) - count(DISTINCT coalesce(reviewer, '') || chr(0) || draw) AS repeated,
  coalesce(bool_and(reviewer = 'synthetic'), false) AS synthetic,
  bool_and(is_match) <> bool_or(is_match) AS contradicted
FROM label_rows WHERE NOT undecided GROUP BY dose_id, citizen_id
"""

SAID = """
SELECT dose_id, bool_or(contradicted) AS contradicted, bool_or(is_match) AS matched,
  bool_or(citizen_id IS NULL) AS none, count(*) FILTER (is_match) AS matches
FROM label_pairs GROUP BY dose_id
"""


def type_labels(connection: duckdb.DuckDBPyConnection, path: str | Path, files: Sequence[FileReport] = ()) -> None:
    """Make ``label_rows`` of the table ``labels`` as read, with answers and weights that can be reckoned with.

    ``label_rows``: ``row, file_no, dose_id, citizen_id`` (null: none of the registry's citizens), ``is_match`` (null
    where ``undecided``: blank or ``?``), ``reviewer, draw`` (empty without one), ``weight`` (null where
    ``unweighted``).

    Args:
        connection: holds the table ``labels``.
        path: what the user gave, for messages.
        files: the files read, so that a message names the right one.

    Raises:
        UserError: a value of ``citizen_id``, ``is_match`` or ``weight`` cannot be read, or a match has no citizen.
    """
    connection.execute(ROWS)
    for key, bad in (
        # a spreadsheet has thrown the last digits away: whom it names cannot be known
        ("labels.damaged_citizen_id", r"regexp_full_match(citizen_id, '\d+([.,]\d+)?[eE]\+\d+')"),
        ("labels.bad_is_match", "is_match IS NULL AND NOT undecided"),
        ("labels.bad_weight", "NOT unweighted AND NOT coalesce(weight > 0 AND weight <= 1e12, false)"),
        ("labels.match_of_none", "is_match AND citizen_id IS NULL"),
    ):
        rows = connection.execute(
            f"SELECT file_no, row FROM label_rows WHERE {bad} ORDER BY file_no, row LIMIT 1"
        ).fetchall()
        for file_no, row in rows:
            raise UserError(key, path=files[file_no].label if files else path, row=row)


def dose_weights(rows: str) -> str:
    """The statement that gives each dose its weight: ``dose_id, weight, draws``, and whether rows are ``unequal``.

    The weight of a dose is the largest among its rows of a draw; where nothing has a weight it is 1. Several draws
    are combined as

        w = Σ_r λ_r w_r,   λ_r = n_r / Σ n_r,

    over the draws r the dose is in, n_r being the doses of draw r: each draw alone estimates the same totals, so does
    their mean, and the larger draw counts for more (Hartley 1962, eq. 2.3; O'Muircheartaigh & Pedlow 2002).

    Args:
        rows: a relation of ``dose_id, draw, weight``, such as ``label_rows``.
    """
    return f"""
    WITH by_draw AS (
      SELECT dose_id, draw, coalesce(max(weight), 1) AS weight, count(DISTINCT weight) > 1 AS unequal
      FROM {rows} GROUP BY dose_id, draw
    ), shares AS (
      SELECT draw, count(*) / (sum(count(*)) OVER ()) AS share FROM by_draw GROUP BY draw
    )
    SELECT dose_id, list_sum(list(weight * share ORDER BY draw)) AS weight, count(*) AS draws,
      bool_or(unequal) AS unequal
    FROM by_draw JOIN shares USING (draw) GROUP BY dose_id
    """


def check_labels(connection: duckdb.DuckDBPyConnection, path: str | Path, files: Sequence[FileReport] = ()) -> None:
    """Turn the table ``labels`` as read into ``label_rows``, ``label_pairs`` and ``label_doses``.

    ``label_pairs``: ``dose_id, citizen_id, is_match, weight``, and whether it is ``contradicted``. An empty citizen_id
    says that the dose is of none of the registry's citizens. Rows without an answer are no pairs.

    ``label_doses``: ``dose_id, weight``, and whether it is ``disputed``, of the doses with an answer; weights are those
    of `dose_weights`. Labels without the column ``draw`` are one draw.

    Args:
        connection: holds the table ``labels``.
        path: what the user gave, for messages.
        files: the files read, so that a message names the right one.

    Raises:
        UserError: as `type_labels`, or there is no match or no non-match.
    """
    type_labels(connection, path, files)
    connection.execute(PAIRS)
    connection.execute(f"""
    CREATE TABLE label_doses AS
    SELECT * EXCLUDE (matches), matched AND matches + none::INTEGER > 1 AS two_citizens,
      contradicted OR two_citizens AS disputed
    FROM ({dose_weights("(FROM label_rows WHERE NOT undecided)")}) JOIN ({SAID}) USING (dose_id)
    """)
    connection.execute(
        "ALTER TABLE label_pairs ADD COLUMN weight DOUBLE; UPDATE label_pairs SET weight = label_doses.weight"
        " FROM label_doses WHERE label_doses.dose_id = label_pairs.dose_id"
    )
    for is_match, key in ((True, "labels.no_matches"), (False, "labels.no_non_matches")):
        [(pairs,)] = connection.execute(
            "SELECT count(*) FROM label_pairs JOIN label_doses USING (dose_id)"
            " WHERE is_match = ? AND NOT disputed AND citizen_id IS NOT NULL",
            [is_match],
        ).fetchall()
        if pairs == 0:
            raise UserError(key, path=path)
