"""One side of the comparison, as a process of its own: from standardised records to a decision per dose.

Both sides read the same Parquet files, use the same comparisons, blocking rules, parameters and threads, and write the
best candidate of every dose with its posterior. Ours works in a database on disk under a memory limit, as a run does;
Splink works as its users have it, in memory.
"""

import sys
from dataclasses import replace
from pathlib import Path

import duckdb

from evaluation.splink_oracle import derive, splink_match_weights
from linkage.blocking import Budget, plan_blocking
from linkage.deciding import WEAKEST, compile_deciding
from linkage.scoring import compared_tables, compile_scoring, measure_registry
from models import CAUTION, NEVER, OTHER, Calibration, Model

PARTITION = 500_000
BEST = "SELECT dose_key, citizen_key, match_weight, probability, decision FROM ({}) WHERE rank = 1 ORDER BY dose_key"


def ours(connection: duckdb.DuckDBPyConnection, model: Model) -> str:
    """The decisions our engine makes; returns the query that reads them."""
    specification = model.specification
    compared_tables(connection, specification)
    plan = plan_blocking(connection, specification, Budget())
    registry = measure_registry(connection, specification)
    statement = compile_deciding(model, f"({compile_scoring(model, registry, plan, WEAKEST)})")
    connection.execute(f"CREATE TABLE candidates AS {statement}", {"first": 0, "last": -1})
    [(end,)] = connection.execute("SELECT max(key) + 1 FROM doses_compared").fetchall()
    for first in range(0, end, PARTITION):
        connection.execute(f"INSERT INTO candidates {statement}", {"first": first, "last": first + PARTITION - 1})
    return "FROM candidates"


def splink(connection: duckdb.DuckDBPyConnection, model: Model) -> str:
    """The decisions that follow from Splink's ``predict()``; returns the query that makes them."""
    derive(connection, model.specification)
    registry = measure_registry(connection, model.specification, "citizens_derived")
    return compile_deciding(model, splink_match_weights(connection, model, registry, WEAKEST))


def main(side: str, folder: Path, model_folder: Path, threads: int, memory: str) -> None:
    """Run one side over ``doses.parquet`` and ``citizens.parquet`` of a folder; writes ``<side>.parquet`` there."""
    model = Model.read(model_folder)
    # cautions and strata read levels, which Splink keeps to itself
    model = replace(
        model,
        specification=replace(model.specification, cautions=(), strata=()),
        calibration={OTHER: Calibration(), CAUTION: Calibration()},
        thresholds=replace(model.thresholds, accept={OTHER: min(model.thresholds.accept.values()), CAUTION: NEVER}),
    )
    database = folder / f"{side}.duckdb"
    database.unlink(missing_ok=True)
    connection = duckdb.connect(str(database) if side == "ours" else ":memory:")
    connection.execute("SET enable_progress_bar = false")
    connection.execute(f"SET threads = {threads:d}")
    if side == "ours":
        connection.execute("SET preserve_insertion_order = false")
        connection.execute("SET memory_limit = ?", [memory])
    for table in ("doses", "citizens"):
        source = str(folder / f"{table}.parquet").replace("'", "''")
        connection.execute(f"CREATE VIEW {table}_standardised AS FROM '{source}'")
    query = {"ours": ours, "splink": splink}[side](connection, model)
    target = str(folder / f"{side}.parquet").replace("'", "''")
    connection.execute(f"COPY ({BEST.format(query)}) TO '{target}' (FORMAT parquet)")
    connection.close()
    database.unlink(missing_ok=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
