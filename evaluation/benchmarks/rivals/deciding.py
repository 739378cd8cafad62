"""From a rival's match weights to a run folder, by our rules: calibration, thresholds, decisions."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.benchmarks.rivals.ground import Ground
from linkage.deciding import compile_deciding
from linkage.tables import write_parquet
from models import CAUTION, Specification
from training.calibration import Scored, calibrate_strata, cross_fitted
from training.thresholds import choose_thresholds
from training.vectors import Floats, strata


def decide(ground: Ground, weights: str, apart: Floats, specification: Specification, run: Path) -> dict[str, Any]:
    """Calibrate a rival's weights and choose its thresholds as our training does; write its decisions to ``run``.

    A foreigner who is not accepted is no match, and a dose some of whose pairs were given up is never one, as in a
    run of ours.

    Args:
        ground: what all share.
        weights: a table with ``dose_key``, ``citizen_key`` and ``match_weight`` of every candidate pair.
        apart: match weights of the labelled doses' candidates by what other folds taught, in the order of
            ``ground.labelled``.
        specification: ours, or one without its strata and cautions.
        run: the folder to write.

    Returns:
        Calibration and thresholds as plain data.
    """
    connection, job, of, names = ground.connection, ground.job, ground.labelled, specification.stratum_names
    found = np.zeros(len(of.weight), dtype=bool)
    found[of.dose[of.is_match]] = True
    in_registry = float((of.weight[found].sum() + 0.5) / (of.weight.sum() + 1))
    scored = Scored(of, apart, strata(specification, of.vectors, of.dose, apart, len(of.weight)))
    chosen = choose_thresholds(
        cross_fitted(scored, names, ground.fold, in_registry),
        names,
        CAUTION,
        max_false_link_rate=job.tolerances.false_links,
        max_missed_link_rate=job.tolerances.missed_links,
        max_false_link_rate_of_a_stratum=job.tolerances.false_links_of_a_stratum,
    )
    calibration = calibrate_strata(scored, names, in_registry)
    model = replace(
        ground.model,
        specification=specification,
        in_registry=in_registry,
        calibration=calibration,
        thresholds=chosen.thresholds,
    )
    weighed = (
        "(SELECT p.* REPLACE (w.match_weight AS match_weight)"
        f" FROM pairs AS p JOIN {weights} AS w USING (dose_key, citizen_key))"
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE decided AS {compile_deciding(model, weighed)}")
    rules = ", ".join(f"'{rule.name}'" for rule in model.specification.blocking)
    decisions = f"""
    SELECT d.dose_id, CASE WHEN b.decision = 'accept' THEN 'accept' WHEN s.foreign_national THEN 'no_match'
        WHEN b.decision = 'review' OR d.key IN (SELECT key FROM doses_forgone) THEN 'review'
        ELSE 'no_match' END AS decision,
      '' AS outcome, c.citizen_id, b.probability, b.match_weight, [{rules}][b.rule + 1] AS rule, '{weights}' AS model,
      s.id_kind, s.id_repair, b.caution, b.stratum
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
    (run / "manifest.json").write_text('{"inputs": {}}\n', encoding="utf-8")
    return {
        "calibration": {name: asdict(each) for name, each in calibration.items()},
        "thresholds": asdict(chosen.thresholds),
        "evidence": chosen.evidence,
    }
