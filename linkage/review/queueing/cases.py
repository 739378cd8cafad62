"""Cases out of a run: what is shown, as JSON, what it is worth, where it belongs, and its id."""

import duckdb

from linkage.deciding.answers import record_digest
from linkage.progress import Progress
from linkage.review.cases import PAIRED, case_id
from linkage.review.queueing.places import WORTH
from linkage.tables import CITIZENS
from models import NEVER, Model

__all__ = ["build_cases"]

RECORD = tuple(dict.fromkeys(dose for dose, _ in PAIRED.values() if dose))
REGISTRY = tuple(column for column in CITIZENS.columns if column != "citizen_id")
DOSE = ("injected_on", "vaccine", "dose_number", "lot_number", "facility_id", "recorded_at")

CASES = """
CREATE TABLE cases (
  case_id VARCHAR, subject VARCHAR, hidden BOOLEAN, known_outcome VARCHAR, known_citizen VARCHAR,
  province VARCHAR, district VARCHAR, commune VARCHAR, facility VARCHAR, doses INTEGER, probability DOUBLE,
  worth DOUBLE, waiting_since VARCHAR, dose_ids VARCHAR[], content VARCHAR
)
"""


def build_cases(connection: duckdb.DuckDBPyConnection, model: Model, parts: int, progress: Progress) -> None:
    """Make ``cases`` of ``case_doses``, ``case_candidates``, ``registry`` and ``relatives``, one part after the other.

    A row a case: ``case_id``; ``subject``; ``hidden``, ``known_outcome``, ``known_citizen``; the codes of 2021
    ``province``, ``district``, ``commune`` and the ``facility``, of the record or, where it has none, of another dose
    of the case; ``doses`` (how many an answer settles) and ``dose_ids``; ``probability`` that a candidate is the one
    (null without candidates); ``worth``; ``waiting_since`` (ISO day of the oldest dose); ``content``, as
    :func:`linkage.review.cases.from_json` reads it, and ``records``, the digest of the record of each dose.
    """
    connection.create_function("case_id_of", case_id, ["VARCHAR", "VARCHAR"], "VARCHAR")
    connection.execute(CASES)
    statement = _statement(model)
    for part in range(parts):
        progress("queue", part, parts)
        connection.execute(statement, {"part": part})
    progress("queue", parts, parts)
    connection.remove_function("case_id_of")


def _struct(columns: tuple[str, ...], of: str) -> str:
    """The columns of a relation as one struct."""
    return "{" + ", ".join(f"'{name}': {of}.{name}" for name in columns) + "}"


