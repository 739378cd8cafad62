"""Subjects linked among themselves by the model that links doses to citizens: a subject's records stand for a citizen.

Both sides were typed by hand, while m was learned of typed records against a registry: m of agreement is a little too
high, of disagreement too low, so a link needs a little more than it should, and never less.
"""

from dataclasses import replace

from duckdb import DuckDBPyConnection

from linkage.blocking import Budget, plan_blocking
from linkage.deciding import WEAKEST, compile_deciding
from linkage.progress import Progress, silent
from linkage.scoring import bits_column, compared_tables, compile_scoring, level_column, level_name
from linkage.standardise import standardise
from linkage.tables.sql import text_literal
from models import CAUTION, NEVER, Model, Registry

__all__ = ["SECOND_SUBJECT", "link_subjects"]

SECOND_SUBJECT = 0.05
"""Prior probability that a person has another subject: profiles exceeded the vaccinated by 3–7 % (issued in 2022)."""

LEAST = 0.2
"""Probability from which a link is looked at: no history can make one of less certain."""

PARTITION = 200_000
"""Records scored in one statement."""

MOST_RECORDS = 8
"""Records of one subject that are compared: those that stand in the most doses."""

_TYPED = (
    *("full_name", "date_of_birth", "sex", "national_id", "health_insurance_no", "phone"),
    *("province", "district", "commune", "address", "nationality"),
)


def link_subjects(
    connection: DuckDBPyConnection, model: Model, registry: Registry, *, progress: Progress = silent
) -> None:
    """Make ``links`` (subject, other, probability, match_weight, then level and bits of each comparison).

    Of each pair by itself, as if nobody else were there: from ``LEAST`` on (histories may raise or lower that), if no
    caution of the model holds for the pair.

    Args:
        connection: holds ``doses`` and ``dose_subjects`` of a run, ``to_link`` (subject): those that look for another,
            and ``link_with`` (subject): those that may be found beside them.
        model: of the run.
        registry: what the run's citizens said of fields that agree together.
        progress: told after each part.
    """
    [(path,)] = connection.execute("SELECT current_setting('search_path')").fetchall()
    connection.execute("CREATE SCHEMA linking")
    # here a run's names for its tables are those of the subjects' records
    connection.execute("SET search_path = 'linking,main'")
    try:
        _link(connection, model, registry, progress)
    finally:
        connection.execute(f"SET search_path = {text_literal(path)}")
    connection.execute("DROP SCHEMA linking CASCADE")


def _link(connection: DuckDBPyConnection, model: Model, registry: Registry, progress: Progress) -> None:
    _records(connection)
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"}, progress=progress)
    compared_tables(connection, model.specification, progress=progress)
    [(records,)] = connection.execute("SELECT count(*) FROM citizens").fetchall()
    plan = plan_blocking(connection, model.specification, Budget(), progress=progress)
    beside = replace(model, in_registry=SECOND_SUBJECT)
    scoring = compile_scoring(beside, replace(registry, citizens=max(2, records)), plan, WEAKEST)
    comparisons = model.specification.comparisons
    levels = ", ".join(f"{level_column(each)}, {bits_column(each)}" for each in comparisons)
    # of the records of two subjects the pair that fits best speaks for both
    best = f"""
    SELECT l.number AS dose_key, r.number AS citizen_key, p.rule, p.match_weight, {levels}
    FROM ({scoring}) AS p JOIN doses AS l ON l.key = p.dose_key JOIN citizens AS r ON r.key = p.citizen_key
    WHERE l.number <> r.number
    QUALIFY row_number() OVER (PARTITION BY l.number, r.number
      ORDER BY match_weight DESC, l.dose_id, r.first_dose_id) = 1
    """
    connection.execute(f"CREATE TABLE pairs AS {best}", {"first": 0, "last": -1})
    [(end,)] = connection.execute("SELECT coalesce(max(number), -1) + 1 FROM doses").fetchall()
    for first in range(0, end, PARTITION):
        progress("link subjects", first, end)
        [(low, high)] = connection.execute(
            "SELECT coalesce(min(key), 0), coalesce(max(key), -1) FROM doses WHERE number BETWEEN ? AND ?",
            [first, first + PARTITION - 1],
        ).fetchall()
        connection.execute(f"INSERT INTO pairs {best}", {"first": low, "last": high})
    progress("link subjects", end, end)
    accept = dict.fromkeys(model.thresholds.accept, LEAST) | {CAUTION: NEVER}
    # a person may have three subjects: each pair is a question of its own, where a dose's candidates exclude each other
    alone = "(SELECT * REPLACE (row_number() OVER () AS dose_key), dose_key AS subject_key FROM pairs)"
    deciding = compile_deciding(replace(beside, thresholds=replace(model.thresholds, accept=accept)), alone)
    shown = ", ".join(
        f"{level_name(each, 'k')}, k.{bits_column(each)}::FLOAT AS {bits_column(each)}" for each in comparisons
    )
    connection.execute(f"""
    CREATE OR REPLACE TABLE main.links AS
    SELECT l.subject, r.subject AS other, k.probability, k.match_weight, {shown}
    FROM ({deciding}) AS k JOIN numbers AS l ON l.number = k.subject_key JOIN numbers AS r ON r.number = k.citizen_key
    WHERE k.decision = 'accept'
    """)


def _records(connection: DuckDBPyConnection) -> None:
    """Make ``doses`` and ``citizens`` of the distinct records of each subject, with its ``number``, and ``numbers``."""
    connection.execute("""
    CREATE TABLE numbers AS
    SELECT subject, row_number() OVER (ORDER BY subject) - 1 AS number, bool_or(looking) AS looking FROM (
      SELECT subject, true AS looking FROM to_link UNION ALL SELECT subject, false FROM link_with) GROUP BY subject
    """)
    found = {row[0] for row in connection.execute("DESCRIBE main.doses").fetchall()}
    columns = ", ".join(column for column in _TYPED if column in found)
    injected = "min(injected_on)" if "injected_on" in found else "NULL::VARCHAR"
    connection.execute(f"""
    CREATE TABLE records AS
    SELECT number, looking, min(dose_id) AS dose_id, {injected} AS injected_on, {columns}
    FROM main.doses JOIN dose_subjects USING (dose_id) JOIN numbers USING (subject)
    GROUP BY number, looking, {columns}
    QUALIFY row_number() OVER (PARTITION BY number ORDER BY count(*) DESC, min(dose_id)) <= {MOST_RECORDS}
    """)
    # numbers ascend with keys, so that a range of keys holds all records of its subjects
    connection.execute("""
    CREATE TABLE doses AS
    SELECT row_number() OVER (ORDER BY number, dose_id) - 1 AS key, * FROM records WHERE looking
    """)
    connection.execute("""
    CREATE TABLE citizens AS
    SELECT row_number() OVER (ORDER BY number, dose_id) - 1 AS key, dose_id AS first_dose_id, national_id AS citizen_id,
      * EXCLUDE (looking, dose_id, injected_on, national_id) FROM records
    """)
