"""Subjects, the profiles doses were entered under, and the citizens that the run's accepted doses tie them to."""

from duckdb import DuckDBPyConnection

from linkage.errors import UserError
from linkage.persons.duplicates import MOST_DOSES

__all__ = ["CERTAIN_BITS", "log_odds", "make_subjects"]

MARGIN = 10.0
"""Log2 odds by which a subject's best citizen must lead, where its doses are accepted to two: one of them is wrong."""

CERTAIN_BITS = 40.0
"""Log2 odds of a probability that a number cannot tell from 1."""

_CERTAINTY = "if(answered IS NULL, probability, 1)"
"""What a human decided is certain."""


def log_odds(probability: str) -> str:
    """Log2 odds of a probability, as SQL, within ± ``CERTAIN_BITS``."""
    bound = 2.0**-CERTAIN_BITS
    odds = f"log2(greatest({probability}, {bound!r}) / greatest(1 - {probability}, {bound!r}))"
    return f"least({CERTAIN_BITS!r}, {odds})"


def make_subjects(connection: DuckDBPyConnection) -> None:
    """Make ``dose_subjects``, ``crowded_subjects``, ``claims`` and ``subjects`` of a run's ``doses`` and ``decisions``.

    ``dose_subjects`` (dose_id, subject): a dose without a ``subject_id`` is its own subject, under its ``dose_id``.
    ``claims`` (subject, citizen_id, match_weight, bits, dose_id, place): the citizens that accepted doses of a subject
    name, best first from 1; bits are the log2 odds of the best dose's probability, 1 where a human decided.
    ``subjects`` (subject, citizen_id, bits, match_weight): one row a subject; no citizen where none is claimed, or
    where two are and neither leads by ``MARGIN``, and none for a subject of more than ``MOST_DOSES`` doses, which is
    no one's profile.

    Raises:
        UserError: a dose without a subject has the ``dose_id`` that is another dose's ``subject_id``.
    """
    connection.execute("""
    CREATE OR REPLACE TABLE dose_subjects AS
    SELECT dose_id, coalesce(nullif(trim(subject_id), ''), dose_id) AS subject FROM doses
    """)
    both = connection.execute("""
    SELECT d.dose_id FROM doses AS d JOIN (SELECT DISTINCT trim(subject_id) AS subject FROM doses) AS s
      ON s.subject = d.dose_id WHERE coalesce(trim(d.subject_id), '') = '' ORDER BY 1 LIMIT 1
    """).fetchall()
    if both:
        raise UserError("persons.dose_is_subject")
    connection.execute(f"""
    CREATE OR REPLACE TABLE crowded_subjects AS
    SELECT subject FROM dose_subjects GROUP BY subject HAVING count(*) > {MOST_DOSES}
    """)
    connection.execute(f"""
    CREATE OR REPLACE TABLE claims AS
    SELECT *, row_number() OVER (PARTITION BY subject ORDER BY bits DESC, match_weight DESC, citizen_id)
      AS place
    FROM (
      SELECT subject, citizen_id, max(match_weight) AS match_weight, {log_odds(f"max({_CERTAINTY})")} AS bits,
        min(dose_id) AS dose_id
      FROM decisions JOIN dose_subjects USING (dose_id) WHERE decision = 'accept' GROUP BY subject, citizen_id
    )
    """)
    connection.execute(f"""
    CREATE OR REPLACE TABLE subjects AS
    SELECT s.subject, CASE WHEN clear THEN best.citizen_id END AS citizen_id,
      CASE WHEN clear THEN best.bits END AS bits, CASE WHEN clear THEN best.match_weight END AS match_weight
    FROM (SELECT DISTINCT subject FROM dose_subjects) AS s
    LEFT JOIN (
      SELECT *, coalesce(bits - lead(bits) OVER (PARTITION BY subject ORDER BY place), 1e9) >= {MARGIN!r}
        AND subject NOT IN (SELECT subject FROM crowded_subjects) AS clear FROM claims
    ) AS best ON best.subject = s.subject AND best.place = 1
    """)
