"""A specification as a document: read from a file, checked down to its SQL, and every mistake named with its line."""

import re
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import duckdb

from linkage.blocking import Budget, plan_blocking
from linkage.errors import UserError
from linkage.scoring import compared_tables, compile_levels, measure_registry, pair_columns, records, with_steps
from linkage.standardise import standardise
from linkage.tables import CITIZENS, DOSES
from models import Specification, SpecificationError, load

__all__ = ["line_of", "read_specification"]

_LINE = re.compile(r" \(at line ([0-9]+),.*\)$")
_OUTPUT_COLUMNS = frozenset({"dose_id", "citizen_id", "rank", "probability", "match_weight"})
"""What stands beside the levels in the files of a run: no comparison may be called so."""

MOST_BYTES = 1_000_000
LONGEST_LINE = 100_000
MOST_POINTS = 200
"""In a line: the parser takes minutes for a key of many parts, ``a.a.a``."""

TRIAL_SECONDS = 30.0
"""For all the SQL of a specification on empty records."""

_CALL = re.compile(r'"function_name":"([^"]*)"')
_BARE_NAME = re.compile(r'"column_names":\["([^"]*)"\]')
_LIKE_COLUMNS = frozenset(
    (
        *("current_catalog", "current_date", "current_role", "current_schema", "current_time", "current_timestamp"),
        *("current_user", "localtime", "localtimestamp", "session_user", "user"),
    )
)
"""Functions that are written without brackets."""

_LONG = frozenset({"generate_series", "range", "repeat"})
"""They make values of any length, and the engine does not stop while it works on one value."""

_ROWS = frozenset({"unlist", "unnest"})

_ENDS = ("]", '"""', "'''")
"""One of these is in the last line of a value of many lines."""

_Place = tuple[str | int, ...]


def read_specification(name: str) -> Specification:
    """A specification by the path of its TOML file, or by the name of one that is shipped.

    Its SQL is tried on empty records, with nothing but the standardised records in reach: no file can be read, no
    statement but an expression is taken.

    Raises:
        UserError: there is none, or it cannot be used; the message names file, line and entry.
    """
    path = Path(name)
    if not path.is_file():
        shipped = sorted(Path(each.name).stem for each in files("models").iterdir() if each.name.endswith(".toml"))
        if name not in shipped:
            raise UserError("specification.none", name=name, shipped=", ".join(shipped))
        return load(name)
    text = _text(path)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        if not isinstance(error, tomllib.TOMLDecodeError | RecursionError):
            raise UserError("specification.long_number", file=path) from error
        found = _LINE.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        raise UserError("specification.syntax", file=path, line=line, reason=_LINE.sub("", str(error))) from error
    try:
        specification = Specification.from_dict(data)
        _check_sql(specification, data)
    except SpecificationError as error:
        place = {"file": path, "line": line_of(text, error.place), "where": error.where}
        raise UserError(f"specification.{error.problem}", **place, **error.facts) from error
    return specification


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UserError("specification.unreadable", file=path, reason=error.strerror) from error
    if len(content) > MOST_BYTES:
        raise UserError("specification.too_large", file=path, most=f"{MOST_BYTES:,}")
    try:
        # a byte-order mark is what some editors put before the first line
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UserError("specification.encoding", file=path, line=content.count(b"\n", 0, error.start) + 1) from error
    for number, line in enumerate(text.split("\n"), start=1):
        if len(line) > LONGEST_LINE:
            raise UserError("specification.long_line", file=path, line=number, most=f"{LONGEST_LINE:,}")
        if line.count(".") > MOST_POINTS and not line.lstrip().startswith("#"):
            raise UserError("specification.many_points", file=path, line=number, most=MOST_POINTS)
    return text


def line_of(text: str, place: _Place) -> int:
    """The line (from 1) of a sound TOML text where an entry begins, or the table that it should stand in."""
    lines = dict(_lines(text))
    return next((lines[place[:size]] for size in range(len(place), 0, -1) if place[:size] in lines), 1)


def _lines(text: str) -> Iterator[tuple[_Place, int]]:
    """The place and first line of every table and key of a sound TOML text."""
    entries: dict[_Place, int] = {}
    table: _Place = ()
    statement: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        statement.append(line)
        if len(statement) > 1 and not any(end in line for end in _ENDS):
            continue
        try:
            parsed = tomllib.loads("\n".join(statement))
        except tomllib.TOMLDecodeError:
            continue  # goes on in the next line
        first, statement = number - len(statement) + 1, []
        if line.lstrip().startswith("[") and first == number:
            table = _table(parsed, entries)
            yield table, number
        elif parsed:
            place = table
            while isinstance(parsed, dict) and len(parsed) == 1:
                [(key, parsed)] = parsed.items()
                place = (*place, key)
                yield place, first


