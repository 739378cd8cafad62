"""From a rival's match weights to a run folder, by our rules: calibration, thresholds, decisions."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.benchmarks.rivals.ground import Ground
from linkage.deciding import compile_deciding
from linkage.tables import write_parquet
from training.calibration import Scored, calibrate
from training.thresholds import choose_thresholds


def decide(ground: Ground, weights: str, run: Path) -> dict[str, Any]:
    """Calibrate a rival's weights and choose its thresholds on the persons held apart; write its decisions to ``run``.

    A foreigner who is not accepted is no match, and a dose some of whose pairs were given up is never one, as in a
    run of ours.

    Args:
        ground: what all share.
        weights: a table with ``dose_key``, ``citizen_key`` and ``match_weight`` of every candidate pair.
        run: the folder to write.

    Returns:
        Calibration and thresholds as plain data.
    """
    connection, job = ground.connection, ground.job
    scored = _scored(ground, weights)
    found = np.zeros(len(scored.weight), dtype=bool)
    found[scored.dose[scored.is_match]] = True
    in_registry = float((scored.weight[found].sum() + 0.5) / (scored.weight.sum() + 1))
    calibration = calibrate(scored, in_registry)
    chosen = choose_thresholds(
        scored,
        calibration,
        in_registry,
        cautioned=np.zeros(len(scored.weight), dtype=bool),
        max_false_link_rate=job.max_false_link_rate,
        max_missed_link_rate=job.max_missed_link_rate,
    )
    # the cautions are ours: a rival has none
    specification = replace(ground.model.specification, cautions=())
    model = replace(
        ground.model,
        specification=specification,
        in_registry=in_registry,
        calibration=calibration,
        thresholds=chosen.thresholds,
    )
    with_rule = f"(SELECT w.*, rule FROM {weights} AS w JOIN pairs USING (dose_key, citizen_key))"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE decided AS {compile_deciding(model, with_rule)}")
    rules = ", ".join(f"'{rule.name}'" for rule in model.specification.blocking)
    decisions = f"""
    SELECT d.dose_id, CASE WHEN b.decision = 'accept' THEN 'accept' WHEN s.foreign_national THEN 'no_match'
        WHEN b.decision = 'review' OR d.key IN (SELECT key FROM doses_forgone) THEN 'review'
        ELSE 'no_match' END AS decision,
      '' AS outcome, c.citizen_id, b.probability, b.match_weight, [{rules}][b.rule + 1] AS rule, '{weights}' AS model,
      s.id_kind, s.id_repair, b.caution
    FROM doses AS d JOIN doses_standardised AS s ON s.key = d.key
    LEFT JOIN (FROM decided WHERE rank = 1) AS b ON b.dose_key = d.key
    LEFT JOIN citizens AS c ON c.key = b.citizen_key
    ORDER BY d.key
    """
    shown = """
    SELECT d.dose_id, c.citizen_id FROM decided AS k JOIN doses AS d ON d.key = k.dose_key
    JOIN citizens AS c ON c.key = k.citizen_key WHERE k.decision = 'review' ORDER BY d.key, k.rank
    """
    run.mkdir(exist_ok=True)
    write_parquet(connection, decisions, run / "decisions.parquet")
    write_parquet(connection, shown, run / "review.parquet")
    (run / "manifest.json").write_text("{}\n", encoding="utf-8")
    return {"calibration": asdict(calibration), "thresholds": asdict(chosen.thresholds), "evidence": chosen.evidence}


def _scored(ground: Ground, weights: str) -> Scored:
    """The candidates of the labelled doses held apart."""
    connection = ground.connection
    connection.execute("""
    CREATE OR REPLACE TEMP TABLE apart_doses AS
    SELECT dose_key, row_number() OVER (ORDER BY dose_key) - 1 AS number, max(weight) AS weight,
      bool_or(is_match) AS in_registry
    FROM labelled WHERE apart GROUP BY dose_key
    """)
    rows = connection.execute(f"""
    SELECT number, match_weight, coalesce(is_match, false) AS is_match
    FROM {weights} JOIN apart_doses USING (dose_key) LEFT JOIN labelled USING (dose_key, citizen_key)
    ORDER BY number, citizen_key
    """).fetchnumpy()
    doses = connection.execute("SELECT weight, in_registry FROM apart_doses ORDER BY number").fetchnumpy()
    return Scored(
        match_weight=np.asarray(rows["match_weight"], dtype=float),
        is_match=np.asarray(rows["is_match"], dtype=bool),
        dose=np.asarray(rows["number"], dtype=np.int64),
        weight=np.asarray(doses["weight"], dtype=float),
        in_registry=np.asarray(doses["in_registry"], dtype=bool),
    )
