"""From a run to persons: group, name, write to the ledger, then golden records, duplicates and conflicts."""

import glob
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from linkage.errors import UserError
from linkage.persons.duplicates import make_duplicates
from linkage.persons.golden import make_golden
from linkage.persons.golden_rules import read_golden_rules
from linkage.persons.grouping import group_subjects
from linkage.persons.injections import make_injections
from linkage.persons.standing import changes, place_subjects, read_standing
from linkage.persons.subjects import make_subjects
from linkage.progress import Progress, silent
from linkage.reports.reading import open_file, read_manifest, run_digest
from linkage.run import own_sql
from linkage.store import Draft, Reader, Store
from linkage.tables import write_json, write_parquet
from linkage.workspace import Workspace, peak_bytes
from models import Model, ModelError, Registry

_T = TypeVar("_T")

TRIES = 5

__all__ = ["OUTPUTS", "PersonsJob", "build_persons", "open_inputs", "reading"]

INPUTS: Mapping[str, tuple[str, ...]] = {
    "doses": ("dose_id", "subject_id"),
    "decisions": ("dose_id", "decision", "outcome", "citizen_id", "probability", "match_weight", "answered"),
    "candidates": ("dose_id", "citizen_id"),
    "citizens": ("citizen_id",),
}

OUTPUTS: Mapping[str, str] = {
    "persons.parquet": "SELECT * FROM golden ORDER BY person_id",
    "subjects.parquet": """
        SELECT subject AS subject_id, person_id FROM placed_subjects WHERE in_run ORDER BY subject_id""",
    "duplicates.parquet": """
        SELECT dose_id, primary_dose_id, person_id, evidence FROM duplicates
        ORDER BY person_id, primary_dose_id, dose_id""",
    "conflicts.parquet": "SELECT * FROM conflicts ORDER BY ALL",
    "links.parquet": """
        SELECT l.subject AS subject_id, l.other AS other_subject_id, p.person_id, l.* EXCLUDE (subject, other)
        FROM links AS l JOIN placed_subjects AS p USING (subject)
        JOIN placed_subjects AS o ON o.subject = l.other AND o.person_id = p.person_id
        ORDER BY subject_id, other_subject_id""",
    "losing_values.parquet": """
        SELECT person_id, field, value, doses, latest, source FROM losing_values ORDER BY person_id, field, value""",
    "identifiers.parquet": """
        SELECT i.person_id, p.person_id AS leads_to FROM identifiers AS i
        JOIN placed_subjects AS p ON p.subject = i.founder ORDER BY 1""",
}
"""File name → the SELECT of its rows. ``identifiers`` has every id ever given out, and who it leads to today."""


@dataclass(frozen=True, slots=True)
class PersonsJob:
    """What ``linkage persons build`` was asked to do."""

    run: Path
    out: Path
    actor: str
    threads: int
    memory: str
    golden: Path | None = None
    force: bool = False


def build_persons(job: PersonsJob, store: Store, *, progress: Progress = silent) -> dict[str, Any]:
    """Group the subjects of a run, write what changes to the store, and the folder OUT; returns its manifest.

    The ledger gets one entry, or none when nothing changes: whoever repeats a build that was killed after it wrote to
    the store gets the folder it would have made.

    Raises:
        UserError: the run is unfinished or of another version, OUT exists, the store cannot be written or was written
            by somebody else meanwhile, or a rule of the golden record is wrong.
    """
    rules = read_golden_rules(job.golden)
    manifest, model, registry = _read_run(job.run)
    work = Workspace(
        job.out,
        {"run": str(job.run)},
        resume=None,
        force=job.force,
        ours=frozenset({*OUTPUTS, "manifest.json"}),
        threads=job.threads,
        memory=job.memory,
    )
    try:
        connection, stage = work.connection, _Stages()
        with reading(job.run):
            open_inputs(connection, job.run)
            work.seal(job.run)
            stage("subjects", lambda: make_subjects(connection))
            stage("injections", lambda: make_injections(connection))
            with store.reading() as reader:
                bonds = reader.bonds()
                _check_answers(reader, job.run, manifest)
            with own_sql("model.sql", model.name):
                stage("group", lambda: group_subjects(connection, model, registry, bonds, progress=progress))
            entry = stage("store", lambda: _write_store(connection, job, store, manifest))
            stage("duplicates", lambda: _duplicates(connection))
            stage("golden", lambda: make_golden(connection, rules, progress=progress))
            stage("conflicts", lambda: _conflicts(connection))
            files = stage("write", lambda: _write_files(work, progress))
        result = _manifest(connection, job, manifest, entry, files) | {"stages": stage.done}
        write_json(result, work.result / "manifest.json")
        work.publish()
    except BaseException:
        work.discard()
        raise
    finally:
        work.close()
    return result