def _table(header: object, entries: dict[_Place, int]) -> _Place:
    """The place of a table by its header as parsed; ``entries`` counts what lists of tables have so far."""
    place: _Place = ()
    while isinstance(header, dict) and header:
        [(key, header)] = header.items()
        place = (*place, key)
        if isinstance(header, list):
            [header] = header
            entries[place] = entries.get(place, 0) + 1
        if place in entries:
            place = (*place, entries[place] - 1)
    return place


def _check_sql(specification: Specification, data: object) -> None:
    """Try every condition, expression and column name on empty records.

    Raises:
        SpecificationError: one cannot be used.
    """
    with duckdb.connect() as connection:
        _empty_records(connection, specification)
        with _time_limit(connection):
            _try_sql(connection, specification, data)


@contextmanager
def _time_limit(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    done = threading.Event()

    def watch() -> None:
        wait = TRIAL_SECONDS
        # again and again: between two statements an interruption is lost
        while not done.wait(wait):
            connection.interrupt()
            wait = 0.1

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _try_sql(connection: duckdb.DuckDBPyConnection, specification: Specification, data: object) -> None:
    trial = _Trial(connection, data, frozenset(_volatile(connection)))
    for name, sql in specification.columns.items():
        trial.add("records", name, ("columns", name), sql)
    columns = _columns(connection, "records")
    for place, name, is_list in _named_columns(specification):
        trial.named(name, columns, place, is_list=is_list)
    _pair_records(connection)
    for i, comparison in enumerate(specification.comparisons):
        if comparison.name in _OUTPUT_COLUMNS:
            raise SpecificationError("name_is_reserved", data, ("comparison", i, "name"), found=comparison.name)
        for name, sql in comparison.expressions.items():
            trial.add("pairs", name, ("comparison", i, "expressions", name), sql)
    for place, sql in _conditions(specification):
        if (kind := trial.kind("pairs", place, sql)) != "BOOLEAN":
            raise SpecificationError("no_condition", data, place, found=kind.lower())
    trial.whole(specification)


@dataclass(frozen=True, slots=True)
class _Trial:
    """Tries SQL on empty records; a SpecificationError names the place in ``data`` of what the engine refuses."""

    connection: duckdb.DuckDBPyConnection
    data: object
    volatile: frozenset[str]

    def kind(self, table: str, place: _Place, sql: str) -> str:
        """The type of an expression over a table."""
        key = "key_l" if table == "pairs" else "key"
        try:
            duckdb.SQLExpression(sql)  # one expression, whole: no statement, no bracket left open, no FROM of its own
            # beside a column, what is worked out of all records together is refused
            self._refuse_functions(table, place, sql)
            described = self.connection.execute(f"DESCRIBE SELECT {key}, ({sql}) FROM {table}").fetchall()
        except duckdb.Error as error:
            raise self._refusal(place, error) from error
        if len(described) != 2:
            raise SpecificationError("several_columns", self.data, place)
        return str(described[1][1])

    def _refuse_functions(self, table: str, place: _Place, sql: str) -> None:
        """Refuse functions that give the same record another value next time, other rows, or values of any length."""
        [(tree,)] = self.connection.execute("SELECT json_serialize_sql(?)", [f"SELECT ({sql})"]).fetchall()
        if tree.startswith('{"error":true'):
            # of what cannot be written as JSON nothing can be told; what cannot be parsed is said better there
            self.connection.execute(f"DESCRIBE SELECT ({sql}) FROM {table}")
            raise SpecificationError("no_such_function", self.data, place, found="?")
        called = {name.lower() for name in _CALL.findall(tree)}
        bare = {name.lower() for name in _BARE_NAME.findall(tree)}
        refused = called & (self.volatile | _LONG) | (called | bare) & _LIKE_COLUMNS
        if table == "pairs":
            refused |= called & _ROWS
        for name in sorted(refused):
            raise SpecificationError("no_such_function", self.data, place, found=name)
        if called & _ROWS:
            # of a record itself it would make several; the engine refuses that where it filters
            self.connection.execute(f"DESCRIBE SELECT 1 FROM {table} WHERE ({sql}) IS NULL")

    def _refusal(self, place: _Place, error: duckdb.Error) -> SpecificationError:
        if isinstance(error, duckdb.InterruptException):
            return SpecificationError("takes_too_long", self.data, place)
        return SpecificationError("sql", self.data, place, reason=_said(error))

    def add(self, table: str, name: str, place: _Place, sql: str) -> None:
        """Make an expression a column of a table, for those that follow."""
        if name in _columns(self.connection, table):
            raise SpecificationError("name_is_taken", self.data, place, found=name)
        try:
            duckdb.SQLExpression(name)
        except duckdb.Error as error:
            raise SpecificationError("not_a_name", self.data, place, found=name) from error
        self.kind(table, place, sql)
        try:
            self.connection.execute(f"CREATE OR REPLACE TABLE {table} AS SELECT *, ({sql}) AS {name} FROM {table}")
        except duckdb.Error as error:
            raise self._refusal(place, error) from error

    def whole(self, specification: Specification) -> None:
        """Run all parts together, as a run does: one may be sound by itself alone."""
        compared = "doses_compared AS l JOIN citizens_compared AS r ON l.key = r.key"
        pairs = f"SELECT l.key AS dose_key, {pair_columns(specification)} FROM {compared}"
        try:
            compared_tables(self.connection, specification)
            plan_blocking(self.connection, specification, Budget())
            measure_registry(self.connection, specification)
            self.connection.execute(with_steps(pairs, compile_levels(specification, ("dose_key",))) + " FROM levels")
        except duckdb.Error as error:
            raise self._refusal((), error) from error

    def named(self, name: str, columns: dict[str, str], place: _Place, *, is_list: bool) -> None:
        """Check that a column that an entry names is there, and holds lists where they are wanted."""
        if name not in columns:
            raise SpecificationError("no_such_column", self.data, place, found=name)
        if is_list and not columns[name].endswith("[]"):
            raise SpecificationError("no_list", self.data, place, found=name)


def _volatile(connection: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """The functions that may give another value next time."""
    rows = connection.execute("SELECT function_name FROM duckdb_functions() WHERE stability <> 'CONSISTENT'").fetchall()
    return (name for (name,) in rows)


def _empty_records(connection: duckdb.DuckDBPyConnection, specification: Specification) -> None:
    """Make ``records``, over which ``[columns]`` are worked out, alike for doses and citizens; no file is in reach."""
    for schema in (DOSES, CITIZENS):
        columns = ", ".join(f"{column} VARCHAR" for column in schema.columns)
        connection.execute(f"CREATE TABLE {schema.name} (key BIGINT, {columns})")
        connection.execute(f"INSERT INTO {schema.name} (key) VALUES (0)")
    standardise(connection, {"doses": "doses_standardised", "citizens": "citizens_standardised"})
    connection.execute(f"CREATE TABLE records AS FROM {records(connection, specification, 'doses')}")
    connection.execute("SET memory_limit = '1GB'; SET temp_directory = ''; SET enable_external_access = false")


def _pair_records(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``pairs``: the columns of a dose with ``_l`` behind, and of a citizen with ``_r``."""
    columns = [
        f"{side}.{column} AS {column}_{side}" for side in ("l", "r") for column in _columns(connection, "records")
    ]
    connection.execute(f"CREATE TABLE pairs AS SELECT {', '.join(columns)} FROM records AS l, records AS r")


def _columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Column → type."""
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}


def _named_columns(specification: Specification) -> Iterator[tuple[_Place, str, bool]]:
    """The columns that entries name, and whether a list is wanted."""
    for i, rule in enumerate(specification.blocking):
        yield from ((("blocking", i, "on"), name, rule.any_of) for name in rule.on)
        yield from ((("blocking", i, "split"), name, False) for name in rule.split)
    for i, comparison in enumerate(specification.comparisons):
        for j, level in enumerate(comparison.levels):
            named = {"frequency": (level.frequency,), "together": level.together, "apart": (level.apart,)}
            for key, names in named.items():
                yield from ((("comparison", i, "level", j, key), name, False) for name in names if name)


def _conditions(specification: Specification) -> Iterator[tuple[_Place, str]]:
    for i, comparison in enumerate(specification.comparisons):
        yield ("comparison", i, "missing"), comparison.missing
        for j, level in enumerate(comparison.levels):
            for key, sql in (("when", level.when), ("beside", level.beside)):
                if sql is not None:
                    yield ("comparison", i, "level", j, key), sql


def _said(error: duckdb.Error) -> str:
    """What the engine says, without the statement it was tried in."""
    said, _, _ = str(error).partition("\n\nLINE")
    return " ".join(said.split())[:300]
