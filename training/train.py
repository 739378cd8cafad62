"""From files of doses, citizens and labels to the folder MODEL."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage.blocking import Budget, plan_blocking
from linkage.deciding import WEAKEST, compile_ranking
from linkage.errors import UserError
from linkage.progress import Progress, silent
from linkage.scoring import compared_tables, compile_scoring, measure_registry
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, LABELS, TableSchema, read_table
from linkage.workspace import Workspace
from models import Calibration, Model, Registry, Specification, Thresholds
from training.calibration import Scored, calibrate
from training.card import write_card
from training.dependence import Dependence, measure_dependence
from training.estimation import estimate, levels_of, random_pairs, reaches, same_value_shares
from training.labels import LabelCounts, check_labels, hold_apart, labelled_keys
from training.thresholds import Chosen, choose_thresholds

RANDOM_DOSES = 50_000
"""Doses without a label that are kept: random pairs are drawn from them."""

RANDOM_PAIRS = 1_000_000
HELD_APART_AT_LEAST = 100


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What ``linkage train`` was asked to do.

    Attributes:
        max_false_link_rate: false links among accepts.
        max_missed_link_rate: doses whose citizen is in the registry, among no-match.
    """

    doses: str
    citizens: str
    labels: str
    specification: Specification
    out: Path
    threads: int
    memory: str
    max_false_link_rate: float = 1 / 2500
    max_missed_link_rate: float = 0.02
    seed: int = 1
    force: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)


def train(job: TrainJob, *, progress: Progress = silent) -> Model:
    """Learn a model and write the folder MODEL: ``model.json``, ``splink.json``, ``card.md`` and ``charts/``.

    Half of the labelled persons give m and u; the other half give calibration and thresholds.

    Raises:
        UserError: an input cannot be used, MODEL exists, or there are too few labels.
    """
    if not 0 < job.max_false_link_rate < 1:
        raise UserError("train.bad_rate", found=job.max_false_link_rate)
    work = Workspace(
        job.out,
        {},
        resume=None,
        force=job.force,
        ours=frozenset({"model.json", "splink.json", "card.md", "charts"}),
        threads=job.threads,
        memory=job.memory,
    )
    try:
        inputs, counts = _prepare(work.connection, job, progress)
        model = _learn(work.connection, job, inputs, counts, progress)
        (work.result / "model.json").write_text(model.to_json(), encoding="utf-8")
        write_card(work.result, model)
        work.publish()
    finally:
        work.discard()
        work.close()
    return model


def _prepare(
    connection: duckdb.DuckDBPyConnection, job: TrainJob, progress: Progress
) -> tuple[dict[str, str], LabelCounts]:
    inputs = {}

    def read(schema: TableSchema, path: str) -> None:
        report = read_table(connection, schema, path, columns=job.columns, progress=progress)
        digest = hashlib.sha256("".join(file.digest for file in report.files).encode())
        inputs[schema.name] = digest.hexdigest()

    read(LABELS, job.labels)
    check_labels(connection, job.labels)
    read(DOSES, job.doses)
    read(CITIZENS, job.citizens)
    # md5, not the engine's hash(): the sample must be the same in every version
    connection.execute(
        "DELETE FROM doses WHERE dose_id NOT IN (SELECT dose_id FROM label_pairs) AND key NOT IN "
        "(SELECT key FROM doses ORDER BY md5(dose_id || $seed), key LIMIT $limit)",
        {"seed": str(job.seed), "limit": RANDOM_DOSES},
    )
    counts = labelled_keys(connection)
    if counts.positives == 0 or counts.negatives == 0:
        raise UserError("labels.unknown_records", path=job.labels, doses=job.doses, citizens=job.citizens)
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"}, progress=progress)
    compared_tables(connection, job.specification, progress=progress)
    return inputs, counts


def _learn(
    connection: duckdb.DuckDBPyConnection,
    job: TrainJob,
    inputs: dict[str, str],
    counts: LabelCounts,
    progress: Progress,
) -> Model:
    specification = job.specification
    registry = measure_registry(connection, specification)
    citizens = registry.citizens
    labelled = connection.execute(
        "SELECT dose_key, citizen_key, is_match, weight, person FROM labelled ORDER BY dose_key, citizen_key"
    ).fetchnumpy()
    persons = np.asarray(labelled["person"], dtype=str)
    different = len(np.unique(persons))
    if different < HELD_APART_AT_LEAST:
        raise UserError("labels.too_few_persons", path=job.labels, found=different, needed=HELD_APART_AT_LEAST)
    apart = hold_apart(persons, job.seed)
    progress("learn", 0, 3)
    model, dependence = _uncalibrated(connection, job, labelled, ~apart, registry)
    progress("learn", 1, 3)
    scored, cautioned = _scored(connection, model, np.unique(np.asarray(labelled["dose_key"])[apart]), registry)
    if len(scored.weight) < HELD_APART_AT_LEAST:
        raise UserError("labels.too_few", path=job.labels, found=len(scored.weight), needed=HELD_APART_AT_LEAST)
    found = np.zeros(len(scored.weight), dtype=bool)
    found[scored.dose[scored.is_match]] = True
    in_registry = round(float((scored.weight[found].sum() + 0.5) / (scored.weight.sum() + 1)), 9)
    shift = model.prior_bits(citizens)
    model = replace(model, in_registry=in_registry)
    scored = replace(scored, match_weight=scored.match_weight - shift + model.prior_bits(citizens))
    calibration, with_caution = (calibrate(scored.of(doses), in_registry) for doses in (~cautioned, cautioned))
    kind = cautioned[scored.dose]
    calibrated = np.where(kind, with_caution.bits(scored.match_weight), calibration.bits(scored.match_weight))
    progress("learn", 2, 3)
    chosen = choose_thresholds(
        replace(scored, match_weight=calibrated),
        Calibration(),
        in_registry,
        cautioned=cautioned,
        max_false_link_rate=job.max_false_link_rate,
        max_missed_link_rate=job.max_missed_link_rate,
    )
    progress("learn", 3, 3)
    evidence = _evidence(job, inputs, counts, registry, chosen) | {"dependence": dependence.evidence()}
    return replace(
        model, calibration=calibration, cautioned=with_caution, thresholds=chosen.thresholds, evidence=evidence
    )


