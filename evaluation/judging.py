"""From rows of a labels table to one answer for each dose of a run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import duckdb

from linkage.tables import FileReport
from linkage.tables.labels import dose_weights, type_labels

EXAMPLES = 5
COUNTED = (
    *("quarantined", "undecided", "contradicted", "candidates_only"),
    *("repeated", "unequal_weights", "missing_weights"),
)

PAIRS = """
CREATE TEMP TABLE pairs AS
SELECT dose_id, citizen_id, coalesce(bool_or(is_match), false) AS yes, coalesce(bool_or(NOT is_match), false) AS no,
  bool_or(undecided) AS undecided, count(*) AS times
FROM label_rows GROUP BY dose_id, citizen_id
"""

JUDGED = """
CREATE TEMP TABLE judged AS
WITH decided AS (
  SELECT d.dose_id, d.decision, d.citizen_id, d.probability, nullif(trim(o.subject_id), '') AS subject_id
  FROM decisions AS d LEFT JOIN doses AS o USING (dose_id)
  WHERE d.decision <> 'quarantine' AND d.dose_id IN (SELECT dose_id FROM pairs)
), answers AS (
  SELECT d.dose_id, any_value(d.decision) AS decision, any_value(d.citizen_id) AS citizen_id,
    any_value(d.probability) AS probability, any_value(d.subject_id) AS subject_id,
    max(p.citizen_id) FILTER (p.yes) AS found, count(*) FILTER (p.yes) AS citizens,
    bool_or(p.yes AND p.no) AS yes_and_no, bool_or(p.no AND p.citizen_id IS NULL) AS nobody,
    coalesce(bool_or(p.no AND p.citizen_id = d.citizen_id), false) AS not_this_one, bool_or(p.undecided) AS undecided
  FROM decided AS d JOIN pairs AS p USING (dose_id) GROUP BY d.dose_id
), said AS (
  SELECT *, yes_and_no OR citizens > 1 OR citizens = 1 AND nobody AS contradicted FROM answers
)
SELECT dose_id, decision, probability, weight, contradicted,
  NOT contradicted AND found IS NULL AND NOT nobody AND not_this_one AS candidates_only,
  NOT contradicted AND (found IS NOT NULL OR nobody OR not_this_one AND (decision = 'accept' OR NOT undecided))
    AS answered,
  coalesce(found = citizen_id, false) AS "right",
  found IS NOT NULL OR NOT nobody AND undecided AS linkable,
  citizen_id IS NOT NULL AS has_candidate,
  coalesce(found, subject_id, dose_id) AS person
FROM said JOIN weights USING (dose_id)
"""


@dataclass(frozen=True, slots=True)
class JudgedCounts:
    """What became of the rows of a labels table.

    Attributes:
        doses: sampled doses that the run decided.
        answered: of them, those with an answer.
        undecided: without one.
        contradicted: with answers that exclude each other.
        candidates_only: whose best candidate was judged wrong while nobody said whether another citizen fits.
        unknown: doses that are not in the run, and the first few of them.
        quarantined: doses whose row the run could not use.
        repeated: rows that say again what another says.
        unequal_weights: doses whose rows of one draw have different weights; the largest is taken.
        missing_weights: rows without a weight where others have one; theirs is 1.
    """

    doses: int
    answered: int
    undecided: int
    contradicted: int
    candidates_only: int
    unknown: int
    examples: tuple[str, ...]
    quarantined: int
    repeated: int
    unequal_weights: int
    missing_weights: int

    def notices(self) -> list[tuple[str, dict[str, str | int]]]:
        """Keys of messages with their facts, for what is not nothing."""
        named = ", ".join(self.examples) + (", …" if self.unknown > len(self.examples) else "")
        unknown: dict[str, str | int] = {"doses": self.unknown, "examples": named}
        found = [("clerical_unknown", unknown)] if self.unknown else []
        counts = asdict(self)
        return found + [(f"clerical_{name}", {"doses": counts[name]}) for name in COUNTED if counts[name]]


def judge(connection: duckdb.DuckDBPyConnection, path: str, files: Sequence[FileReport]) -> JudgedCounts:
    """Make the table ``judged`` from ``labels`` as read, with a row for each sampled dose that the run decided.

    A row says whether a citizen is the dose's (``is_match``), whether none of the registry is (no citizen and 0), or
    that the clerk could not tell (empty or ``?``). A dose has an answer when its citizen was found, when none is said
    to fit, or when its best candidate was judged wrong and nothing about it was left undecided; in the last case its
    citizen is taken not to be in the registry, as in training. An accepted dose whose citizen was judged wrong is a
    false link whatever was left undecided beside it.

    Args:
        connection: has ``labels``, ``decisions`` and ``doses``.
        path: the labels, for messages.
        files: the files read, so that a message names the right one.

    Returns:
        What became of the rows. ``judged`` has ``dose_id``, ``decision``, ``probability``, ``weight``, ``answered``,
        ``contradicted``, ``candidates_only``, ``right`` (the best candidate is the dose's citizen), ``linkable``,
        ``has_candidate`` and ``person``.

    Raises:
        UserError: a value cannot be read, or a match names no citizen.
    """
    type_labels(connection, path, files)
    connection.execute(f"CREATE TEMP TABLE weights AS {dose_weights('label_rows')}")
    connection.execute(PAIRS)
    connection.execute(JUDGED)
    return _counted(connection)


def _counted(connection: duckdb.DuckDBPyConnection) -> JudgedCounts:
    [counts] = connection.execute(
        """
        SELECT count(*), count(*) FILTER (answered), count(*) FILTER (NOT answered AND NOT contradicted),
          count(*) FILTER (contradicted), count(*) FILTER (candidates_only AND answered) FROM judged
        """
    ).fetchall()
    [(unknown, examples, quarantined)] = connection.execute(
        f"""
        WITH apart AS (
          SELECT DISTINCT dose_id, dose_id IN (SELECT dose_id FROM decisions WHERE dose_id IS NOT NULL) AS known
          FROM pairs WHERE dose_id NOT IN (SELECT dose_id FROM judged)
        )
        SELECT count(*) FILTER (NOT known), list(dose_id ORDER BY dose_id) FILTER (NOT known)[:{EXAMPLES}],
          count(*) FILTER (known) FROM apart
        """
    ).fetchall()
    [rows] = connection.execute(
        """
        SELECT (SELECT sum(times - yes::INTEGER - no::INTEGER - undecided::INTEGER)::BIGINT FROM pairs),
          (SELECT count(*) FROM weights WHERE unequal),
          (SELECT count(*) FROM label_rows WHERE unweighted AND EXISTS
            (SELECT * FROM label_rows WHERE NOT unweighted))
        """
    ).fetchall()
    (doses, answered, undecided, contradicted, candidates_only), (repeated, unequal, missing) = counts, rows
    return JudgedCounts(
        doses=doses,
        answered=answered,
        undecided=undecided,
        contradicted=contradicted,
        candidates_only=candidates_only,
        unknown=unknown,
        examples=tuple(examples or ()),
        quarantined=quarantined,
        repeated=repeated,
        unequal_weights=unequal,
        missing_weights=missing,
    )
