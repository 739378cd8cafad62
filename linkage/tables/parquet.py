"""Parquet files: every sensible type as the text a person would have typed."""

import glob
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import duckdb

from linkage.errors import UserError
from linkage.tables.headers import Header, recognise, require
from linkage.tables.schema import TableSchema
from linkage.tables.sql import quoted, text_literal

ROW_NUMBER = "file_row_number"
"""The column DuckDB adds."""
NOT_TEXT = ("blob", "list", "array", "struct", "map", "union", "variant", "geometry")


def read_parquet(
    connection: duckdb.DuckDBPyConnection, file: Path, schema: TableSchema, columns: Mapping[str, str]
) -> tuple[Header, str]:
    """The header of a Parquet file, and the query that gives ``ordinal``, ``row`` and our columns as text.

    Raises:
        UserError: the file is damaged, lacks a required column or has one twice, or holds one as bytes or nested
            values.
    """
    name = str(file)
    with readable(file):
        headers = _names(connection, file)
        if ROW_NUMBER in map(str.lower, headers):
            raise UserError("reserved_column", file=file, column=ROW_NUMBER)
        relation = connection.sql(f"FROM {_scan(file)}")
    header = recognise(headers, schema, columns, name)
    require(header, schema, headers, name)
    wanted = []
    for column, position in header.positions.items():
        kind = relation.types[position].id
        if kind in NOT_TEXT:
            raise UserError("column_not_text", file=file, column=headers[position], type=kind)
        wanted.append(f"{_as_text(quoted(relation.columns[position]), kind)} AS {quoted(column)}")
    place = f"{ROW_NUMBER} AS ordinal, {ROW_NUMBER} + 1 AS row"
    return header, f"SELECT {place}, {', '.join(wanted)} FROM {_scan(file)}"


def count_rows(connection: duckdb.DuckDBPyConnection, file: Path) -> int:
    """The number of rows a Parquet file says it has."""
    counted = connection.execute(f"SELECT num_rows FROM parquet_file_metadata({_literal(file)})").fetchone()
    return int(counted[0]) if counted else 0


@contextmanager
def readable(file: Path) -> Iterator[None]:
    """Damage is reported in many ways, some as a bare `duckdb.Error`; what cannot come from the file passes.

    Raises:
        UserError: the file is damaged.
    """
    try:
        yield
    except (
        duckdb.OutOfMemoryException,
        duckdb.InterruptException,
        duckdb.BinderException,
        duckdb.ParserException,
        duckdb.CatalogException,
    ):
        raise
    except duckdb.Error as error:
        raise UserError("damaged_file", file=file) from error


def _names(connection: duckdb.DuckDBPyConnection, file: Path) -> list[str]:
    """The columns as the file names them: two may have the same name, which DuckDB changes."""
    entries = connection.execute(f"SELECT name, num_children FROM parquet_schema({_literal(file)})").fetchall()
    names: list[str] = []
    nested = 0
    for name, children in entries[1:]:
        if not nested:
            names.append(name)
        nested += (children or 0) - bool(nested)
    return names


def _scan(file: Path) -> str:
    return f"read_parquet({_literal(file)}, {ROW_NUMBER} = true, hive_partitioning = false)"


def _literal(file: Path) -> str:
    return text_literal(glob.escape(str(file)))


def _as_text(column: str, kind: str) -> str:
    text = f"CAST({column} AS VARCHAR)"
    match kind:
        case "float" | "double":
            whole = f"CAST(CAST({column} AS HUGEINT) AS VARCHAR)"
            return (
                f"CASE WHEN isnan({column}) THEN NULL "
                f"WHEN abs({column}) < 1e18 AND {column} = trunc({column}) THEN {whole} ELSE {text} END"
            )
        case "decimal":
            return f"CASE WHEN contains({text}, '.') THEN rtrim(rtrim({text}, '0'), '.') ELSE {text} END"
        case "timestamp with time zone":
            instant = f"make_timestamp(epoch_us({column}))"
            # Viet Nam has kept UTC+7; a pure date stored as an instant is midnight in UTC
            local = f"CASE WHEN {_midnight(instant)} THEN {instant} ELSE {instant} + INTERVAL 7 HOUR END"
            return _date_or_time(f"({local})")
        case _ if kind.startswith("timestamp"):
            return _date_or_time(f"CAST({column} AS TIMESTAMP)")
        case "boolean":
            return f"upper({text})"
        case _:
            return text


def _midnight(moment: str) -> str:
    return f"{moment} = date_trunc('day', {moment})"


def _date_or_time(moment: str) -> str:
    date = f"CAST(CAST({moment} AS DATE) AS VARCHAR)"
    return f"CASE WHEN {_midnight(moment)} THEN {date} ELSE CAST({moment} AS VARCHAR) END"