def _statement(model: Model) -> str:
    variants = ", ".join(
        f"{{'column': '{name}', 'values': list_filter(v.{name}, lambda said: said IS DISTINCT FROM d.{name})}}"
        for name in RECORD
    )
    best = "probability DESC, match_weight DESC, dose_id, citizen_id"
    return f"""
    INSERT INTO cases
    WITH dose AS (FROM case_doses WHERE part = $part),
    candidate AS (
      SELECT *, row_number() OVER (PARTITION BY subject ORDER BY {best}) AS place,
        row_number() OVER (PARTITION BY subject, citizen_id ORDER BY {best}) AS own
      FROM case_candidates WHERE part = $part
    ), shown AS (
      SELECT k.subject, arg_min(k.dose_id, k.place) AS dose_id, list({{
          'citizen_id': k.citizen_id, 'probability': k.probability, 'match_weight': round(k.match_weight, 3),
          'registry': {_struct(REGISTRY, "c")}, 'levels': k.levels, 'bits': k.bits
        }} ORDER BY k.place) AS candidates,
        list({{'citizen_id': k.citizen_id, 'registry': {_struct(REGISTRY, "c")}}} ORDER BY k.citizen_id) AS citizens
      FROM candidate AS k JOIN registry AS c USING (citizen_id) WHERE k.own = 1 GROUP BY k.subject
    ), likely AS (
      SELECT subject, max(total) AS probability FROM (
        SELECT subject, list_sum(list(probability ORDER BY citizen_id)) AS total FROM candidate
        GROUP BY subject, dose_id
      ) GROUP BY subject
    ), subject AS (
      SELECT subject, count(*) FILTER (in_case)::INTEGER AS doses, min(day) FILTER (in_case) AS waiting_since,
        list(dose_id ORDER BY dose_id) FILTER (in_case) AS dose_ids, min(dose_id) FILTER (in_case) AS first_dose,
        arg_min({{'province': decided_province, 'district': decided_district, 'commune': decided_commune}},
          (decided_commune IS NULL, decided_district IS NULL, decided_province IS NULL, dose_id)) FILTER (in_case)
          AS elsewhere,
        min(facility_id) FILTER (in_case) AS other_facility,
        list({{'dose_id': dose_id, 'record': {_struct(RECORD, "dose")}, 'dose': {_struct(DOSE, "dose")}}}
          ORDER BY dose_id) FILTER (in_case) AS said,
        list({{'dose_id': dose_id, 'record': {record_digest("dose")}}} ORDER BY dose_id) FILTER (in_case) AS records,
        list({{
          'dose_id': dose_id, 'in_case': in_case, 'decision': CASE WHEN in_case THEN 'review' ELSE decision END,
          'citizen_id': CASE WHEN NOT in_case AND decision = 'accept' THEN decided_citizen_id END,
          {", ".join(f"'{name}': {name}" for name in DOSE)}
        }} ORDER BY in_case DESC, day NULLS LAST, dose_id) AS all_doses
      FROM dose GROUP BY subject
    ), variant AS (
      SELECT subject, {", ".join(f"list_sort(list_distinct(list({name}))) AS {name}" for name in RECORD)}
      FROM dose GROUP BY subject
    ), fingerprinted AS (
      SELECT s.subject, sha256(to_json({{'doses': s.said, 'candidates': k.citizens}})::VARCHAR) AS fingerprint
      FROM subject AS s LEFT JOIN shown AS k USING (subject)
    )
    SELECT case_id_of(s.subject, CASE WHEN d.hidden THEN 'hidden:' ELSE '' END || f.fingerprint) AS case_id,
      s.subject, d.hidden, d.known_outcome, d.known_citizen,
      {_here("province")}, {_here("district")}, {_here("commune")}, coalesce(d.facility_id, s.other_facility),
      s.doses, p.probability, {WORTH}, s.waiting_since, s.dose_ids,
      to_json({{
        'subject': s.subject, 'record': {_struct(RECORD, "d")}, 'doses': s.all_doses,
        'candidates': coalesce(k.candidates, []),
        'decision': {_decision(model)},
        'variants': map_from_entries([{{'k': item.column, 'v': item.values}}
          FOR item IN [{variants}] IF len(item.values) > 0]),
        'household': coalesce(h.household, []), 'records': s.records
      }})::VARCHAR AS content
    FROM subject AS s JOIN fingerprinted AS f USING (subject) JOIN variant AS v USING (subject)
    LEFT JOIN shown AS k USING (subject) LEFT JOIN likely AS p USING (subject)
    LEFT JOIN relatives AS h USING (subject)
    JOIN dose AS d ON d.dose_id = coalesce(k.dose_id, s.first_dose)
    """


def _here(column: str) -> str:
    """Where the record says that it is; where it says nothing, where the dose says that says most."""
    anywhere = "coalesce(d.decided_commune, d.decided_district, d.decided_province)"
    return f"CASE WHEN {anywhere} IS NULL THEN s.elsewhere.{column} ELSE d.decided_{column} END"


SURPRISING = 0.05
"""An answer that the model holds for less probable than this is read by a second person before it stands: slips of the
pen are rare, and most of them are such answers."""


def _decision(model: Model) -> str:
    """What the run decided about the dose that is shown, with the thresholds it was held against.

    A hidden case that was accepted is told as one of a stratum in which nothing is accepted.
    """
    accept = model.thresholds.accept
    threshold = " ".join(f"WHEN '{stratum}' THEN {value!r}" for stratum, value in accept.items())
    own = f"CASE d.decided_stratum {threshold} END"
    return (
        "{'outcome': 'in_review', 'probability': d.decided_probability, 'margin': round(d.decided_margin, 3),"
        " 'rule': d.decided_rule, 'caution': d.decided_caution, 'stratum': d.decided_stratum,"
        f" 'accept': CASE WHEN d.hidden AND d.decision = 'accept' THEN {NEVER!r} ELSE {own} END,"
        f" 'lowest_accept': {min(accept.values())!r}, 'review': {model.thresholds.review!r},"
        f" 'surprising': {SURPRISING!r}}}"
    )
