"""The files of a run that the queue is built of, and the subjects that have something to decide."""

import glob
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from linkage.errors import UserError
from linkage.reports.reading import open_file, read_manifest, run_digest
from linkage.scoring import bits_column
from linkage.standardise import INJECTED_ON, join_of, map_of, result_of, work_out
from linkage.tables import DOSES
from linkage.tables.schema import CITIZENS
from linkage.tables.sql import quoted, text_literal
from models import Model, ModelError

__all__ = ["Run", "database", "open_run", "parted", "reading", "subjects"]

MOST_DOSES = 100
"""A subject with more doses is no one's profile: each of its doses is a case of its own."""

DECIDED = (
    *("decision", "outcome", "citizen_id", "probability", "margin", "rule", "caution", "stratum"),
    *("province", "district", "commune", "facility_id"),
)
_FILES = ("decisions", "doses", "citizens", "candidates")


@dataclass(frozen=True, slots=True)
class Run:
    """A run: what it was made of, as a digest, its model, and as the ledger names that."""

    digest: str
    model: Model
    model_name: str


@contextmanager
def database(memory: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in a temporary folder: what does not fit in memory goes there."""
    with TemporaryDirectory(prefix="linkage-") as folder, duckdb.connect(f"{folder}/queue.duckdb") as connection:
        connection.execute("SET memory_limit = ?", [memory])
        connection.execute("SET temp_directory = ?", [folder])
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET enable_progress_bar = false")
        yield connection


@contextmanager
def reading(run: Path) -> Iterator[None]:
    """Where a query fails, the files of the run are read through: one that is damaged is what the user can mend.

    Raises:
        UserError: a file of the run cannot be read to its end.
    """
    try:
        yield
    except duckdb.Error:
        for name in _FILES:
            file = run / f"{name}.parquet"
            try:
                with duckdb.connect() as connection:
                    connection.read_parquet(glob.escape(str(file))).aggregate("bit_xor(hash(COLUMNS(*)))").fetchall()
            except duckdb.Error as damage:
                raise UserError("report_run_unreadable", file=file) from damage
        raise


def open_run(connection: duckdb.DuckDBPyConnection, run: Path) -> Run:
    """Make views of the files of a run.

    Raises:
        UserError: it is no finished run of this version.
    """
    manifest = read_manifest(run)
    try:
        model = Model.read(run)
        found = Run(run_digest(manifest), model, f"{manifest['model']['name']}@{manifest['model']['digest']}")
    except (OSError, ModelError) as error:
        raise UserError("persons.model", run=run) from error
    except (KeyError, TypeError) as error:
        raise UserError("report_run_other", run=run) from error
    names = [comparison.name for comparison in model.specification.comparisons]
    bits = [bits_column(comparison) for comparison in model.specification.comparisons]
    open_file(connection, run, "decisions", ("dose_id", *DECIDED))
    open_file(connection, run, "doses", DOSES.columns)
    open_file(connection, run, "citizens", CITIZENS.columns)
    open_file(connection, run, "candidates", ("dose_id", "citizen_id", "probability", "match_weight", *names, *bits))
    return found


def subjects(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``keyed``, every usable dose with its subject, and ``asked``, the subjects with doses in review.

    ``keyed``: dose_id, subject, whether that is ``crowded``, decision. A dose without a subject, or of a crowded one,
    is its own subject, under its ``dose_id``. ``asked``: subject, and what hidden cases have: ``hidden``,
    ``known_outcome``, ``known_citizen``.

    Raises:
        UserError: a dose without a subject has the ``dose_id`` that is another dose's ``subject_id``.
    """
    connection.execute(f"""
    CREATE TABLE keyed AS
    WITH named AS (SELECT dose_id, nullif(trim(subject_id), '') AS subject FROM doses),
    crowded AS (SELECT subject FROM named WHERE subject IS NOT NULL GROUP BY subject HAVING count(*) > {MOST_DOSES})
    SELECT dose_id, CASE WHEN c.subject IS NULL THEN coalesce(n.subject, dose_id) ELSE dose_id END AS subject,
      c.subject IS NOT NULL AS crowded, d.decision
    FROM named AS n JOIN decisions AS d USING (dose_id) LEFT JOIN crowded AS c ON c.subject = n.subject
    WHERE d.decision <> 'quarantine'
    """)
    both = connection.execute("""
    SELECT n.dose_id FROM doses AS n JOIN (SELECT DISTINCT trim(subject_id) AS subject FROM doses) AS s
      ON s.subject = n.dose_id WHERE coalesce(trim(n.subject_id), '') = '' LIMIT 1
    """).fetchall()
    if both:
        raise UserError("persons.dose_is_subject")
    connection.execute("""
    CREATE TABLE asked AS
    SELECT DISTINCT subject, false AS hidden, NULL::VARCHAR AS known_outcome, NULL::VARCHAR AS known_citizen
    FROM keyed WHERE decision = 'review'
    """)


def parted(connection: duckdb.DuckDBPyConnection, model: Model, rows_at_once: int) -> int:
    """Make ``case_doses`` and ``case_candidates``, of the subjects ``asked``, in parts that fit in memory.

    ``case_candidates``: subject, part, dose_id, citizen_id, probability, match_weight, and the structs ``levels`` and
    ``bits`` of the comparisons, whatever these are called. ``registry`` has those citizens.

    Returns:
        The number of parts, from 0, by which column ``part`` counts.
    """
    [(rows,)] = connection.execute("""
    SELECT count(*) FROM candidates SEMI JOIN (FROM keyed SEMI JOIN asked USING (subject)) AS k USING (dose_id)
    """).fetchall()
    parts = int(rows) // rows_at_once + 1
    connection.execute(f"""
    CREATE TEMP VIEW wanted AS
    SELECT dose_id, subject, a.* EXCLUDE (subject), k.decision, (hash(subject) % {parts})::INTEGER AS part,
      CASE WHEN hidden THEN dose_id IN (SELECT dose_id FROM candidates) ELSE k.decision = 'review' END AS in_case
    FROM keyed AS k JOIN (SELECT * FROM asked) AS a USING (subject)
    """)
    typed = "(SELECT dose_id, injected_on AS typed_injected_on FROM doses SEMI JOIN wanted USING (dose_id))"
    work_out(connection, INJECTED_ON, [typed])
    decided = ", ".join(f"o.{name} AS decided_{name}" for name in DECIDED if name != "decision")
    connection.execute(f"""
    CREATE TABLE case_doses AS
    SELECT w.*, d.* EXCLUDE (dose_id, subject_id), {decided}, days.day
    FROM doses AS d JOIN wanted AS w USING (dose_id) JOIN decisions AS o ON o.dose_id = w.dose_id
    JOIN (SELECT dose_id, {result_of(INJECTED_ON, "injected_on")} FROM {typed} {join_of(INJECTED_ON)})
      AS days(dose_id, day) ON days.dose_id = w.dose_id
    WHERE o.decision <> 'quarantine' ORDER BY part
    """)
    connection.execute(f"DROP TABLE {map_of(INJECTED_ON)}")
    comparisons = model.specification.comparisons
    levels = ", ".join(f"{text_literal(each.name)}: k.{quoted(each.name)}" for each in comparisons)
    bits = ", ".join(
        f"{text_literal(each.name)}: round(k.{quoted(bits_column(each))}::DOUBLE, 3)" for each in comparisons
    )
    connection.execute(f"""
    CREATE TABLE case_candidates AS
    SELECT w.subject, w.part, k.dose_id, k.citizen_id, k.probability, k.match_weight,
      {{{levels}}} AS levels, {{{bits}}} AS bits
    FROM candidates AS k JOIN case_doses AS w USING (dose_id) WHERE w.in_case
    ORDER BY part
    """)
    connection.execute("""
    CREATE TABLE registry AS FROM citizens SEMI JOIN case_candidates USING (citizen_id)
    """)
    return parts
