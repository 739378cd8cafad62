"""What all share: the records, the candidate pairs with our levels and bits, the labelled doses and their halves."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np

from linkage.blocking import Budget, plan_blocking
from linkage.scoring import compared_tables, compile_scoring, measure_registry
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, LABELS, TRUTH, read_table
from models import Model
from training import TrainJob
from training.labels import check_labels, hold_apart, labelled_keys

EVERY_PAIR = -1e9
"""Bits that every pair has more of."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A database with what all rivals work on.

    Tables: those of ``standardise`` and ``compared_tables``; ``pairs``, every candidate pair with ``rule``,
    ``match_weight``, levels and bits of our model; ``labelled`` (see `training.labels.labelled_keys`) with
    ``apart``, True where the person is held apart for calibration and thresholds; ``doses_forgone``.
    """

    connection: duckdb.DuckDBPyConnection
    file: Path
    job: TrainJob
    model: Model
    citizens: int
    pairs: int

    def close(self) -> None:
        """Let go of the database and delete it."""
        self.connection.close()
        self.file.unlink()


def lay(out: Path, job: TrainJob, model: Model) -> Ground:
    """Read, standardise, block and split as training and scoring did.

    Raises:
        ValueError: the labelled doses held apart are not those our thresholds were chosen on.
    """
    file = out / "ground.duckdb"
    file.unlink(missing_ok=True)
    connection = duckdb.connect(str(file))
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET threads = {job.threads:d}")
    connection.execute("SET memory_limit = ?", [job.memory])
    # the engine and what Splink keeps in memory alike may spill
    connection.execute("SET temp_directory = ?", [str(out / "ground.temporary")])
    read_table(connection, LABELS, job.labels)
    check_labels(connection, job.labels)
    for schema, path in ((DOSES, job.doses), (CITIZENS, job.citizens)):
        read_table(connection, schema, path)
    labelled_keys(connection)
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
    compared_tables(connection, model.specification)
    plan = plan_blocking(connection, model.specification, Budget())
    registry = measure_registry(connection, model.specification)
    [(last,)] = connection.execute("SELECT max(key) FROM doses_compared").fetchall()
    connection.execute(
        f"CREATE TABLE pairs AS {compile_scoring(model, registry, plan, EVERY_PAIR)}", {"first": 0, "last": last}
    )
    _split(connection, job, model)
    [(pairs,)] = connection.execute("SELECT count(*) FROM pairs").fetchall()
    return Ground(connection, file, job, model, registry.citizens, pairs)


def _split(connection: duckdb.DuckDBPyConnection, job: TrainJob, model: Model) -> None:
    order = "ORDER BY dose_key, citizen_key"
    persons = np.asarray(connection.execute(f"SELECT person FROM labelled {order}").fetchnumpy()["person"], dtype=str)
    connection.register("halves", {"number": np.arange(len(persons)), "apart": hold_apart(persons, job.seed)})
    connection.execute(
        "CREATE OR REPLACE TABLE labelled AS SELECT l.* EXCLUDE (number), apart FROM"
        f" (SELECT *, row_number() OVER ({order}) - 1 AS number FROM labelled) AS l JOIN halves USING (number)"
    )
    connection.unregister("halves")
    [(doses,)] = connection.execute("SELECT count(DISTINCT dose_key) FROM labelled WHERE apart").fetchall()
    if doses != model.evidence["thresholds"]["doses"]:
        raise ValueError(f"{doses} labelled doses are held apart, not {model.evidence['thresholds']['doses']}")


def judge(ground: Ground, truth: Path, out: Path) -> Path:
    """The truth table with a ``stratum``, as a Parquet file in ``out``.

    ``wrong_after_standardising``: the citizen is in the registry, the typed ID is well formed, and what remains of ID,
    name or birth date once all is standardised is not what the registry has.
    """
    read_table(ground.connection, TRUTH, str(truth))
    target = out / "truth.parquet"
    columns = ", ".join(f"t.{column}" for column in TRUTH.columns if column != "stratum")
    ground.connection.execute(f"""
    COPY (
      SELECT {columns}, CASE WHEN r.key IS NOT NULL AND s.id_kind IN ('cccd', 'cmnd')
        AND s.id_repair IN ('none', 'separators') AND (s.id IS DISTINCT FROM r.id
          OR s.name IS DISTINCT FROM r.name OR s.born IS DISTINCT FROM r.born)
        THEN 'wrong_after_standardising' ELSE 'other' END AS stratum
      FROM truth AS t JOIN doses USING (dose_id) JOIN doses_standardised AS s ON s.key = doses.key
      LEFT JOIN citizens AS c ON c.citizen_id = t.citizen_id LEFT JOIN citizens_standardised AS r ON r.key = c.key
      ORDER BY t.key
    ) TO '{str(target).replace("'", "''")}' (FORMAT parquet)""")
    return target
