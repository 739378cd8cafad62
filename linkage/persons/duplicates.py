"""Duplicate doses: entries of one injection linked to a primary record, never deleted; doses too close flagged.

Which two entries fit says `linkage.persons.entry_pairs`. Chains are not trusted: A and C are not one injection because
each fits B. Every member of a group fits its primary and every other member.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
from duckdb import DuckDBPyConnection
from duckdb.func import PythonUDFType
from duckdb.sqltypes import INTEGER

from linkage.persons.entry_pairs import pair_columns, reach, rules
from linkage.tables.sql import quoted

__all__ = ["MOST_DOSES", "Duplicates", "compare_histories", "group_entries", "make_duplicates"]

MOST_DOSES = 100
"""A person or subject of more doses is no one human being; such doses are not compared."""


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows of the tables ``duplicates``, ``too_close`` and ``crowded``."""

    duplicates: int
    too_close: int
    crowded: int


def make_duplicates(connection: DuckDBPyConnection) -> Duplicates:
    """Link entries of one injection within each person, and flag doses too close to be two.

    The primary is, of the entries that fit, the first by: accepted before not, lot known before not, recorded first
    (unknown last), dose_id. The others join it from the nearest day on, in the same order, as far as they fit all that
    joined before. Which rows the tables hold does not depend on the order of rows.

    Args:
        connection: with the table ``injections`` (of `linkage.persons.injections`), ``dose_persons`` (dose_id,
            person_id: a row a dose) and ``decisions`` (dose_id, decision). Gets, replaced if there are any, the tables
            ``duplicates`` (dose_id, primary_dose_id, person_id, evidence: code words such as
            ``days_apart:1;other_facility;same_vaccine;lot_blank;same_number``),
            ``too_close`` (person_id, dose_id, other_dose_id, days): two doses nearer than their vaccine allows, the
            earlier first, neither of them a duplicate: both stand, a human may look, and
            ``crowded`` (person_id, doses): persons of more than `MOST_DOSES` doses, which are not compared.
    """
    _make(connection, "TEMP TABLE", _pairs() | {"preferred_entries": _PREFERRED, "fitting_entries": _FITTING})
    places = connection.list_type(connection.list_type(INTEGER))
    connection.create_function("group_entries", _group_batch, [places], places, type=PythonUDFType.ARROW)
    try:
        _make(connection, "TEMP TABLE", {"grouped_entries": _GROUPED})
    finally:
        connection.remove_function("group_entries")
    _make(connection, "TABLE", {"duplicates": _DUPLICATES, "too_close": _TOO_CLOSE, "crowded": _CROWDED})
    for relation in (*_pairs(), "preferred_entries", "fitting_entries", "grouped_entries"):
        connection.execute(f"DROP TABLE {relation}")
    counted = ", ".join(f"(SELECT count(*) FROM {relation})" for relation in ("duplicates", "too_close", "crowded"))
    [counts] = connection.execute(f"SELECT {counted}").fetchall()
    return Duplicates(*counts)


