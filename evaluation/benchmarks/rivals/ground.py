"""What all share: records, candidate pairs with their comparison vectors, labelled doses and their folds."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from linkage.blocking import Budget, plan_blocking
from linkage.scoring import compared_tables, compile_scoring, level_column, measure_registry
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES, LABELS, TRUTH, read_table
from models import Model
from training import TrainJob
from training.arrays import read_candidates
from training.calibration import folds
from training.labels import check_labels, labelled_keys
from training.learning import FOLDS
from training.vectors import Candidates, Floats, Ints, Vectors

EVERY_PAIR = -1e9
"""Bits that every pair has more of."""

DOSES_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Candidate pairs sorted by dose, then by citizen; all of shape (pairs,) but for the vectors."""

    dose_key: Ints
    citizen_key: Ints
    vectors: Vectors


@dataclass(frozen=True, slots=True)
class Ground:
    """A database with what all rivals work on, and the labelled doses in memory.

    Tables: those of ``standardise`` and ``compared_tables``; ``pairs``, every candidate pair with ``rule``,
    ``match_weight``, levels, bits and frequencies of our model; ``labelled`` and ``labelled_doses`` (see
    `training.labels.labelled_keys`), both with ``fold``; ``doses_forgone``.

    Attributes:
        labelled: the labelled doses and their candidates.
        fold: of each labelled dose, the same as in our training: shape (doses,).
    """

    connection: duckdb.DuckDBPyConnection
    file: Path
    job: TrainJob
    model: Model
    citizens: int
    pairs: int
    labelled: Candidates
    fold: Ints

    def close(self) -> None:
        """Let go of the database and delete it."""
        self.connection.close()
        self.file.unlink()

    def chunks(self) -> list[str]:
        """Conditions on ``dose_key``, each of which holds for few enough pairs to be in memory."""
        [(end,)] = self.connection.execute("SELECT max(dose_key) + 1 FROM pairs").fetchall()
        return [
            f"dose_key BETWEEN {first} AND {first + DOSES_AT_ONCE - 1}" for first in range(0, end or 0, DOSES_AT_ONCE)
        ]

    def of(self, condition: str) -> Pairs:
        """The pairs for which a condition holds."""
        comparisons = self.model.specification.comparisons
        columns = ", ".join(f"{level_column(each)}, frequency_of_{each.name}" for each in comparisons)
        rows = self.connection.execute(
            f"SELECT dose_key, citizen_key, {columns} FROM pairs WHERE {condition} ORDER BY dose_key, citizen_key"
        ).fetchnumpy()
        levels = np.column_stack([np.asarray(rows[level_column(each)], dtype=np.uint8) for each in comparisons])
        frequencies = np.column_stack([_floats(rows[f"frequency_of_{each.name}"]) for each in comparisons])
        return Pairs(np.asarray(rows["dose_key"]), np.asarray(rows["citizen_key"]), Vectors(levels, frequencies))


@dataclass(frozen=True, slots=True)
class Weighed:
    """A rival's match weights of labelled doses' candidates, by what other folds taught, and what it learned."""

    match_weight: Floats
    learned: dict[str, Any]


def lay(out: Path, job: TrainJob, model: Model) -> Ground:
    """Read, standardise, block and draw folds as training and scoring did.

    Raises:
        ValueError: the labelled doses are not those our thresholds were chosen on.
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
    scoring = compile_scoring(model, registry, plan, EVERY_PAIR, with_frequencies=True)
    connection.execute(f"CREATE TABLE pairs AS {scoring}", {"first": 0, "last": last})
    labelled, fold = _labelled(connection, job, model)
    [(pairs,)] = connection.execute("SELECT count(*) FROM pairs").fetchall()
    return Ground(connection, file, job, model, registry.citizens, pairs, labelled, fold)


def _labelled(connection: duckdb.DuckDBPyConnection, job: TrainJob, model: Model) -> tuple[Candidates, Ints]:
    connection.execute("CREATE TEMP VIEW scored AS FROM pairs")
    labelled, keys = read_candidates(connection, model.specification)
    if len(keys) != model.evidence["thresholds"]["doses"]:
        raise ValueError(f"{len(keys)} doses are labelled, not {model.evidence['thresholds']['doses']}")
    fold = folds(labelled.person, FOLDS, job.seed)
    connection.register("folds", {"dose_key": keys, "fold": fold})
    for table in ("labelled_doses", "labelled"):
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {table} JOIN folds USING (dose_key)")
    connection.unregister("folds")
    return labelled, fold


def _floats(column: NDArray[np.generic]) -> Floats:
    floats: Floats = np.ma.filled(np.ma.asarray(column, dtype=float), np.nan)
    return floats


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