def _uncalibrated(
    connection: duckdb.DuckDBPyConnection,
    job: TrainJob,
    labelled: Mapping[str, Any],
    used: NDArray[np.bool_],
    registry: Registry,
) -> tuple[Model, Dependence]:
    connection.execute(
        "CREATE TEMP TABLE numbered AS"
        " SELECT row_number() OVER (ORDER BY dose_key, citizen_key) AS number, * FROM labelled"
    )
    random_pairs(connection, RANDOM_PAIRS, job.seed)
    levels = levels_of(connection, job.specification, "numbered")
    random_levels = levels_of(connection, job.specification, "random_pairs")
    same_value = same_value_shares(connection, job.specification)
    is_match, weight = (
        np.asarray(labelled["is_match"])[used],
        np.asarray(labelled["weight"], dtype=float)[used],
    )
    own = used & np.asarray(labelled["is_match"])
    known = {name: np.asarray(labelled[name])[own] for name in ("dose_key", "citizen_key", "weight")}
    reach = reaches(connection, job.specification, known, job.seed)
    doses, first = np.unique(np.asarray(labelled["dose_key"])[used], return_index=True)
    absent = ~np.isin(np.asarray(labelled["dose_key"])[used], known["dose_key"])
    hard_negatives = float(weight[~is_match].sum() / weight[first].sum()) if len(doses) else 0.0
    parameters = {
        comparison.name: estimate(
            comparison,
            levels[comparison.name][used],
            is_match,
            weight,
            random_levels[comparison.name],
            absent=absent,
            same_value=same_value,
            reach=reach.get(comparison.name, {}),
            hard_negatives=hard_negatives,
            citizens=registry.citizens,
        )
        for comparison in job.specification.comparisons
        if not comparison.is_interaction
    }
    model = Model(
        name=job.out.name,
        specification=job.specification,
        parameters=parameters,
        in_registry=0.5,
        calibration=Calibration(),
        thresholds=Thresholds(accept=1.0, review=0.0),
    )
    dependence = measure_dependence(
        model,
        {name: found[used] for name, found in levels.items()},
        is_match,
        weight,
        registry=registry,
        random_levels=random_levels,
        hard_negatives=hard_negatives,
    )
    return model, dependence


def _scored(
    connection: duckdb.DuckDBPyConnection, model: Model, doses: NDArray[np.int64], registry: Registry
) -> tuple[Scored, NDArray[np.bool_]]:
    """Score the labelled doses of these keys against the whole registry, the way a run does.

    Also, shape (doses,), whether a caution holds.
    """
    connection.register("apart", {"key": doses})
    connection.execute(
        "CREATE TEMP TABLE apart_doses AS SELECT key, row_number() OVER (ORDER BY key) - 1 AS number FROM apart"
    )
    connection.unregister("apart")
    connection.execute("DELETE FROM doses_compared WHERE key NOT IN (SELECT key FROM apart_doses)")
    plan = plan_blocking(connection, model.specification, Budget())
    bounds = {"first": 0, "last": int(doses.max()) if len(doses) else 0}
    connection.execute(
        "CREATE TEMP TABLE scored AS SELECT s.*, number, coalesce(labelled.is_match, false) AS is_match"
        f" FROM ({compile_scoring(model, registry, plan, WEAKEST - 20)}) AS s"
        " JOIN apart_doses ON apart_doses.key = s.dose_key"
        " LEFT JOIN labelled ON labelled.dose_key = s.dose_key AND labelled.citizen_key = s.citizen_key",
        bounds,
    )
    rows = connection.execute(
        "SELECT number, match_weight, is_match, caution IS NOT NULL AS cautioned"
        f" FROM ({compile_ranking(model.specification, 'scored')}) ORDER BY number, citizen_key"
    ).fetchnumpy()
    by_dose = connection.execute(
        "SELECT number, max(weight) AS weight, bool_or(is_match) AS in_registry FROM labelled"
        " JOIN apart_doses ON key = dose_key GROUP BY number ORDER BY number"
    ).fetchnumpy()
    dose = np.asarray(rows["number"], dtype=np.int64)
    cautioned = np.zeros(len(by_dose["weight"]), dtype=bool)
    cautioned[dose] = rows["cautioned"]
    scored = Scored(
        match_weight=np.asarray(rows["match_weight"], dtype=float),
        is_match=np.asarray(rows["is_match"], dtype=bool),
        dose=dose,
        weight=np.asarray(by_dose["weight"], dtype=float),
        in_registry=np.asarray(by_dose["in_registry"], dtype=bool),
    )
    return scored, cautioned


def _evidence(
    job: TrainJob, inputs: dict[str, str], counts: LabelCounts, registry: Registry, chosen: Chosen
) -> dict[str, Any]:
    return {
        "registry": asdict(registry),
        "labels": asdict(counts),
        "random_pairs": RANDOM_PAIRS,
        "thresholds": chosen.evidence,
        "inputs": dict(sorted(inputs.items())),
        "seed": job.seed,
        "versions": {"duckdb": duckdb.__version__, "splink": version("splink"), "numpy": np.__version__},
    }
