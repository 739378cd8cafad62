"""Results that appear whole or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import duckdb

from linkage.tables.sql import text_literal


def write_parquet(connection: duckdb.DuckDBPyConnection, query: str, path: Path) -> None:
    """Write the rows of a query as Parquet, compressed with Zstandard; a file of this name is replaced."""

    def write(part: Path) -> None:
        target = text_literal(str(part))
        connection.execute(f"COPY ({query}) TO {target} (FORMAT parquet, COMPRESSION zstd)")

    _whole(path, write)


def write_json(value: object, path: Path) -> None:
    """Write a value as indented JSON with its keys in the order given."""
    text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
    _whole(path, lambda part: part.write_text(text, encoding="utf-8") and None)


def _whole(path: Path, write: Callable[[Path], object]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        write(part)
        _flush(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
