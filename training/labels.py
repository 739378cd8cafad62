"""Labelled pairs: which doses and citizens a clerk said are one person, with what sampling weight."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupShuffleSplit

from linkage.errors import UserError


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """What was found in the labels: pairs used; rows not used, by reason; pairs used whose reviewer is 'synthetic'."""

    positives: int
    negatives: int
    repeated: int
    contradicted: int
    unknown_ids: int
    synthetic: int


def check_labels(connection: duckdb.DuckDBPyConnection, path: str | Path) -> None:
    """Turn the table ``labels`` as read into ``label_pairs``: ``dose_id, citizen_id, is_match, weight``.

    Raises:
        UserError: a value of ``is_match`` or ``weight`` cannot be read, or there is no match or no non-match.
    """
    connection.execute("""
    CREATE TEMP TABLE typed_labels AS SELECT row, trim(dose_id) AS dose_id, trim(citizen_id) AS citizen_id,
      CASE WHEN lower(trim(is_match)) IN ('1', '1.0', 'true', 't', 'yes', 'y', 'có') THEN true
           WHEN lower(trim(is_match)) IN ('0', '0.0', 'false', 'f', 'no', 'n', 'không') THEN false END AS is_match,
      coalesce(lower(trim(reviewer)) = 'synthetic', false) AS synthetic,
      CASE WHEN weight IS NULL THEN 1.0 ELSE try_cast(weight AS DOUBLE) END AS weight FROM labels
    """)
    for column, bad in (
        ("is_match", "is_match IS NULL"),
        ("weight", "NOT coalesce(weight > 0 AND weight <= 1e12, false)"),
    ):
        [(row,)] = connection.execute(f"SELECT min(row) FROM typed_labels WHERE {bad}").fetchall()
        if row is not None:
            raise UserError(f"labels.bad_{column}", path=path, row=row)
    connection.execute("""
    CREATE TABLE label_pairs AS SELECT dose_id, citizen_id, bool_and(is_match) AS is_match,
      max(weight) AS weight, count(*) AS times, bool_and(synthetic) AS synthetic,
      bool_and(is_match) <> bool_or(is_match) AS contradicted
    FROM typed_labels GROUP BY dose_id, citizen_id
    """)
    for is_match, key in ((True, "labels.no_matches"), (False, "labels.no_non_matches")):
        [(pairs,)] = connection.execute(
            "SELECT count(*) FROM label_pairs WHERE is_match = ? AND NOT contradicted", [is_match]
        ).fetchall()
        if pairs == 0:
            raise UserError(key, path=path)


def labelled_keys(connection: duckdb.DuckDBPyConnection) -> LabelCounts:
    """Make ``labelled``: ``dose_key, citizen_key, is_match, weight, person`` of the pairs whose records are known.

    ``person`` is what must stay on one side of a split: the citizen of the dose where a label says so, else the
    dose's subject.
    """
    connection.execute("""
    CREATE TABLE labelled AS
    WITH known AS (
      SELECT d.key AS dose_key, c.key AS citizen_key, p.is_match, p.weight, p.synthetic,
        d.subject_id, c.citizen_id, d.dose_id
      FROM label_pairs AS p JOIN doses AS d USING (dose_id) JOIN citizens AS c USING (citizen_id)
      WHERE NOT contradicted
    )
    SELECT dose_key, citizen_key, is_match, weight, synthetic,
      coalesce(max(citizen_id) FILTER (is_match) OVER (PARTITION BY dose_key), subject_id, dose_id) AS person
    FROM known ORDER BY dose_key, citizen_key
    """)
    [counts] = connection.execute("""
    SELECT (SELECT count(*) FROM labelled WHERE is_match), (SELECT count(*) FROM labelled WHERE NOT is_match),
      (SELECT sum(times - 1)::BIGINT FROM label_pairs), (SELECT count(*) FROM label_pairs WHERE contradicted),
      (SELECT count(*) FROM label_pairs WHERE NOT contradicted) - (SELECT count(*) FROM labelled),
      (SELECT count(*) FROM labelled WHERE synthetic)
    """).fetchall()
    return LabelCounts(*counts)


def hold_apart(persons: NDArray[np.str_], seed: int, share: float = 0.5) -> NDArray[np.bool_]:
    """Which rows are held apart, by person: shape (rows,), True for about ``share`` of the persons."""
    splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    _, apart = next(splitter.split(persons, groups=persons))
    mask = np.zeros(len(persons), dtype=bool)
    mask[apart] = True
    return mask
