"""What changes when a model takes another's place: dose by dose, counted, and the most telling examples."""

import glob
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from linkage.deciding import WEAKEST
from linkage.scoring import bits_column
from linkage.tables.sql import quoted
from models import Model

CHANGES = (
    "accept_to_other",
    "accept_to_review",
    "accept_to_no_match",
    "review_to_accept",
    "no_match_to_accept",
    "review_to_other",
    "review_to_no_match",
    "no_match_to_review",
)
"""Kinds of change, the gravest first: ``to_other`` keeps the decision and names another citizen."""

UNITS = {"stratum_a": None, "stratum_b": None, "id_kind": None, "province": 10, "facility_id": 10}
"""What changes are counted by, and how many of the parts that change most are kept; None for all."""

EXAMPLES = 10
TOLD = ("change", "dose_id", "stratum_a", "stratum_b", "probability_a", "probability_b", "weight_change")
BOTH = """
CREATE TABLE compared AS
SELECT a.dose_id, a.decision AS decision_a, b.decision AS decision_b, a.citizen_id AS citizen_a,
  b.citizen_id AS citizen_b, a.probability AS probability_a, b.probability AS probability_b,
  a.stratum AS stratum_a, b.stratum AS stratum_b, a.id_kind, a.province, a.facility_id,
  CASE WHEN a.decision <> b.decision THEN a.decision || '_to_' || b.decision
       WHEN a.decision IN ('accept', 'review') AND a.citizen_id IS DISTINCT FROM b.citizen_id
         THEN a.decision || '_to_other' END AS change
FROM a_decisions AS a JOIN b_decisions AS b USING (dose_id)
WHERE a.decision <> 'quarantine' AND b.decision <> 'quarantine'
"""


@dataclass(frozen=True, slots=True)
class Flow:
    """Doses with one decision under A and one under B; ``same_citizen`` where both accept or review."""

    a: str
    b: str
    same_citizen: bool
    doses: int


