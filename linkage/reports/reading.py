"""Open a finished RUN folder for counting."""

import glob
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from linkage.errors import UserError

FILES = ("decisions.parquet", "review.parquet", "manifest.json")


@contextmanager
def connect(memory: str = "2GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database within ``memory`` that spills to a temporary folder and forgets the order of rows."""
    with TemporaryDirectory(prefix="linkage-") as folder, duckdb.connect() as connection:
        connection.execute("SET memory_limit = ?", [memory])
        connection.execute("SET temp_directory = ?", [folder])
        connection.execute("SET preserve_insertion_order = false")
        yield connection


def read_manifest(run: Path) -> dict[str, Any]:
    """The ``manifest.json`` of a finished run.

    Raises:
        UserError: there is none, or it is none that this version wrote.
    """
    try:
        manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError("report_run_unfinished", run=run, file="manifest.json") from error
    except (OSError, RecursionError, ValueError) as error:
        raise UserError("report_run_other", run=run) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("inputs"), dict):
        raise UserError("report_run_other", run=run)
    return manifest


def open_run(connection: duckdb.DuckDBPyConnection, run: Path, columns: Sequence[str]) -> None:
    """Create the views ``decisions`` and ``review`` over a finished run.

    Args:
        connection: gets the two views.
        run: the folder that ``linkage score`` wrote.
        columns: what the caller needs of ``decisions``.

    Raises:
        UserError: the folder is no finished run, a file of it cannot be read, or a column is missing.
    """
    for name in FILES:
        if not (run / name).is_file():
            raise UserError("report_run_unfinished", run=run, file=name)
    read_manifest(run)
    open_file(connection, run, "decisions", columns)
    open_file(connection, run, "review", ())


def open_file(connection: duckdb.DuckDBPyConnection, run: Path, name: str, columns: Sequence[str]) -> tuple[str, ...]:
    """Create the view ``name`` over one Parquet file of a run; returns the columns it has.

    Args:
        connection: gets the view.
        run: the folder that ``linkage score`` wrote.
        name: of the file, without its ending, and of the view.
        columns: what the caller needs of it.

    Raises:
        UserError: there is no such file, it cannot be read, or a column is missing.
    """
    file = run / f"{name}.parquet"
    if not file.is_file():
        raise UserError("report_run_unfinished", run=run, file=file.name)
    try:
        relation = connection.read_parquet(glob.escape(str(file)))
        relation.create_view(name)
    except duckdb.Error as error:
        raise UserError("report_run_unreadable", file=file) from error
    missing = [column for column in columns if column not in relation.columns]
    if missing:
        raise UserError("report_run_column", file=file, column=", ".join(missing))
    return tuple(relation.columns)


def run_digest(manifest: Mapping[str, Any]) -> str:
    """Names what a run was made of, as the ledger has it: model, inputs, decisions, and humans' answers.

    Raises:
        KeyError, TypeError: it is no manifest of a run of this version.
    """
    inputs = {name: [file["sha256"] for file in table["files"]] for name, table in manifest["inputs"].items()}
    said = {"inputs": inputs, **{name: manifest[name] for name in ("model", "decisions")}}
    if answers := manifest["settings"].get("answers"):
        said["answers"] = answers
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
