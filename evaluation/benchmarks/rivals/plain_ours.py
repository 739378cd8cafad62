"""Our own match weights with one threshold and without cautions: what strata and cautions give and cost."""

from dataclasses import replace

import numpy as np

from evaluation.benchmarks.rivals.ground import Ground, Weighed
from training.arrays import find_pairs
from training.train import RANDOM_DOSES
from training.vectors import match_weights


def weigh(ground: Ground) -> Weighed:
    """Make ``plain_khop_weights``; the weights out of fold are those that our training took thresholds from."""
    connection, of = ground.connection, ground.labelled
    connection.execute(
        "CREATE TABLE random_doses AS SELECT key FROM doses ORDER BY md5(dose_id || $seed), key LIMIT $limit",
        {"seed": str(ground.job.seed), "limit": RANDOM_DOSES},
    )
    pairs = find_pairs(connection, ground.model.specification, ground.job.seed)
    rows = connection.execute("SELECT fold FROM labelled ORDER BY dose_key, citizen_key").fetchnumpy()
    weights = np.zeros(len(of.dose))
    for fold in np.unique(ground.fold):
        other = replace(pairs.model(np.asarray(rows["fold"] != fold)), in_registry=ground.model.in_registry)
        inside = ground.fold[of.dose] == fold
        weights[inside] = match_weights(other, pairs.registry, of.vectors.of(inside))
    connection.execute("CREATE VIEW plain_khop_weights AS SELECT dose_key, citizen_key, match_weight FROM pairs")
    return Weighed(weights, {})
