"""How good a run is, measured against truth: precision, recall, review share, calibration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from evaluation.figures import (
    Evaluation,
    Figures,
    ReliabilityBin,
    Stratum,
    ThresholdPoint,
    Unmatched,
    WeightBin,
)
from evaluation.intervals import share
from linkage.errors import UserError
from linkage.reports.reading import connect, open_file, open_run
from linkage.tables import TRUTH, TableReport, read_table

DIMENSIONS = {
    "id_group": "id_group",
    "registry": "CASE WHEN linkable THEN 'in_registry' ELSE 'absent' END",
    "entry": "CASE WHEN duplicate THEN 'duplicate' ELSE 'first' END",
    "details": "details",
    "twin": "twin",
    "outcome": "outcome",
    "rule": "rule",
    "stratum": "stratum",
}
"""What figures are broken down by; each splits the doses without overlap. ``id_group`` is ``well_formed`` (a
CCCD or CMND usable as typed, separators aside), ``repaired`` (one that had to be mended, such as a lost zero)
or ``unusable`` (none, a placeholder, or another kind of number in the box). ``details``, ``twin`` and ``stratum``
are what truth says; a truth table without the column has no such dimension."""

OF_TRUTH = ("details", "twin", "stratum")

COLUMNS = (
    *("dose_id", "decision", "outcome", "citizen_id", "probability"),
    *("match_weight", "rule", "model", "caution", "id_kind", "id_repair"),
)
ODDS_BITS_PER_BIN = 2
BIN_LIMITS = (-7, 9)
STEPS_PER_BIT = 4
MAX_BITS = 60
EXAMPLES = 5

JUDGED = """
CREATE TABLE judged AS
WITH usable AS (
  SELECT * FROM decisions WHERE decision <> 'quarantine'
), set_aside AS (
  SELECT DISTINCT ON (dose_id) * FROM decisions
  WHERE decision = 'quarantine' AND dose_id NOT IN (SELECT dose_id FROM usable)
), doses AS (
  FROM usable UNION ALL FROM set_aside
), shown AS (
  SELECT DISTINCT dose_id, citizen_id FROM review
)
SELECT d.decision, d.outcome, d.caution, coalesce(d.rule, '') AS rule, d.probability, d.match_weight,
  CASE WHEN coalesce(d.id_kind, '') NOT IN ('cccd', 'cmnd') THEN 'unusable'
       WHEN coalesce(d.id_repair, 'none') IN ('none', 'separators') THEN 'well_formed'
       ELSE 'repaired' END AS id_group,
  t.citizen_id IS NOT NULL AS linkable,
  coalesce(d.citizen_id = t.citizen_id, false) AS "right",
  d.citizen_id IS NOT NULL AND d.probability IS NOT NULL AND d.decision <> 'quarantine' AS has_candidate,
  s.citizen_id IS NOT NULL AS shown,
  t.duplicate_of IS NOT NULL AS duplicate,
  coalesce(t.stratum, '') AS stratum,
  coalesce(t.details, '') AS details,
  CASE WHEN lower(t.twin) IN ('1', '1.0', 'true') THEN 'twin' WHEN t.twin IS NULL THEN '' ELSE 'single' END AS twin,
  greatest(least(log2(greatest(d.probability, 1e-300) / greatest(1 - d.probability, 1e-300)), $max), -$max)
    AS odds_bits
