"""From files to a DuckDB table of usable rows and a table of the others; every row read is in one of them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from linkage.progress import Progress, silent
from linkage.tables import files, parquet
from linkage.tables.headers import nameable
from linkage.tables.schema import GIANT_CELL, KEYS, LONGEST_KEY, Chunk, TableSchema
from linkage.tables.sql import quoted, text_literal
from linkage.tables.text import read_text
from linkage.tables.workbook import read_workbook

MOST_NAMED = 40
"""Columns that a notice names."""
IDENTIFIERS = ("dose_id", "citizen_id")
WHITE = " \t\r\n\v\f\x85\xa0\u1680\u180e\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))
"""White space: a cell of nothing else is empty."""
WIDE_DIGITS = "０１２３４５６７８９"
SEPARATORS = WHITE + ".．-‐‑‒–—―−－'’‘ʼ´`＇"
"""What people write between the digits of a citizen_id."""

Notice = tuple[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class FileReport:
    """A file that was read, or one sheet of it; its ``file_no`` is its place in `TableReport.files`."""

    path: str
    sheet: str | None
    digest: str
    rows: int

    @property
    def label(self) -> str:
        """What the quarantine calls it."""
        return self.path if self.sheet is None else f"{self.path} [{self.sheet}]"


@dataclass(frozen=True, slots=True)
class TableReport:
    """What was read: ``rows_read`` = ``rows_usable`` + ``rows_quarantined``, always.

    A notice is the key of a message and its facts.
    """

    files: tuple[FileReport, ...]
    rows_read: int
    rows_usable: int
    rows_quarantined: int
    notices: tuple[Notice, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of the digests of its files: what a model says of the tables it was trained on."""
        return files.digest_together(file.digest for file in self.files)


