"""From two models and the tables to the folder of a comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from evaluation.comparison.changes import changes_query, examples, flows, join_runs, units
from evaluation.comparison.found import Comparison, Sentence, Side
from evaluation.comparison.page import render
from evaluation.comparison.paired import Judged, decide, pair
from linkage.errors import UserError
from linkage.progress import Progress, silent
from linkage.run import ScoreJob, score
from linkage.tables import LABELS, read_table, write_json, write_parquet
from linkage.tables.files import digest_together
from linkage.tables.labels import check_labels
from linkage.workspace import Workspace
from models import Model

FILES = frozenset({"comparison.json", "changes.parquet", "index.html"})

JUDGED = """
WITH known AS (
  SELECT dose_id, any_value(citizen_id) FILTER (is_match) AS citizen_id, list(citizen_id) AS named
  FROM label_pairs GROUP BY dose_id
), judged AS (
  SELECT l.dose_id, coalesce(k.citizen_id, d.subject_id, l.dose_id) AS person, l.weight,
    l.matched OR l.none AS settled, k.named, c.citizen_a, c.citizen_b,
    c.decision_a = 'accept' AS accepts_a, c.decision_b = 'accept' AS accepts_b,
    accepts_a AND coalesce(c.citizen_a = k.citizen_id, false) AS right_a,
    accepts_b AND coalesce(c.citizen_b = k.citizen_id, false) AS right_b
  FROM label_doses AS l JOIN compared AS c USING (dose_id) JOIN a_doses AS d USING (dose_id)
  JOIN known AS k USING (dose_id) WHERE NOT l.disputed
)
SELECT person, weight, right_a, right_b, accepts_a AND NOT right_a AS false_a, accepts_b AND NOT right_b AS false_b,
  false_a AND NOT settled AND NOT list_contains(named, citizen_a) AS unlabelled_a,
  false_b AND NOT settled AND NOT list_contains(named, citizen_b) AS unlabelled_b
