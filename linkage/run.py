"""The batch job: from files of doses and citizens to the folder RUN."""

import json
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from linkage.blocking import BlockingPlan, Budget, plan_blocking
from linkage.corrections import compile_kinds, compile_outcome
from linkage.deciding import DECISIONS, WEAKEST, compile_deciding
from linkage.deciding.answers import ANSWERS, BEST, compile_answered, digest_of
from linkage.errors import UserError
from linkage.outputs import output_queries
from linkage.progress import Progress, silent
from linkage.scoring import compared_tables, compile_scoring, measure_registry
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, TableReport, TableSchema, discover, read_table, write_json, write_parquet
from linkage.workspace import Workspace
from models import Model, Registry

__all__ = ["ScoreJob", "own_sql", "prepare", "score"]

PARTITION = 500_000
"""Doses scored in one transaction: what --resume loses at most."""


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """What ``linkage score`` was asked to do; ``answers`` of humans have the columns of ``ANSWERS``."""

    doses: str
    citizens: str
    model: Model
    out: Path
    threads: int
    memory: str
    resume: bool = False
    force: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    budget: Budget = field(default_factory=Budget)
    answers: pa.Table | None = None

    def settings(self) -> dict[str, Any]:
        """What the decisions depend on; unfinished work is only resumed under the same."""
        return {
            "doses": _fingerprint(self.doses),
            "citizens": _fingerprint(self.citizens),
            "model": self.model.digest,
            "columns": dict(self.columns),
            "pairs_per_dose": self.budget.pairs_per_dose,
            "citizens_per_block": self.budget.citizens_per_block,
            "partition": PARTITION,
            "answers": digest_of(self.answers),
            "duckdb": duckdb.__version__,
        }


def score(job: ScoreJob, *, progress: Progress = silent) -> dict[str, Any]:
    """Score every dose and write the folder RUN; returns its manifest.

    Raises:
        UserError: an input cannot be used, or RUN exists or is unfinished.
    """
    settings = job.settings()
    if job.resume and not job.force and job.out.exists():
        return finished(job.out, settings)
    work = Workspace(
        job.out,
        settings,
        resume=job.resume,
        force=job.force,
        ours=frozenset({*output_queries(job.model), "manifest.json", "model.json"}),
        threads=job.threads,
        memory=job.memory,
    )
    try:
        facts = prepare(work, job, progress)
        plan, registry = BlockingPlan.from_dict(facts["block"]["plan"]), Registry(**facts["block"]["registry"])
        _score_partitions(work, compile_scoring(job.model, registry, plan, WEAKEST), job.model, progress)
        work.stage("decide", lambda: _decide(work.connection, job.answers))
        manifest = _write(work, job, facts, progress)
        work.publish()
    except UserError:
        # what the user mends changes the inputs: there is nothing to resume
        work.discard()
        raise
    finally:
        work.close()
    return manifest


