"""From files of doses, citizens and labels to the folder MODEL."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import duckdb
import numpy as np

from linkage.deciding import WEAKEST, compile_deciding
from linkage.errors import UserError
from linkage.progress import Progress, silent
from linkage.reports.profile import Profile, measure_profile
from linkage.run import own_sql
from linkage.scoring import compared_tables, level_name
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, LABELS, TableReport, TableSchema, read_table
from linkage.tables.labels import check_labels
from linkage.workspace import Workspace
from models import LONGEST_NAME, Model, Specification, is_name
from training.arrays import RANDOM_PAIRS, find_pairs, read_candidates, read_unlabelled, score_candidates
from training.card import write_card
from training.labels import LabelCounts, labelled_keys
from training.learning import FOLDS, LabelledPairs, Tolerances, learn
from training.reliability import reliability
from training.suspicion import drawn_selectively, rare_levels, suspicions
from training.thresholds import Chosen
from training.vectors import Floats

RANDOM_DOSES = 50_000
"""Doses drawn at random, labelled or not: random pairs are made of them, and they say what doses are like."""

UNLABELLED_DOSES = 10_000
"""Of these, without a label, that m is learned of where that is asked for."""

PERSONS_AT_LEAST = 100

LEAST_RATE = 1e-9
"""Of errors: there are not so many people that labels could prove less."""


@dataclass(frozen=True, slots=True)
class TrainJob:
    """What ``linkage train`` was asked to do.

    Attributes:
        tolerances: errors that are tolerated.
        unlabelled: m is learned of doses without a label too.
        review_capacity: doses of the table ``doses`` that clerks can review; None for any number.
    """

    doses: str
    citizens: str
    labels: str
    specification: Specification
    out: Path
    threads: int
    memory: str
    tolerances: Tolerances = field(default_factory=Tolerances)
    review_capacity: int | None = None
    unlabelled: bool = False
    seed: int = 1
    force: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Digests of the inputs by table, what the labels held, and how many doses there are in all."""

    inputs: dict[str, str]
    counts: LabelCounts
    doses: int


def train(job: TrainJob, *, progress: Progress = silent) -> Model:
    """Learn a model and write the folder MODEL: ``model.json``, ``splink.json``, the cards and ``charts/``.

    Every labelled person gives m and u, and every one is judged by parameters and calibrations that the persons of
    other folds gave: probabilities, reliability and thresholds are out of fold, the model itself is of all labels.

    Raises:
        UserError: an input cannot be used, MODEL exists or is no name for a model, the labels are too few, or prove
            too little.
    """
    if not is_name(job.out.name):
        raise UserError("train.bad_name", out=job.out, longest=LONGEST_NAME)
    for flag, found in (
        ("--max-false-link-rate", job.tolerances.false_links),
        ("--max-false-link-rate-of-a-stratum", job.tolerances.false_links_of_a_stratum),
        ("--max-missed-link-rate", job.tolerances.missed_links),
    ):
        if found is not None and not LEAST_RATE <= found < 1:
            raise UserError("train.bad_rate", flag=flag, found=found)
    work = Workspace(
        job.out,
        {},
        resume=None,
        force=job.force,
        ours=frozenset({"model.json", "splink.json", "card.md", "card.vi.md", "charts"}),
        threads=job.threads,
        memory=job.memory,
    )
    try:
        given = _prepare(work.connection, job, progress)
        with own_sql("train.sql", job.specification.name):
            model = _learn(work.connection, job, given, progress)
        (work.result / "model.json").write_text(model.to_json(), encoding="utf-8")
        write_card(work.result, model)
        work.publish()
    finally:
        work.discard()
        work.close()
    return model


def _prepare(connection: duckdb.DuckDBPyConnection, job: TrainJob, progress: Progress) -> _Prepared:
    inputs = {}

    def read(schema: TableSchema, path: str) -> TableReport:
        report = read_table(connection, schema, path, columns=job.columns, progress=progress)
        inputs[schema.name] = report.digest
        return report

    check_labels(connection, job.labels, read(LABELS, job.labels).files)
    doses = read(DOSES, job.doses).rows_usable
    read(CITIZENS, job.citizens)
    # md5, not the engine's hash(): the sample must be the same in every version
    connection.execute(
        "CREATE TABLE random_doses AS SELECT key FROM doses ORDER BY md5(dose_id || $seed), key LIMIT $limit",
        {"seed": str(job.seed), "limit": RANDOM_DOSES},
    )
    connection.execute(
        "DELETE FROM doses WHERE dose_id NOT IN (SELECT dose_id FROM label_pairs)"
        " AND key NOT IN (SELECT key FROM random_doses)"
    )
    counts = labelled_keys(connection)
    if counts.positives == 0 or counts.negatives == 0:
        raise UserError("labels.unknown_records", path=job.labels, doses=job.doses, citizens=job.citizens)
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"}, progress=progress)
    with own_sql("train.sql", job.specification.name):
        compared_tables(connection, job.specification, progress=progress)
    return _Prepared(inputs, counts, doses)