def compare_histories(connection: DuckDBPyConnection, pairs: str, into: str) -> None:
    """Make the table ``into``: how the injections of two subjects would fit one person.

    A row for each row of ``pairs``: subject_l, subject_r and
    same_injections: doses of the left that may be entries of an injection of the right (for one person);
    and of the other pairs of doses, one of either subject:
    too_close: nearer than their vaccine allows (against one person);
    same_number_apart: with the same number, of the same vaccine or disease, on days farther apart than one injection
    can be (against one person, unless a facility counted anew);
    numbers_against_days: the later day with the lower number (as before).
    They are NULL when a subject has more than `MOST_DOSES` doses; 0 where days, vaccines or numbers say nothing.

    Args:
        connection: with ``injections``, ``dose_subjects`` (dose_id, subject) and ``pairs``.
        pairs: name of a relation of subject_l and subject_r, each pair once.
        into: name of the table, replaced if there is one.
    """
    columns = ("same_injections", "too_close", "same_number_apart", "numbers_against_days")
    counts = ", ".join(f"if(crowded, NULL, coalesce({column}, 0)) AS {column}" for column in columns)
    connection.execute(f"""
        CREATE OR REPLACE TABLE {quoted(into)} AS
        WITH pairs AS (SELECT subject_l, subject_r FROM {quoted(pairs)}), concerned AS (
          SELECT subject_l AS subject FROM pairs UNION SELECT subject_r FROM pairs
        ), held AS (
          SELECT subject, injections.* FROM injections JOIN dose_subjects USING (dose_id)
          SEMI JOIN concerned USING (subject)
        ), crowds AS (
          SELECT subject FROM held GROUP BY subject HAVING count(*) > {MOST_DOSES}
        ), calm AS (
          FROM held ANTI JOIN crowds USING (subject)
        ), compared AS (
          SELECT subject_l, subject_r, l.dose_id AS dose_l, r.dose_id AS dose_r, {pair_columns()}
          FROM pairs JOIN calm AS l ON l.subject = subject_l JOIN calm AS r ON r.subject = subject_r
          LEFT JOIN {rules()} AS lr ON lr.code = l.vaccine LEFT JOIN {rules()} AS rr ON rr.code = r.vaccine
        ), marked AS (
          SELECT *, bool_or(fits) OVER (PARTITION BY subject_l, subject_r, dose_l) AS again_l,
            bool_or(fits) OVER (PARTITION BY subject_l, subject_r, dose_r) AS again_r
          FROM compared
        ), counted AS (
          SELECT subject_l, subject_r, count(DISTINCT dose_l) FILTER (again_l) AS same_injections,
            {", ".join(f"count(*) FILTER ({c} AND NOT again_l AND NOT again_r) AS {c}" for c in columns[1:])}
          FROM marked GROUP BY ALL
        )
        SELECT subject_l, subject_r, {counts}
        FROM (SELECT *, subject_l IN (FROM crowds) OR subject_r IN (FROM crowds) AS crowded FROM pairs)
        LEFT JOIN counted USING (subject_l, subject_r)""")


def group_entries(pairs: Iterable[Sequence[int]]) -> list[list[int]]:
    """Groups in which every two members fit, as [member, primary] of each member that is not the primary.

    Args:
        pairs: [place, place, days apart] of two entries of one person that fit; places are their order of preference.
    """
    apart: defaultdict[int, dict[int, int]] = defaultdict(dict)
    for left, right, days in pairs:
        apart[left][right] = apart[right][left] = days
    primary_of: dict[int, int] = {}
    for primary in sorted(apart):
        if primary not in primary_of:
            group = [primary]
            for _, other in sorted((days, place) for place, days in apart[primary].items()):
                if other > primary and other not in primary_of and all(other in apart[member] for member in group):
                    group.append(other)
                    primary_of[other] = primary
    return [[member, primary] for member, primary in sorted(primary_of.items())]


def _group_batch(pairs: pa.Array) -> pa.Array:
    return pa.array([group_entries(of_person) for of_person in pairs.to_pylist()], pa.list_(pa.list_(pa.int32())))


def _make(connection: DuckDBPyConnection, kind: str, relations: Mapping[str, str]) -> None:
    for name, query in relations.items():
        connection.execute(f"CREATE OR REPLACE {kind} {name} AS {query}")


