"""One comparison: synthesise, train and score ours, then let each rival score the same pairs, and judge all alike."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from shutil import copy
from typing import Any

import duckdb

from evaluation.benchmarks.rivals import classifiers, plain_ours, plain_splink
from evaluation.benchmarks.rivals.deciding import decide
from evaluation.benchmarks.rivals.ground import Ground, Weighed, judge, lay
from evaluation.benchmarks.rivals.table import BLOCKS, ROWS
from evaluation.figures import Evaluation
from evaluation.metrics import measure
from evaluation.population import synthesise
from linkage.run import ScoreJob, score
from linkage.tables import write_parquet
from linkage.tables.sql import text_literal
from models import load
from training import Tolerances, TrainJob, train
from training.vectors import Floats

SPECIFICATION = "dose_citizen"

WHATEVER_IS_DECIDED = ("id_group", "registry", "entry", "details", "twin", "stratum")
"""Dimensions whose parts hold the same doses for everybody."""

REQUIRED_PRECISION = 0.9997

RIVALS: dict[str, Callable[[Ground], Weighed]] = {
    "plain_splink": plain_splink.weigh,
    "logistic": classifiers.logistic,
    "boosting": classifiers.boosting,
    "plain_khop": plain_ours.weigh,
}
"""Each makes the table ``<name>_weights``: ``dose_key``, ``citizen_key``, ``match_weight`` in bits."""

HELPED = ("logistic", "boosting")
"""Rivals that are also shown with our strata and cautions: what scores give, apart from what those give."""


def compare(
    citizens: int, doses: int, seed: int, out: Path, *, tolerance: float, threads: int, memory: str
) -> dict[str, Any]:
    """The figures of ours and of each rival on one synthetic population, as plain data.

    All use the candidate pairs of our blocking, the same labels and the same folds of persons: thresholds come, by one
    procedure with one tolerance, from match weights that other folds taught. All are judged on the doses of persons
    without labels. Leaves in ``out`` the population (``data``), our model (``model``), and a run each (``khop``, the
    rivals, and each ``_in_hindsight``), which ``linkage evaluate`` reads with ``truth.parquet``.

    Raises:
        ValueError: they were not judged on the same doses, or did not learn from the same ones.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        seconds[name] = round(time.perf_counter() - started, 1)

    data = out / "data"
    tables: dict[str, Any] = {name: str(data / f"{name}.csv") for name in ("doses", "citizens")}
    machine: dict[str, Any] = {"threads": threads, "memory": memory, "force": True}
    specification, labels = load(SPECIFICATION), str(data / "labels.csv")
    job = TrainJob(
        **tables,
        labels=labels,
        specification=specification,
        out=out / "model",
        tolerances=Tolerances(tolerance),
        **machine,
    )
    with timed("synthesise"):
        synthesise(citizens, doses, seed, data, force=True)
    with timed("train khop"):
        model = train(job)
    with timed("score khop"):
        score(ScoreJob(**tables, model=model, out=out / "khop", **machine))
    with timed("common ground"):
        ground = lay(out, job, model)
    learned = {}
    plain = replace(model.specification, strata=(), cautions=())
    try:
        for name, weigh in RIVALS.items():
            with timed(f"train and score {name}"):
                weighed = weigh(ground)
                given: tuple[Ground, str, Floats] = (ground, f"{name}_weights", weighed.match_weight)
                learned[name] = weighed.learned | decide(*given, plain, out / name)
            if name in HELPED:
                learned[f"{name}_helped"] = decide(*given, model.specification, out / f"{name}_helped")
        truth = judge(ground, data / "truth.csv", out)
    finally:
        ground.close()
    found = {name: measure(out / name, str(truth)) for name in ("khop", *learned)}
    _refuse_other_doses(found)
    hindsight = {name: _in_hindsight(out / name, evaluation, truth) for name, evaluation in found.items()}
    return {
        "citizens": citizens,
        "doses": doses,
        "seed": seed,
        "tolerance": tolerance,
        "pairs": ground.pairs,
        "seconds": seconds,
        "rivals": learned,
        "proven": {"khop": model.evidence["thresholds"]["false_links"]}
        | {name: each["evidence"]["false_links"] for name, each in learned.items()},
        "tables": {
            block: {
                row.name: {name: asdict(row.of(evaluation)) for name, evaluation in measured.items()} for row in ROWS
            }
            for block, measured in zip(BLOCKS, (found, hindsight), strict=True)
        },
        "evaluations": {name: evaluation.as_dict() for name, evaluation in found.items()},
    }


def _in_hindsight(run: Path, evaluation: Evaluation, truth: Path) -> Evaluation:
    """The run with the lowest accept threshold that the truth shows to be precise enough; what falls below is reviewed.

    Cautions hold whatever the threshold. Written as a run beside it.
    """
    points = evaluation.thresholds
    enough = [p.probability for p in points if p.right >= REQUIRED_PRECISION * p.accepts]
    again = run.with_name(f"{run.name}_in_hindsight")
    again.mkdir(exist_ok=True)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        source = text_literal(str(run / "decisions.parquet"))
        decision = (
            "CASE WHEN decision <> 'quarantine' AND caution IS NULL"
            f" AND probability >= {min(enough, default=2.0)!r} THEN 'accept'"
            " WHEN decision = 'accept' THEN 'review' ELSE decision END"
        )
        query = f"SELECT * REPLACE ({decision} AS decision) FROM {source}"
        write_parquet(connection, query, again / "decisions.parquet")
    for name in ("review.parquet", "manifest.json"):
        copy(run / name, again / name)
    return measure(again, str(truth))


def _refuse_other_doses(found: dict[str, Evaluation]) -> None:
    judged = {
        name: [(s.dimension, s.name, s.figures.doses, s.figures.linkable) for s in evaluation.strata]
        for name, evaluation in found.items()
    }
    parts = {name: [part for part in doses if part[0] in WHATEVER_IS_DECIDED] for name, doses in judged.items()}
    if any(doses != parts["khop"] for doses in parts.values()):
        raise ValueError(f"not judged on the same doses: {parts}")