def _learn(connection: duckdb.DuckDBPyConnection, job: TrainJob, given: _Prepared, progress: Progress) -> Model:
    progress("learn", 0, 3)
    pairs = find_pairs(connection, job.specification, job.seed)
    first = pairs.model(np.ones(len(pairs.labelled["weight"]), dtype=bool))
    progress("learn", 1, 3)
    score_candidates(connection, first, pairs.registry)
    candidates, dose_keys = read_candidates(connection, job.specification)
    persons = len(np.unique(candidates.person))
    if persons < PERSONS_AT_LEAST:
        raise UserError("labels.too_few_persons", path=job.labels, found=persons, needed=PERSONS_AT_LEAST)
    progress("learn", 2, 3)
    unlabelled = read_unlabelled(connection, job.specification, UNLABELLED_DOSES) if job.unlabelled else None
    learned = learn(pairs, candidates, dose_keys, job.tolerances, job.seed, unlabelled=unlabelled)
    _refuse_unproven(job, learned.chosen)
    model = replace(learned.model, name=job.out.name)
    citizens = pairs.registry.citizens
    reference = _reference(connection, model, model.prior_bits(citizens) - first.prior_bits(citizens))
    _refuse_beyond_capacity(job, given, reference)
    progress("learn", 3, 3)
    return replace(
        model,
        evidence={
            "registry": asdict(pairs.registry),
            "labels": asdict(given.counts)
            | {"suspicions": [list(each) for each in _suspicions(connection, given, pairs)]},
            "folds": FOLDS,
            "unlabelled": len(np.unique(unlabelled[1])) if unlabelled else 0,
            "random_pairs": RANDOM_PAIRS,
            "thresholds": learned.chosen.evidence,
            "reliability": reliability(learned.outcomes, job.specification.stratum_names),
            "reference": reference.as_dict(),
            "dependence": pairs.dependence(model).evidence(),
            "inputs": dict(sorted(given.inputs.items())),
            "seed": job.seed,
            "versions": {"duckdb": duckdb.__version__, "splink": version("splink"), "numpy": np.__version__},
        },
    )


def _suspicions(
    connection: duckdb.DuckDBPyConnection, given: _Prepared, pairs: LabelledPairs
) -> tuple[tuple[str, dict[str, object]], ...]:
    """What is odd about the labels, now that all of their doses and the random ones are scored."""
    names = {
        comparison.name: [level.name for level in comparison.levels]
        for comparison in pairs.specification.comparisons
        if not comparison.is_interaction
    }
    rows = connection.execute(
        "SELECT d.key, max(s.match_weight) AS bits, any_value(l.weight) AS weight,"
        " d.key IN (SELECT key FROM random_doses) AS random"
        " FROM doses_compared AS d LEFT JOIN scored AS s ON s.dose_key = d.key"
        " LEFT JOIN labelled_doses AS l ON l.dose_key = d.key GROUP BY d.key ORDER BY d.key"
    ).fetchnumpy()
    # no candidate weighs less than any
    bits: Floats = np.ma.filled(np.ma.asarray(rows["bits"], dtype=float), WEAKEST - 100)
    weight: Floats = np.ma.filled(np.ma.asarray(rows["weight"], dtype=float), 0.0)
    labelled, random = weight > 0, np.asarray(rows["random"], dtype=bool)
    return suspicions(
        given.counts,
        rare_levels(pairs.levels, pairs.labelled["is_match"], names),
        drawn_selectively(bits[labelled], weight[labelled], bits[random]),
    )


def _reference(connection: duckdb.DuckDBPyConnection, model: Model, shift: float) -> Profile:
    """What the model makes of the random doses: what later runs are compared with.

    Args:
        connection: holds ``scored`` and ``random_doses``.
        model: the model, calibrated.
        shift: bits to add to the match weights of ``scored``: its prior was another.
    """
    shifted = f"match_weight + {shift!r}"
    scored = f"(SELECT * REPLACE ({shifted} AS match_weight) FROM scored WHERE {shifted} > {WEAKEST!r})"
    names = ", ".join(level_name(each, "b") for each in model.specification.comparisons)
    best = (
        "(SELECT CASE WHEN b.decision = 'accept' THEN 'accept' WHEN s.foreign_national THEN 'no_match'"
        " WHEN d.key IN (SELECT key FROM doses_forgone) THEN 'review'"
        f" ELSE coalesce(b.decision, 'no_match') END AS decision, b.match_weight, {names}"
        " FROM random_doses AS d JOIN doses_standardised AS s ON s.key = d.key"
        f" LEFT JOIN (SELECT * FROM ({compile_deciding(model, scored)}) WHERE rank = 1) AS b ON b.dose_key = d.key)"
    )
    return measure_profile(connection, [each.name for each in model.specification.comparisons], best)


def _refuse_unproven(job: TrainJob, chosen: Chosen) -> None:
    """Raise where nothing could be accepted automatically."""
    if "" in chosen.lacking:
        raise UserError(
            "train.unproven",
            path=job.labels,
            more=f"{max(1, chosen.lacking['']):,}",
            claim=f"{round(1 / job.tolerances.false_links):,}",
        )


def _refuse_beyond_capacity(job: TrainJob, given: _Prepared, reference: Profile) -> None:
    """Raise where the tolerances would send more doses to review than clerks can read."""
    share = reference.decisions["review"] / reference.doses
    if job.review_capacity is not None and share * given.doses > job.review_capacity:
        raise UserError(
            "train.beyond_capacity",
            found=f"{round(share * given.doses):,}",
            doses=f"{given.doses:,}",
            capacity=f"{job.review_capacity:,}",
        )