FROM doses d JOIN truth_used t USING (dose_id)
LEFT JOIN shown s ON s.dose_id = d.dose_id AND s.citizen_id = t.citizen_id
"""

TRUTH_USED = """
CREATE VIEW truth_used AS
SELECT dose_id, citizen_id, duplicate_of, stratum, details, twin FROM truth
WHERE lower(coalesce(labelled, '')) NOT IN ('1', '1.0', 'true')
"""

COUNTS = """count(*), count(*) FILTER (linkable),
count(*) FILTER (decision = 'accept'), count(*) FILTER (decision = 'review'),
count(*) FILTER (decision = 'no_match'), count(*) FILTER (decision = 'quarantine'),
count(*) FILTER (decision = 'accept' AND "right"), count(*) FILTER (decision = 'no_match' AND linkable),
count(*) FILTER (decision = 'review' AND linkable),
count(*) FILTER (decision = 'review' AND linkable AND shown)"""


def measure(run: Path, truth: str, columns: Mapping[str, str] | None = None) -> Evaluation:
    """Measure the decisions of ``run`` against a truth table.

    Args:
        run: the folder that ``linkage score`` wrote.
        truth: a table with ``dose_id`` and ``citizen_id`` (empty: not in the registry), optionally
            ``duplicate_of``, ``labelled`` (1: the person's labels trained the model), ``twin`` (1: the person is
            one), ``details`` and ``stratum``.
        columns: its header → our column, before the known headers.

    Raises:
        UserError: no finished run, an unreadable truth table, a dose twice in it, or no dose in common.
    """
    with connect() as connection:
        open_run(connection, run, COLUMNS)
        open_file(connection, run, "review", ("dose_id", "citizen_id"))
        table = read_table(connection, TRUTH, truth, columns=columns)
        return _measured(connection, run, truth, table)


def _measured(connection: duckdb.DuckDBPyConnection, run: Path, truth: str, table: TableReport) -> Evaluation:
    _refuse_repeats(connection, truth)
    connection.execute(TRUTH_USED)
    connection.execute(JUDGED, {"max": MAX_BITS})
    run_only = _unmatched(connection, "decisions", "truth")
    truth_only = _unmatched(connection, "truth", "decisions")
    doses, ids, model = _row(connection, "SELECT count(*), count(DISTINCT dose_id), min(model) FROM decisions")
    [judged] = _row(connection, "SELECT count(*) FROM judged")
    common = ids - run_only.count
    if not common:
        raise UserError("evaluation_nothing_in_common", truth=truth, run=run)
    if judged > common:
        raise ValueError(f"{run}: {common} dose ids became {judged} decisions")
    if not judged:
        raise UserError("evaluation_all_labelled", truth=truth, doses=common)
    reliability = tuple(each for _, each in _reliability(connection, "''"))
    return Evaluation(
        run=run.name,
        model=model or "",
        overall=_figures(_row(connection, f"SELECT {COUNTS} FROM judged")),
        strata=_strata(connection),
        expected_calibration_error=_calibration_error(reliability),
        reliability=reliability,
        weights=_weights(connection),
        thresholds=_thresholds(connection),
        labelled_excluded=common - judged,
        unidentified=doses - ids,
        unusable_truth_rows=table.rows_quarantined,
        truth_notices=tuple((key, {name: str(fact) for name, fact in facts.items()}) for key, facts in table.notices),
        run_only=run_only,
        truth_only=truth_only,
    )


def _row(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    [row] = connection.execute(query).fetchall()
    return tuple(row)


def _refuse_repeats(connection: duckdb.DuckDBPyConnection, truth: str) -> None:
    repeats = connection.execute(
        'SELECT dose_id, min("row"), max("row") FROM truth'
        " GROUP BY dose_id HAVING count(*) > 1 ORDER BY min(key) LIMIT 1"
    ).fetchall()
    for dose, first, last in repeats:
        raise UserError("evaluation_truth_repeats", truth=truth, dose=dose, first=first, last=last)


def _unmatched(connection: duckdb.DuckDBPyConnection, side: str, other: str) -> Unmatched:
    count, examples = _row(
        connection,
        f"SELECT count(*), list(dose_id ORDER BY dose_id)[:{EXAMPLES}] FROM"
        f" (SELECT DISTINCT dose_id FROM {side} WHERE dose_id IS NOT NULL)"
        f" WHERE dose_id NOT IN (SELECT dose_id FROM {other} WHERE dose_id IS NOT NULL)",
    )
    return Unmatched(count, tuple(examples or ()))


def _figures(counts: tuple[int, ...]) -> Figures:
    doses, linkable, accept, review, no_match, quarantine, right, missed, sought, shown = counts
    return Figures(
        doses=doses,
        linkable=linkable,
        accept=accept,
        review=review,
        no_match=no_match,
        quarantine=quarantine,
        precision=share(right, accept),
        false_links=share(accept - right, accept),
        recall=share(right, linkable),
        missed_links=share(missed, no_match),
        review_share=share(review, doses),
        shown_in_review=share(shown, sought),
    )


def _strata(connection: duckdb.DuckDBPyConnection) -> tuple[Stratum, ...]:
    strata: list[Stratum] = []
    for dimension, expression in DIMENSIONS.items():
        rows = connection.execute(
            f"SELECT {expression} AS name, {COUNTS} FROM judged GROUP BY name ORDER BY count(*) DESC, name"
        ).fetchall()
        if dimension in OF_TRUTH and [name for name, *_ in rows] == [""]:
            continue
        bins: dict[str, list[ReliabilityBin]] = {}
        for name, each in _reliability(connection, expression):
            bins.setdefault(name, []).append(each)
        strata += [
            Stratum(dimension, name, _figures(tuple(counts)), _calibration_error(bins.get(name, ())))
            for name, *counts in rows
        ]
    return tuple(strata)


def _reliability(connection: duckdb.DuckDBPyConnection, expression: str) -> tuple[tuple[str, ReliabilityBin], ...]:
    """Bins from unlikely to likely, each with the part of a dimension that it is of."""
    low, high = BIN_LIMITS
    rows = connection.execute(
        f"SELECT {expression} AS name, greatest({low}, least({high}, floor(odds_bits / {ODDS_BITS_PER_BIN}))) AS bin,"
        ' round(avg(probability), 12), count(*) FILTER ("right"), count(*)'
        " FROM judged WHERE has_candidate GROUP BY name, bin ORDER BY name, bin"
    ).fetchall()
    return tuple((name, ReliabilityBin(predicted, share(right, total))) for name, _, predicted, right, total in rows)


def _calibration_error(reliability: Sequence[ReliabilityBin]) -> float | None:
    candidates = sum(part.realised.total for part in reliability)
    gaps = (abs(part.predicted * part.realised.total - part.realised.count) for part in reliability)
    return sum(gaps) / candidates if candidates else None


def _weights(connection: duckdb.DuckDBPyConnection) -> tuple[WeightBin, ...]:
    rows = connection.execute(
        "SELECT floor(match_weight)::INTEGER AS bits,"
        ' count(*) FILTER ("right"), count(*) FILTER (NOT "right")'
        " FROM judged WHERE has_candidate AND isfinite(match_weight) GROUP BY bits ORDER BY bits"
    ).fetchall()
    return tuple(WeightBin(*row) for row in rows)


def _thresholds(connection: duckdb.DuckDBPyConnection) -> tuple[ThresholdPoint, ...]:
    rows = connection.execute(
        f"SELECT floor(odds_bits * {STEPS_PER_BIT}) AS step, min(probability),"
        ' sum(count(*)) OVER down, sum(count(*) FILTER ("right")) OVER down'
        " FROM judged WHERE has_candidate AND caution IS NULL GROUP BY step"
        " WINDOW down AS (ORDER BY step DESC) ORDER BY step DESC"
    ).fetchall()
    return tuple(ThresholdPoint(probability, int(accepts), int(right)) for _, probability, accepts, right in rows)