@dataclass(frozen=True, slots=True)
class Unit:
    """The doses of one part: a stratum, a kind of number, a province, a facility."""

    by: str
    name: str
    doses: int
    accepted_a: int
    accepted_b: int
    changed: int
    changes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One comparison of a dose with a citizen: its level and bits under each model; None where it has none."""

    comparison: str
    level_a: str | None
    level_b: str | None
    bits_a: float | None
    bits_b: float | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A citizen who decides an example, with the match weights in bits; None where the pair was not kept."""

    citizen_id: str
    match_weight_a: float | None
    match_weight_b: float | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A dose that changes.

    Attributes:
        weight_change: match weight under B minus under A, in bits, of the citizen that B accepts, else of A's best.
    """

    change: str
    dose_id: str
    stratum_a: str | None
    stratum_b: str | None
    probability_a: float | None
    probability_b: float | None
    weight_change: float
    candidates: tuple[Candidate, ...]


def join_runs(connection: duckdb.DuckDBPyConnection, runs: Mapping[str, Path]) -> None:
    """Make views over the runs ``a`` and ``b`` of the same doses, and ``compared`` with a row for each usable dose."""
    for side, run in runs.items():
        for name in ("decisions", "candidates", "doses"):
            connection.read_parquet(glob.escape(str(run / f"{name}.parquet"))).create_view(f"{side}_{name}")
    connection.execute(BOTH)


def changes_query() -> str:
    """The rows of ``changes.parquet``: every dose whose decision or citizen changes, in the order of their ids."""
    return """
    SELECT dose_id, change, decision_a, decision_b, citizen_a, citizen_b, probability_a, probability_b,
      stratum_a, stratum_b, id_kind, province, facility_id
    FROM compared WHERE change IS NOT NULL ORDER BY dose_id"""


def flows(connection: duckdb.DuckDBPyConnection) -> tuple[Flow, ...]:
    """Doses by decision under A and under B."""
    rows = connection.execute("""
    SELECT decision_a, decision_b, coalesce(citizen_a = citizen_b, false) AS same, count(*) FROM compared
    GROUP BY ALL ORDER BY ALL
    """).fetchall()
    return tuple(Flow(*row) for row in rows)


def units(connection: duckdb.DuckDBPyConnection) -> tuple[Unit, ...]:
    """Doses and changes by part, those with the most changes first."""
    found = []
    counts = ", ".join(f"count(*) FILTER (change = '{change}')" for change in CHANGES)
    for by, most in UNITS.items():
        rows = connection.execute(f"""
        SELECT coalesce({by}, ''), count(*), count(*) FILTER (decision_a = 'accept'),
          count(*) FILTER (decision_b = 'accept'), count(change), {counts}
        FROM compared GROUP BY ALL ORDER BY count(change) DESC, count(*) DESC, coalesce({by}, '')
        {f"LIMIT {most}" if most else ""}
        """).fetchall()
        found += [
            Unit(by, name, doses, accepted_a, accepted_b, changed, dict(zip(CHANGES, kinds, strict=True)))
            for name, doses, accepted_a, accepted_b, changed, *kinds in rows
        ]
    return tuple(found)


def examples(connection: duckdb.DuckDBPyConnection, models: Mapping[str, Model]) -> tuple[Example, ...]:
    """Of each kind of change the doses whose match weight changes most.

    Args:
        connection: as `join_runs` left it.
        models: ``a`` and ``b``.
    """
    rows = connection.execute(
        f"""
    WITH deciding AS (
      SELECT *, CASE WHEN decision_b = 'accept' THEN citizen_b ELSE coalesce(citizen_a, citizen_b) END AS citizen_id
      FROM compared WHERE change IS NOT NULL
    ), weighed AS (
      SELECT deciding.*, coalesce(b.match_weight, $weakest) - coalesce(a.match_weight, $weakest) AS weight_change
      FROM deciding LEFT JOIN a_candidates AS a USING (dose_id, citizen_id)
      LEFT JOIN b_candidates AS b USING (dose_id, citizen_id)
    )
    SELECT {", ".join(TOLD)}, citizen_a, citizen_b
    FROM weighed QUALIFY row_number() OVER (PARTITION BY change ORDER BY abs(weight_change) DESC, dose_id) <= $most
    ORDER BY abs(weight_change) DESC, dose_id
    """,
        {"weakest": WEAKEST, "most": EXAMPLES},
    ).fetchall()
    rows.sort(key=lambda row: CHANGES.index(row[0]))
    pairs = [(row[1], citizen) for row in rows for citizen in dict.fromkeys(filter(None, row[len(TOLD) :]))]
    shown = {side: _shown(connection, side, model, pairs) for side, model in models.items()}
    names = dict.fromkeys(each.name for model in models.values() for each in model.specification.comparisons)
    candidates = [
        (dose, _candidate(citizen, shown["a"].get((dose, citizen), {}), shown["b"].get((dose, citizen), {}), names))
        for dose, citizen in pairs
    ]
    return tuple(
        Example(
            **dict(zip(TOLD, row, strict=False)), candidates=tuple(each for dose, each in candidates if dose == row[1])
        )
        for row in rows
    )


def _shown(
    connection: duckdb.DuckDBPyConnection, side: str, model: Model, pairs: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, Any]]:
    """What one run says of pairs: match weight, the level of each comparison, and its bits as ``bits_<comparison>``."""
    comparisons = model.specification.comparisons
    columns = ["match_weight", *(c.name for c in comparisons), *(bits_column(c) for c in comparisons)]
    rows = connection.execute(
        f"SELECT dose_id, citizen_id, {', '.join(map(quoted, columns))} FROM {side}_candidates SEMI JOIN"
        " (SELECT unnest($doses) AS dose_id, unnest($citizens) AS citizen_id) USING (dose_id, citizen_id)",
        {"doses": [dose for dose, _ in pairs], "citizens": [citizen for _, citizen in pairs]},
    ).fetchall()
    return {(dose, citizen): dict(zip(columns, values, strict=True)) for dose, citizen, *values in rows}


def _candidate(citizen: str, a: Mapping[str, Any], b: Mapping[str, Any], names: Iterable[str]) -> Candidate:
    evidence = (Evidence(n, a.get(n), b.get(n), a.get(f"bits_{n}"), b.get(f"bits_{n}")) for n in names)
    return Candidate(citizen, a.get("match_weight"), b.get("match_weight"), tuple(evidence))