def open_inputs(connection: duckdb.DuckDBPyConnection, run: Path) -> None:
    """Make views of the files of a run."""
    for name, columns in INPUTS.items():
        open_file(connection, run, name, columns)


@contextmanager
def reading(run: Path) -> Iterator[None]:
    """Where a query fails, the files of the run are read through: one that is damaged is what the user can mend.

    Raises:
        UserError: a file of the run cannot be read to its end.
    """
    try:
        yield
    except (duckdb.Error, UserError) as error:
        if isinstance(error, duckdb.Error) or isinstance(error.__cause__, duckdb.Error):
            for name in INPUTS:
                file = run / f"{name}.parquet"
                try:
                    duckdb.read_parquet(glob.escape(str(file)), connection=duckdb.connect()).aggregate(
                        "bit_xor(hash(COLUMNS(*)))"
                    ).fetchall()
                except duckdb.Error as damage:
                    raise UserError("report_run_unreadable", file=file) from damage
        raise


def _read_run(run: Path) -> tuple[dict[str, Any], Model, Registry]:
    manifest = read_manifest(run)
    try:
        return manifest, Model.read(run), Registry(**manifest["registry"])
    except (KeyError, TypeError) as error:
        raise UserError("persons.older_run", run=run) from error
    except ModelError as error:
        raise UserError("persons.model", run=run) from error


def _check_answers(reader: Reader, run: Path, manifest: Mapping[str, Any]) -> None:
    """A run that knows nothing of what clerks answered would have the machine overrule them.

    Raises:
        UserError: the store holds answers, and the run was scored without it.
    """
    answered = any(reader.last(kind) for kind in ("answer", "import"))
    if answered and manifest.get("answers", {}).get("known") is None:
        raise UserError("persons.answers_unread", run=run)


class _Stages:
    """Seconds of each stage, and the peak memory of the process up to its end; none is a transaction."""

    def __init__(self) -> None:
        self.done: dict[str, dict[str, float]] = {}

    def __call__(self, name: str, make: Callable[[], _T]) -> _T:
        started = time.monotonic()
        made = make()
        self.done[name] = {"seconds": round(time.monotonic() - started, 3), "peak_bytes": peak_bytes()}
        return made


def _write_store(connection: duckdb.DuckDBPyConnection, job: PersonsJob, store: Store, run: Mapping[str, Any]) -> int:
    """Place the subjects among the persons of the store, and add the entry; returns the number of the last one.

    What humans decide meanwhile is read again; after ``TRIES`` of them the build gives up.
    """
    for again in reversed(range(TRIES)):
        try:
            head = _write_entry(connection, job, store, run)
        except UserError as error:
            if error.key != "store.moved" or not again:
                raise
        else:
            break
    # what was minted just now is among the ids that lead somewhere
    connection.execute(f"""
    INSERT INTO identifiers
    SELECT DISTINCT base, founder, {head:d} FROM placed_subjects ANTI JOIN identifiers AS i ON i.person_id = base
    """)
    return head


def _write_entry(connection: duckdb.DuckDBPyConnection, job: PersonsJob, store: Store, run: Mapping[str, Any]) -> int:
    with store.reading() as reader:
        head = reader.head().number
        before = reader.last("build")
        place_subjects(connection, read_standing(connection, reader))
    rows, minted, changed = changes(connection)
    golden = str(job.golden.resolve()) if job.golden else None
    folders = {"run": str(job.run.resolve()), "persons": str(job.out.resolve()), "golden": golden}
    [(citizens,)] = connection.execute("SELECT count(DISTINCT citizen_of_person) FROM placed_subjects").fetchall()
    draft = Draft(
        "build",
        job.actor,
        evidence=folders | {"citizens": citizens},
        run=run_digest(run),
        model=f"{run['model']['name']}@{run['model']['digest']}",
    )
    # a run that changes nothing is recorded all the same, once: it is where doses are looked up from now on
    if changed or (before and before.run != draft.run):
        with store.writing(after=head) as writer:
            head = writer.append(draft, changes=rows, minted=minted)
    return head