def _pairs() -> dict[str, str]:
    """Entries of one person that fit or are too close: narrow rows of all doses first, then all of the near ones."""
    return {
        "placed_entries": f"""
            SELECT i.rowid AS entry, hash(person_id) AS person, day, {reach("rule")} AS reach
            FROM injections AS i JOIN dose_persons USING (dose_id) LEFT JOIN {rules()} AS rule ON code = vaccine
            WHERE day IS NOT NULL AND person_id IS NOT NULL""",
        "crowds": f"SELECT person FROM placed_entries GROUP BY person HAVING count(*) > {MOST_DOSES}",
        "near_entries": """
            WITH calm AS (FROM placed_entries ANTI JOIN crowds USING (person))
            SELECT l.entry AS entry_l, r.entry AS entry_r FROM calm AS l JOIN calm AS r USING (person)
            WHERE l.entry < r.entry AND abs(l.day - r.day) <= greatest(l.reach, r.reach)""",
        "compared_entries": f"""
            SELECT p.person_id, l.dose_id AS dose_l, r.dose_id AS dose_r, l.day AS day_l, r.day AS day_r,
              {pair_columns()}
            FROM near_entries JOIN injections AS l ON l.rowid = entry_l JOIN injections AS r ON r.rowid = entry_r
            JOIN dose_persons AS p ON p.dose_id = l.dose_id JOIN dose_persons AS other
              ON other.dose_id = r.dose_id AND other.person_id = p.person_id
            LEFT JOIN {rules()} AS lr ON lr.code = l.vaccine LEFT JOIN {rules()} AS rr ON rr.code = r.vaccine
            WHERE fits OR too_close""",
    }


_PREFERRED = """
    WITH entries AS (
      SELECT person_id, dose_l AS dose_id FROM compared_entries WHERE fits
      UNION SELECT person_id, dose_r FROM compared_entries WHERE fits
    ), accepted AS (
      SELECT DISTINCT dose_id, true AS accepted
      FROM decisions SEMI JOIN entries USING (dose_id) WHERE decision = 'accept'
    )
    SELECT person_id, dose_id, row_number() OVER (
      PARTITION BY person_id ORDER BY accepted IS NULL, lot IS NULL, recorded NULLS LAST, dose_id
    )::INTEGER AS place
    FROM entries JOIN injections USING (dose_id) LEFT JOIN accepted USING (dose_id)"""
_FITTING = """
    SELECT c.person_id, least(l.place, r.place) AS first_place, greatest(l.place, r.place) AS second_place,
      days::INTEGER AS days, evidence
    FROM compared_entries AS c JOIN preferred_entries AS l ON l.dose_id = dose_l
    JOIN preferred_entries AS r ON r.dose_id = dose_r WHERE fits"""
_GROUPED = """
    SELECT person_id, link[1] AS place, link[2] AS primary_place FROM (
      SELECT person_id, unnest(group_entries(list([first_place, second_place, days]))) AS link
      FROM fitting_entries GROUP BY person_id)"""
_DUPLICATES = """
    SELECT member.dose_id, first.dose_id AS primary_dose_id, person_id, evidence
    FROM (SELECT person_id, place AS second_place, primary_place AS first_place FROM grouped_entries)
    JOIN fitting_entries USING (person_id, first_place, second_place)
    JOIN (SELECT person_id, dose_id, place AS second_place FROM preferred_entries) AS member
      USING (person_id, second_place)
    JOIN (SELECT person_id, dose_id, place AS first_place FROM preferred_entries) AS first
      USING (person_id, first_place)
    ORDER BY member.dose_id"""
_TOO_CLOSE = """
    SELECT person_id, if(l_first, dose_l, dose_r) AS dose_id, if(l_first, dose_r, dose_l) AS other_dose_id,
      days::INTEGER AS days
    FROM (SELECT *, (day_l, dose_l) < (day_r, dose_r) AS l_first FROM compared_entries)
    WHERE dose_l NOT IN (SELECT dose_id FROM duplicates) AND dose_r NOT IN (SELECT dose_id FROM duplicates)
    ORDER BY ALL"""
_CROWDED = """
    SELECT person_id, count(*) AS doses FROM dose_persons SEMI JOIN injections USING (dose_id)
    WHERE hash(person_id) IN (FROM crowds) GROUP BY person_id ORDER BY person_id"""