FROM judged ORDER BY dose_id
"""


@dataclass(frozen=True, slots=True)
class CompareJob:
    """What ``linkage model compare`` was asked to do: model ``b`` against model ``a``."""

    a: Model
    b: Model
    doses: str
    citizens: str
    labels: str | None
    out: Path
    threads: int
    memory: str
    language: str = "en"
    force: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Labels:
    """Labelled doses that both runs decided, and those that are not: see `Comparison`."""

    judged: Judged | None = None
    unlabelled_a: int = 0
    unlabelled_b: int = 0
    left_out: int = 0
    digest: str = ""
    notices: tuple[Sentence, ...] = ()


def compare(job: CompareJob, *, progress: Progress = silent) -> Comparison:
    """Run both models and write ``comparison.json``, ``changes.parquet`` and ``index.html`` to the folder ``job.out``.

    The folder appears whole or not at all. It names doses and citizens by their ids, and nothing else of a person.

    Args:
        job: models and inputs.
        progress: told of both runs.

    Raises:
        UserError: the two models are one, an input cannot be used, or ``job.out`` exists.
    """
    if job.a.digest == job.b.digest:
        raise UserError("compare.same", digest=job.a.digest[:12])
    work = Workspace(job.out, {}, resume=None, force=job.force, ours=FILES, threads=job.threads, memory=job.memory)
    try:
        labels = _read_labels(work.connection, job, progress)
        manifests = _run_both(work, job, progress)
        found = _compared(work.connection, job, manifests, _judged(work.connection, labels))
        write_parquet(work.connection, changes_query(), work.result / "changes.parquet")
        write_json(found.as_dict(), work.result / "comparison.json")
        (work.result / "index.html").write_text(render(found, job.language), encoding="utf-8")
        work.publish()
    finally:
        work.discard()
        work.close()
    return found


def _read_labels(connection: duckdb.DuckDBPyConnection, job: CompareJob, progress: Progress) -> _Labels | None:
    if job.labels is None:
        return None
    report = read_table(connection, LABELS, job.labels, columns=job.columns, progress=progress)
    check_labels(connection, job.labels, report.files)
    return _Labels(digest=report.digest, notices=report.notices)


def _run_both(work: Workspace, job: CompareJob, progress: Progress) -> dict[str, dict[str, Any]]:
    """Score every dose under both models, beside the result that is being made; manifests of ``a`` and ``b``."""
    runs = {side: work.folder / "temporary" / side for side in ("a", "b")}
    manifests = {
        side: score(
            ScoreJob(
                doses=job.doses,
                citizens=job.citizens,
                model=model,
                out=runs[side],
                threads=job.threads,
                memory=job.memory,
                columns=job.columns,
            ),
            progress=progress,
        )
        for side, model in (("a", job.a), ("b", job.b))
    }
    join_runs(work.connection, runs)
    return manifests


def _judged(connection: duckdb.DuckDBPyConnection, labels: _Labels | None) -> _Labels:
    """The labelled doses under both models."""
    if labels is None:
        return _Labels()
    columns = connection.execute(JUDGED).fetchnumpy()
    doses = len(columns["weight"])
    [(labelled,)] = connection.execute("SELECT count(*) FROM label_doses").fetchall()
    sides = {name: np.asarray(columns[name], dtype=bool) for name in ("false_a", "false_b", "right_a", "right_b")}
    judged = Judged(np.asarray(columns["person"], dtype=str), np.asarray(columns["weight"], dtype=float), **sides)
    return replace(
        labels,
        judged=judged if doses else None,
        unlabelled_a=int(np.sum(columns["unlabelled_a"])),
        unlabelled_b=int(np.sum(columns["unlabelled_b"])),
        left_out=labelled - doses,
    )


def _compared(
    connection: duckdb.DuckDBPyConnection,
    job: CompareJob,
    manifests: Mapping[str, Mapping[str, Any]],
    labels: _Labels,
) -> Comparison:
    models = {"a": job.a, "b": job.b}
    paired = pair(labels.judged, _kept(job.b)) if labels.judged else None
    trained = [model.name for model in models.values() if labels.digest and _trained_on(model) == labels.digest]
    verdict, reasons = decide(paired, trained, labels=bool(labels.digest))
    counted = flows(connection)
    inputs = {
        table: digest_together(file["sha256"] for file in manifests["a"]["inputs"][table]["files"])
        for table in ("doses", "citizens")
    }
    read = (notice for table in manifests["a"]["inputs"].values() for notice in table["notices"])
    sides = {
        side: Side(model.name, model.digest, dict(model.thresholds.accept), manifests[side]["decisions"])
        for side, model in models.items()
    }
    [(changed,)] = connection.execute("SELECT count(change) FROM compared").fetchall()
    return Comparison(
        **sides,
        verdict=verdict,
        reasons=reasons,
        doses=manifests["a"]["rows_in"],
        changed=changed,
        flows=counted,
        units=units(connection),
        paired=paired,
        unlabelled_a=labels.unlabelled_a,
        unlabelled_b=labels.unlabelled_b,
        left_out=labels.left_out,
        examples=examples(connection, models),
        inputs=inputs | ({"labels": labels.digest} if labels.digest else {}),
        notices=(*((key, facts) for key, facts in read), *labels.notices),
    )


def _kept(model: Model) -> float | None:
    """The rate of false links among accepts that the model was trained to keep."""
    thresholds = model.evidence.get("thresholds")
    rate = thresholds.get("max_false_link_rate") if isinstance(thresholds, Mapping) else None
    return rate if isinstance(rate, float) else None


def _trained_on(model: Model) -> str | None:
    """The digest of the labels that trained the model."""
    inputs = model.evidence.get("inputs")
    return inputs.get("labels") if isinstance(inputs, Mapping) else None