def finished(run: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run that is done, if it was made with these settings; nothing is done again.

    Raises:
        UserError: it is no finished run, or one with other settings.
    """
    try:
        manifest: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
        same = all(manifest["settings"][name] == value for name, value in settings.items())
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError("run.exists", path=run) from error
    if not same:
        raise UserError("run.settings_differ", path=run)
    return manifest


def prepare(work: Workspace, job: ScoreJob, progress: Progress) -> dict[str, Any]:
    """Read, standardise and block both tables; returns the facts of each stage."""
    connection = work.connection
    specification = job.model.specification

    def read(schema: TableSchema, path: str) -> dict[str, Any]:
        return _report(read_table(connection, schema, path, columns=job.columns, progress=progress))

    facts = {
        "doses": work.stage("read doses", lambda: read(DOSES, job.doses)),
        "citizens": work.stage("read citizens", lambda: read(CITIZENS, job.citizens)),
    }
    if facts["citizens"]["rows_usable"] == 0:
        raise UserError("run.no_citizens", path=job.citizens)
    work.seal()
    work.stage("standardise", lambda: _standardise(connection, progress))

    def block() -> dict[str, Any]:
        compared_tables(connection, specification, progress=progress)
        plan = plan_blocking(connection, specification, job.budget, progress=progress)
        return {"plan": asdict(plan), "registry": asdict(measure_registry(connection, specification))}

    with own_sql("model.sql", job.model.name):
        facts["block"] = work.stage("block", block, again=True)
    return facts


def _standardise(connection: duckdb.DuckDBPyConnection, progress: Progress) -> None:
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"}, progress=progress)


def _score_partitions(work: Workspace, scoring: str, model: Model, progress: Progress) -> None:
    connection = work.connection
    statement = compile_deciding(model, f"({scoring})")
    [(end,)] = connection.execute("SELECT coalesce(max(key), -1) + 1 FROM doses_compared").fetchall()
    bounds = {"first": 0, "last": -1}
    with own_sql("model.sql", model.name):
        work.stage("candidates", lambda: _run(connection, f"CREATE TABLE candidates AS {statement}", bounds))
    for first in range(0, end, PARTITION):
        progress("score", first, end)
        bounds = {"first": first, "last": first + PARTITION - 1}

        def insert(bounds: dict[str, int] = bounds) -> None:
            _run(connection, f"INSERT INTO candidates {statement}", bounds)

        with own_sql("model.sql", model.name):
            work.stage(f"score {first:,}", insert)
    progress("score", end, end)


@contextmanager
def own_sql(key: str, name: str) -> Iterator[None]:
    """A model's or specification's own SQL that the engine refuses, or that fails on the records, is not our fault.

    Raises:
        UserError: with ``key``; never with the engine's text, which holds values of records.
    """
    try:
        yield
    except (
        duckdb.BinderException,
        duckdb.ParserException,
        duckdb.CatalogException,
        duckdb.PermissionException,
        duckdb.DataError,
        duckdb.InvalidInputException,
        duckdb.InvalidTypeException,
        duckdb.NotImplementedException,
    ) as error:
        raise UserError(key, name=name, kind=type(error).__name__) from error


def _run(connection: duckdb.DuckDBPyConnection, sql: str, values: dict[str, int]) -> None:
    connection.execute(sql, values)


def _decide(connection: duckdb.DuckDBPyConnection, answers: pa.Table | None) -> None:
    """Make ``answered``, of the doses humans answered, ``kinds``, of those accepted, and ``decisions``, of all rows."""
    connection.register("given_answers", ANSWERS.empty_table() if answers is None else answers)
    theirs = "(SELECT * FROM doses SEMI JOIN given_answers USING (dose_id))"
    connection.execute(f"CREATE TABLE answered AS {compile_answered('given_answers', _decided(BEST, theirs))}")
    connection.unregister("given_answers")
    best = f"""
    SELECT * FROM ({BEST}) ANTI JOIN (SELECT dose_key FROM answered WHERE decision IS NOT NULL) USING (dose_key)
    UNION ALL BY NAME
    SELECT * EXCLUDE (named, named_key, changed, shown, machine_decision, machine_citizen_id, machine_probability)
    FROM answered WHERE decision IS NOT NULL"""
    accepted = f"(SELECT dose_key, citizen_key FROM ({best}) WHERE decision = 'accept')"
    connection.execute(f"CREATE TABLE kinds AS {compile_kinds(accepted)}")
    connection.execute(f"""
    CREATE TABLE decisions AS
    SELECT decided.*, CASE decision
        WHEN 'accept' THEN {compile_outcome()}
        WHEN 'review' THEN 'in_review'
        ELSE CASE WHEN abroad THEN 'foreigner' ELSE 'not_found' END END AS outcome
    FROM {_decided(best)} AS decided LEFT JOIN kinds ON kinds.dose_key = decided.key
    UNION ALL BY NAME
    SELECT key, id AS dose_id, 'quarantine' AS decision, 'quarantined' AS outcome FROM doses_quarantine
    """)


def _decided(best: str, doses: str = "doses") -> str:
    """The relation of doses with their decisions, from a relation with the columns of ``BEST``."""
    return f"""(
      SELECT d.key, d.dose_id, d.facility_id, s.id_kind, s.id_repair, s.province, s.district, s.commune,
        b.* EXCLUDE (dose_key, decision),
        s.foreign_national OR s.id_kind IS NOT DISTINCT FROM 'passport' AS abroad,
        CASE WHEN b.decision = 'accept' OR b.answered IS NOT NULL THEN b.decision
             WHEN s.foreign_national THEN 'no_match'
             -- pairs given up are no evidence of absence
             WHEN b.decision = 'review' OR d.key IN (SELECT key FROM doses_forgone) THEN 'review'
             ELSE 'no_match' END AS decision
      FROM {doses} AS d
      JOIN doses_standardised AS s ON s.key = d.key
      LEFT JOIN ({best}) AS b ON b.dose_key = d.key
    )"""


def _write(work: Workspace, job: ScoreJob, facts: dict[str, Any], progress: Progress) -> dict[str, Any]:
    queries = output_queries(job.model)
    written = {}
    for number, (name, query) in enumerate(queries.items()):
        progress("write", number, len(queries))

        def copy(name: str = name, query: str = query) -> dict[str, int]:
            return {"rows": write_parquet(work.connection, query, work.result / name)}

        written[name] = work.stage(f"write {name}", copy)["rows"]
    (work.result / "model.json").write_text(job.model.to_json(), encoding="utf-8")
    manifest = _manifest(work, job, facts, written)
    write_json(manifest, work.result / "manifest.json")
    progress("write", len(queries), len(queries))
    return manifest


def _manifest(work: Workspace, job: ScoreJob, facts: dict[str, Any], written: dict[str, int]) -> dict[str, Any]:
    def counts(column: str, file: str = "decisions") -> dict[str, int]:
        path = str(work.result / f"{file}.parquet")
        query = f"SELECT {column}, count(*) FROM read_parquet(?) WHERE {column} IS NOT NULL GROUP BY 1 ORDER BY 1"
        return dict(work.connection.execute(query, [path]).fetchall())

    plan = BlockingPlan.from_dict(facts["block"]["plan"])
    decisions = dict.fromkeys(DECISIONS, 0) | counts("decision")
    rows_in = facts["doses"]["rows_read"]
    if sum(decisions.values()) != rows_in or written["decisions.parquet"] != rows_in:
        raise AssertionError(f"{rows_in} dose rows read, {decisions} decided: a row was lost or doubled")
    return {
        "rows_in": rows_in,
        "rows_out": sum(decisions.values()),
        "decisions": decisions,
        "outcomes": counts("outcome"),
        "inputs": {name: facts[name] for name in ("doses", "citizens")},
        "answers": {
            "known": None if job.answers is None else len(job.answers),
            "respected": counts("answer"),
            "contradictions": counts("reason", "contradictions"),
        },
        "registry": facts["block"]["registry"],
        "blocking": {"pairs": plan.pairs, "pairs_forgone": plan.pairs_forgone, **asdict(plan)},
        "model": {"name": job.model.name, "digest": job.model.digest},
        "settings": {**work.settings, "threads": job.threads, "memory": job.memory},
        "versions": {
            "dose-linkage": version("dose-linkage"),
            "duckdb": duckdb.__version__,
            "python": platform.python_version(),
        },
        "files": written,
        "stages": work.stages(),
    }


def _report(report: TableReport) -> dict[str, Any]:
    return {
        "files": [{"path": str(f.path), "sha256": f.digest, "rows": f.rows} for f in report.files],
        "rows_read": report.rows_read,
        "rows_usable": report.rows_usable,
        "rows_quarantined": report.rows_quarantined,
        "notices": [[key, {name: str(value) for name, value in facts.items()}] for key, facts in report.notices],
    }


def _fingerprint(path: str) -> list[list[Any]]:
    return [[str(file.resolve()), stat.st_size, stat.st_ctime_ns] for file in discover(path) for stat in (file.stat(),)]