def _duplicates(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("""
    CREATE OR REPLACE TABLE dose_persons AS
    SELECT dose_id, person_id FROM dose_subjects JOIN placed_subjects USING (subject)
    """)
    connection.execute("""
    CREATE OR REPLACE TABLE person_citizens AS
    SELECT DISTINCT person_id, citizen_of_person AS citizen_id FROM placed_subjects
    WHERE person_id IN (SELECT person_id FROM placed_subjects WHERE in_run)
    """)
    make_duplicates(connection)


def _conflicts(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``conflicts``: what a human must look at, with the reason."""
    connection.execute("""
    CREATE OR REPLACE TABLE conflicts AS
    SELECT d.reason, p.person_id, o.person_id AS other_person_id, d.subject AS subject_id,
      d.other AS other_subject_id, d.citizen_id, d.dose_id, NULL::VARCHAR AS other_dose_id, NULL::BIGINT AS days
    FROM doubts AS d JOIN placed_subjects AS p USING (subject)
    LEFT JOIN placed_subjects AS o ON o.subject = d.other
    UNION ALL BY NAME
    SELECT 'too_close' AS reason, person_id, dose_id, other_dose_id, days::BIGINT AS days FROM too_close
    UNION ALL BY NAME
    SELECT 'crowded' AS reason, person_id FROM crowded
    UNION ALL BY NAME
    SELECT DISTINCT 'two_citizens' AS reason, person_id, subject AS subject_id, citizen_id
    FROM placed_subjects WHERE in_run AND citizen_id <> citizen_of_person
    UNION ALL BY NAME
    -- what a run does not hold was not joined with what it does
    SELECT 'citizen_in_two_persons' AS reason, person_id, min(person_id) OVER citizen AS other_person_id, citizen_id
    FROM (
      SELECT person_id, citizen_of_person AS citizen_id, bool_or(in_run) AS in_run FROM placed_subjects
      WHERE citizen_of_person IS NOT NULL GROUP BY ALL
    ) WINDOW citizen AS (PARTITION BY citizen_id)
    QUALIFY person_id <> other_person_id AND bool_or(in_run) OVER citizen
    UNION ALL BY NAME
    -- a human merged what the machine has parted since: it stays one person, and was seen as another
    SELECT DISTINCT 'merged_then_parted' AS reason, any_value(person_id) AS person_id
    FROM merged_sides JOIN placed_subjects USING (subject) GROUP BY entry, side HAVING count(DISTINCT base) > 1
    """)


def _write_files(work: Workspace, progress: Progress) -> dict[str, int]:
    written = {}
    for number, (name, query) in enumerate(OUTPUTS.items()):
        progress("write", number, len(OUTPUTS))
        written[name] = write_parquet(work.connection, query, work.result / name)
    progress("write", len(OUTPUTS), len(OUTPUTS))
    return written


def _manifest(
    connection: duckdb.DuckDBPyConnection, job: PersonsJob, run: Mapping[str, Any], entry: int, files: Mapping[str, int]
) -> dict[str, Any]:
    def count(query: str) -> int:
        [(found,)] = connection.execute(query).fetchall()
        return int(found)

    doses, placed = count("SELECT count(*) FROM doses"), count("SELECT count(*) FROM dose_persons")
    persons = files["persons.parquet"]
    if doses != placed or persons != count("SELECT count(*) FROM person_citizens"):
        raise AssertionError(f"{doses} doses, {placed} of them have a person: one was lost or doubled")
    reasons = connection.execute("SELECT reason, count(*) FROM conflicts GROUP BY 1 ORDER BY 1").fetchall()
    return {
        "run": {"folder": str(job.run), "digest": run_digest(run), "model": run["model"]},
        "entry": entry,
        "doses": doses,
        "quarantined": int(run["decisions"]["quarantine"]),
        "subjects": files["subjects.parquet"],
        "persons": persons,
        "persons_of_several_subjects": count(
            "SELECT count(*) FROM (SELECT 1 FROM placed_subjects WHERE in_run GROUP BY person_id HAVING count(*) > 1)"
        ),
        "persons_with_citizen": count("SELECT count(*) FROM person_citizens WHERE citizen_id IS NOT NULL"),
        "duplicates": files["duplicates.parquet"],
        "conflicts": dict(reasons),
        "files": dict(files),
        "versions": {"dose-linkage": version("dose-linkage"), "duckdb": duckdb.__version__},
        "settings": {"threads": job.threads, "memory": job.memory},
    }