def read_table(
    connection: duckdb.DuckDBPyConnection,
    schema: TableSchema,
    path: str,
    *,
    table: str | None = None,
    columns: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> TableReport:
    """Read a file, a folder of files or a glob into ``<table>`` and ``<table>_quarantine``.

    ``<table>``: key BIGINT (reading order over all rows), file_no INTEGER, row BIGINT (as a person counts),
    then every column of the schema as text as typed; empty or white space only is NULL. ``dose_id`` and
    ``citizen_id`` are trimmed; a ``citizen_id`` written with separators or full-width digits becomes bare
    digits, and one of 10 or 11 digits gets back the zeros a spreadsheet took.
    ``<table>_quarantine``: key, file, row, id, problem.

    Of rows with the same ``dose_id`` the first is kept; of those with the same ``citizen_id`` the one with
    most cells filled (the first among equals); the others are quarantined. Labels and truth may repeat.

    Args:
        connection: where the tables are made, replacing those of these names. In a transaction of the caller
            a refused file leaves nothing behind, and reading is faster.
        schema: what to look for.
        path: a file, a folder (its own files) or a glob.
        table: the name of the table; that of the schema without it.
        columns: their header → our column, before the known headers.
        progress: told the share of the bytes read.

    Raises:
        UserError: a file cannot be used.
    """
    found = files.find(path)
    reading = _Reading(connection, schema, table or schema.name, columns or {})
    stage = f"reading {schema.name}"
    sizes = [file.stat().st_size for file in found.files]
    before = 0
    for file, size in zip(found.files, sizes, strict=True):
        for share in reading.add(file):
            progress(stage, before + share * size, max(sum(sizes), 1))
        before += size
    progress(stage, 1, 1)
    if found.ignored:
        names = ", ".join(files.printable(file.name) for file in found.ignored[:20])
        reading.notices.append(("files_ignored", {"file": files.printable(path), "names": names}))
    return reading.finish()


class _Reading:
    """The two tables while they fill."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        schema: TableSchema,
        table: str,
        columns: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self.schema = schema
        self._columns = columns
        self._table = quoted(table)
        self._quarantine = quoted(f"{table}_quarantine")
        self._incoming = f"{table}_incoming"
        self._files: list[FileReport] = []
        self._unchecked: list[int] = []
        self._unknown: dict[str, None] = {}
        self.notices: list[Notice] = []
        texts = ", ".join(f"{quoted(column)} VARCHAR" for column in schema.columns)
        connection.execute(f"CREATE OR REPLACE TABLE {self._table} (key BIGINT, file_no INTEGER, row BIGINT, {texts})")
        connection.execute(
            f"CREATE OR REPLACE TABLE {self._quarantine} "
            "(key BIGINT, file VARCHAR, row BIGINT, id VARCHAR, problem VARCHAR)"
        )

    def add(self, file: Path) -> Iterator[float]:
        """Read one file; yields the share of it that has been read."""
        kind = files.kind_of(file)
        digest = files.digest(file)
        if kind == "text":
            header, chunks = read_text(file, self.schema, self._columns)
            self._unknown |= dict.fromkeys(header.unknown)
            yield from self._add_chunks(FileReport(str(file), None, digest, 0), chunks)
        elif kind == "workbook":
            workbook = read_workbook(file, self.schema, self._columns)
            for sheet in workbook.sheets:
                self._unknown |= dict.fromkeys(sheet.header.unknown)
                name = sheet.name if len(workbook.sheets) > 1 else None
                self._unchecked.append(len(self._files))
                yield from self._add_chunks(FileReport(str(file), name, digest, 0), sheet.chunks)
            if workbook.ignored:
                self.notices.append(("sheets_ignored", {"file": file, "names": ", ".join(workbook.ignored[:20])}))
        else:
            self._unchecked.append(len(self._files))
            self._add_parquet(file, digest)
            yield 1.0

    def finish(self) -> TableReport:
        """Set the unusable rows aside and count."""
        if "citizen_id" in self.schema.columns:
            self._join_digits()
            self._restore_zeros()
        self._check_cells()
        schema = self.schema
        self._set_aside(f"no_{schema.id_column}", f"{quoted(schema.id_column)} IS NULL")
        keys = [column for column in KEYS if column in schema.columns]
        self._set_aside("long_key", " OR ".join(f"length({quoted(key)}) > {LONGEST_KEY}" for key in keys))
        for column, problem in schema.filled:
            self._set_aside(problem, f"{quoted(column)} IS NULL")
        if schema.unique:
            self._set_aside(f"duplicate_{schema.id_column}", f"key IN ({self._repeated()})")
        self.notices[:0] = self._unused_columns()
        self.notices += [("no_rows", {"file": file.label}) for file in self._files if not file.rows]
        usable, quarantined = self._count(self._table), self._count(self._quarantine)
        read = sum(file.rows for file in self._files)
        if read != usable + quarantined:
            raise RuntimeError(f"{schema.name}: {read} rows read, {usable} usable, {quarantined} quarantined")
        return TableReport(tuple(self._files), read, usable, quarantined, tuple(self.notices))

    def _unused_columns(self) -> list[Notice]:
        named = [header for header in self._unknown if nameable(header)][:MOST_NAMED]
        others = len(self._unknown) - len(named)
        names: Notice = ("unknown_columns", {"table": self.schema.name, "names": ", ".join(named)})
        count: Notice = ("unnamed_columns", {"table": self.schema.name, "count": others})
        return [names] * bool(named) + [count] * bool(others)

    def _add_chunks(self, file: FileReport, chunks: Iterable[Chunk]) -> Iterator[float]:
        base = sum(known.rows for known in self._files)
        file_no, rows = len(self._files), 0
        self._files.append(file)
        for chunk in chunks:
            self._insert_rows(chunk.rows, base, file_no)
            self._insert_bad(chunk, base, file.label)
            rows += len(chunk.rows) + len(chunk.bad)
            yield chunk.share
        self._files[file_no] = FileReport(file.path, file.sheet, file.digest, rows)

    def _insert_rows(self, rows: pa.Table, base: int, file_no: int) -> None:
        if not len(rows):
            return
        self._connection.register(self._incoming, rows)
        try:
            self._insert(f"FROM {quoted(self._incoming)}", rows.column_names, base, file_no)
        finally:
            self._connection.unregister(self._incoming)

    def _insert(self, source: str, present: Iterable[str], base: int, file_no: int) -> None:
        cells = ", ".join(_cell(column, column in present) for column in self.schema.columns)
        self._connection.execute(f"INSERT INTO {self._table} SELECT ordinal + {base}, {file_no}, row, {cells} {source}")

    def _insert_bad(self, chunk: Chunk, base: int, label: str) -> None:
        if not chunk.bad:
            return
        bad = pa.table(
            {
                "key": pa.array([base + row.ordinal for row in chunk.bad], pa.int64()),
                "file": pa.array([label] * len(chunk.bad), pa.string()),
                "row": pa.array([row.row for row in chunk.bad], pa.int64()),
                "id": pa.array([row.id for row in chunk.bad], pa.string()),
                "problem": pa.array([row.problem for row in chunk.bad], pa.string()),
            }
        )
        self._connection.register(self._incoming, bad)
        try:
            self._connection.execute(f"INSERT INTO {self._quarantine} FROM {quoted(self._incoming)}")
        finally:
            self._connection.unregister(self._incoming)

    def _add_parquet(self, file: Path, digest: str) -> None:
        header, query = parquet.read_parquet(self._connection, file, self.schema, self._columns)
        self._unknown |= dict.fromkeys(header.unknown)
        base = sum(known.rows for known in self._files)
        with parquet.readable(file):
            rows = parquet.count_rows(self._connection, file)
            self._insert(f"FROM ({query})", header.positions, base, len(self._files))
        self._files.append(FileReport(str(file), None, digest, rows))

    def _join_digits(self) -> None:
        bare = f"translate(citizen_id, {text_literal(WIDE_DIGITS + SEPARATORS)}, '0123456789')"
        done = self._connection.execute(
            f"UPDATE {self._table} SET citizen_id = {bare} "
            f"WHERE NOT regexp_full_match(citizen_id, '[0-9]*') AND regexp_full_match({bare}, '[0-9]{{10,12}}')"
        ).fetchone()
        if done and done[0]:
            self.notices.append(("digits_joined", {"table": self.schema.name, "count": done[0]}))

    def _restore_zeros(self) -> None:
        done = self._connection.execute(
            f"UPDATE {self._table} SET citizen_id = lpad(citizen_id, 12, '0') "
            "WHERE regexp_full_match(citizen_id, '[0-9]{10,11}')"
        ).fetchone()
        if done and done[0]:
            self.notices.append(("zeros_restored", {"table": self.schema.name, "count": done[0]}))

    def _check_cells(self) -> None:
        """What the text reader has already looked for in its own rows."""
        if not self._unchecked:
            return
        here = f"file_no IN ({', '.join(map(str, self._unchecked))})"
        for problem, test in (("nul_character", "contains({}, chr(0))"), ("giant_cell", "length({}) > {}")):
            cells = " OR ".join(test.format(quoted(column), GIANT_CELL) for column in self.schema.columns)
            self._set_aside(problem, f"{here} AND ({cells})")

    def _repeated(self) -> str:
        """The keys of the rows that give way to another row with the same identifier."""
        identifier = quoted(self.schema.id_column)
        order = "key"
        if self.schema.id_column == "citizen_id":
            filled = " + ".join(f"({quoted(column)} IS NOT NULL)::INTEGER" for column in self.schema.columns)
            order = f"{filled} DESC, key"
        repeated = f"SELECT {identifier} FROM {self._table} GROUP BY {identifier} HAVING count(*) > 1"
        return (
            f"SELECT key FROM {self._table} WHERE {identifier} IN ({repeated}) "
            f"QUALIFY row_number() OVER (PARTITION BY {identifier} ORDER BY {order}) > 1"
        )

    def _set_aside(self, problem: str, condition: str) -> None:
        labels = [file.label for file in self._files]
        moved = self._connection.execute(
            f"INSERT INTO {self._quarantine} "
            f"SELECT key, list_extract($labels::VARCHAR[], file_no + 1), row, "
            f"left({quoted(self.schema.id_column)}, 100), $problem FROM {self._table} WHERE {condition}",
            {"labels": labels, "problem": problem},
        ).fetchone()
        if moved and moved[0]:
            gone = f"SELECT key FROM {self._quarantine} WHERE problem = ?"
            self._connection.execute(f"DELETE FROM {self._table} WHERE key IN ({gone})", [problem])

    def _count(self, table: str) -> int:
        counted = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(counted[0]) if counted else 0


def _cell(column: str, present: bool) -> str:
    if not present:
        return "NULL"
    cell = quoted(column)
    trimmed = f"nullif(trim({cell}, {text_literal(WHITE)}), '')"
    if column in IDENTIFIERS:
        edges = " AND ".join(_visible(f"{side}({cell}, 1)") for side in ("left", "right"))
        return f"CASE WHEN {edges} THEN {cell} ELSE {trimmed} END"
    return f"CASE WHEN {_visible(cell)} OR {trimmed} IS NOT NULL THEN {cell} END"


def _visible(cell: str) -> str:
    """Begins with a letter, digit or sign of the Latin ranges: a cheap test that spares most trimming."""
    return f"({cell} >= '!' AND {cell} < chr(127) OR {cell} >= 'À' AND {cell} < chr(5760))"
