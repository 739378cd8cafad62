"""Raw tables become comparable columns; each distinct value is worked out once.

Per field: the distinct values that are not clean already go in batches through the function of one value,
into a table from typed value to result, which is joined back. Clean values (12 digits as they should be)
never leave the engine; there the same result is an expression of SQL.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from unicodedata import category

import pyarrow as pa
from duckdb import DuckDBPyConnection
from duckdb.func import FunctionNullHandling, PythonUDFType

from linkage.progress import Progress, silent
from linkage.tables.sql import quoted
from linkage.vietnamese import (
    is_foreign,
    neighbouring_provinces,
    parse_address,
    parse_birth_date,
    parse_identity_number,
    parse_identity_numbers,
    parse_insurance_number,
    parse_phone,
    parse_sex,
    province_of_prefix,
    resolve_place,
    spell_name,
)
from linkage.vietnamese.text import compose

Row = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Field:
    """What is worked out once for each distinct value: one or more typed columns, and the columns worked out from them.

    ``clean`` is a condition on the typed columns under which the result is ``known`` without ``parse``,
    as SQL by result column.
    """

    name: str
    typed: tuple[str, ...]
    parse: Callable[..., Row]
    result: Mapping[str, pa.DataType]
    clean: str = "false"
    known: Mapping[str, str] = field(default_factory=dict)


def standardise(connection: DuckDBPyConnection, tables: Mapping[str, str], *, progress: Progress = silent) -> None:
    """Make the standardised table of each raw table: a row per row, the same columns for doses and citizens.

    Args:
        connection: where the raw tables are and the new ones will be; memory and threads are its settings.
        tables: raw table → new table, which is replaced. Values shared by several tables are worked out once.
            Columns: key, name, name_ascii, name_sound, name_doublet, surname, middle, given, surname_ascii,
            middle_ascii, given_ascii, id, id_kind, id_repair, id_sex, id_birth_year, id_province, former_ids,
            born, born_year, born_month_day, born_swapped, born_precision, born_readings, born_solar, sex, phone,
            insurance_no, province, district, commune (units of 2021), neighbours (codes of the provinces that share a
            border with province, in order; NULL without it), province_2025, commune_2025, address, address_hamlet
            (equal to address when nothing finer is known), foreign_national, injected_on, deceased_on (days),
            facility. A raw table with ``citizen_id`` has its identity number there, any other in ``national_id``; a
            typed column it lacks is NULL. A name without a Latin letter is the same in every spelling.
        progress: told after every field and table.
    """
    sources = {into: typed_columns(connection, raw) for raw, into in tables.items()}
    steps = len(_FIELDS) + len(sources)
    for done, each in enumerate(_FIELDS):
        progress("standardise", done, steps)
        work_out(connection, each, list(sources.values()))
    for done, (into, source) in enumerate(sources.items(), start=len(_FIELDS)):
        progress("standardise", done, steps)
        connection.execute(f"CREATE OR REPLACE TABLE {quoted(into)} AS {_standardised(source)}")
    for each in _FIELDS:
        connection.execute(f"DROP TABLE {map_of(each)}")
    progress("standardise", steps, steps)


def _name(text: str) -> Row:
    """The four spellings of a name; of a name without a Latin letter, its words in lower case, four times."""
    spellings = spell_name(text)
    if not spellings[0]:
        letters = (character if category(character)[0] in "LM" else " " for character in compose(text).lower())
        spellings = (" ".join("".join(letters).split()),) * 4
    return tuple(spelling or None for spelling in spellings)


def _identity_number(text: str) -> Row:
    number = parse_identity_number(text)
    return number.value, number.kind, number.repair, number.second


def _birth_date(text: str) -> Row:
    born = parse_birth_date(text)
    if not born:
        return (None,) * 7
    return born.value, born.year, born.month_day, born.swapped, born.precision, born.readings, born.solar


def read_day(text: str) -> Row:
    """A date of another event than birth, when its day is known."""
    found = parse_birth_date(text)
    return (found.value if found and found.precision == "day" else None,)


def _place(province: str | None, district: str | None, commune: str | None) -> Row:
    place = resolve_place(province, district, commune)
    return place.province, place.district, place.commune, place.province_2025, place.commune_2025


def _address(text: str) -> Row:
    address = parse_address(text)
    return (address.home, address.hamlet) if address else (None, None)


def _single(parse: Callable[[str], object]) -> Callable[[str], Row]:
    return lambda text: (parse(text),)


_TEXT = pa.string()
_TEXTS = pa.list_(_TEXT)
_CCCD = "0(?:0[1-9]|[1-9][0-9])(?:[01][0-9]{2}|[23](?:[01][0-9]|2[0-6]))[0-9]{6}"
_NUMBER = f"(?:{_CCCD}|[0-9]{{9}})"
# days that every month has; a time behind them makes each value another
_ISO_DAY = "(?:19[0-9]{2}|20[01][0-9]|202[0-6])-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])( [0-9]{2}:[0-9]{2}[0-9:.]*)?"
# repeated and counted digits may be placeholders: Python decides
_SUSPICIOUS = "|".join([*(digit * 8 for digit in "0123456789"), "234567", "765432", "000000(?:;|$)"])


def _clean(column: str, pattern: str) -> str:
    clean = f"regexp_full_match({column}, '{pattern}') AND NOT regexp_matches({column}, '{_SUSPICIOUS}')"
    return f"coalesce({clean}, false)"


def _day_of(event: str) -> Field:
    return Field(
        event,
        (f"typed_{event}",),
        read_day,
        {event: _TEXT},
        f"coalesce(regexp_full_match(typed_{event}, '{_ISO_DAY}'), false)",
        {event: f"typed_{event}[1:10]"},
    )


INJECTED_ON = _day_of("injected_on")
_FIELDS = (
    Field(
        "name",
        ("typed_full_name",),
        _name,
        dict.fromkeys(("name", "name_ascii", "name_sound", "name_doublet"), _TEXT),
    ),
    Field(
        "id",
        ("typed_national_id",),
        _identity_number,
        {"id": _TEXT, "id_kind": _TEXT, "id_repair": _TEXT, "second_id": _TEXT},
        _clean("typed_national_id", _NUMBER),
        {
            "id": "typed_national_id",
            "id_kind": "CASE length(typed_national_id) WHEN 12 THEN 'cccd' ELSE 'cmnd' END",
            "id_repair": "'none'",
            "second_id": "NULL",
        },
    ),
    Field(
        "former",
        ("typed_previous_ids",),
        _single(parse_identity_numbers),
        {"former_ids": _TEXTS},
        _clean("typed_previous_ids", f"{_NUMBER}(?:;{_NUMBER})*"),
        {"former_ids": "string_split(typed_previous_ids, ';')"},
    ),
    Field(
        "born",
        ("typed_date_of_birth",),
        _birth_date,
        {"born": _TEXT, "born_year": pa.int32(), "born_month_day": _TEXT}
        | {"born_swapped": _TEXT, "born_precision": _TEXT, "born_readings": _TEXTS, "born_solar": _TEXTS},
    ),
    INJECTED_ON,
    _day_of("deceased_on"),
    Field("sex", ("typed_sex",), _single(parse_sex), {"sex": _TEXT}),
    Field(
        "phone",
        ("typed_phone",),
        _single(parse_phone),
        {"phone": _TEXT},
        _clean("typed_phone", "0[35789][0-9]{8}"),
        {"phone": "typed_phone"},
    ),
    Field(
        "insurance",
        ("typed_health_insurance_no",),
        _single(parse_insurance_number),
        {"insurance_no": _TEXT},
        _clean("typed_health_insurance_no", "(?:[A-Z]{2}[0-9]{3})?[0-9]{10}"),
        {"insurance_no": "right(typed_health_insurance_no, 10)"},
    ),
    Field(
        "place",
        ("typed_province", "typed_district", "typed_commune"),
        _place,
        dict.fromkeys(("province", "district", "commune", "province_2025", "commune_2025"), _TEXT),
    ),
    Field("address", ("typed_address",), _address, {"address": _TEXT, "address_hamlet": _TEXT}),
    Field("nationality", ("typed_nationality",), _single(is_foreign), {"foreign_national": pa.bool_()}),
)


def work_out(connection: DuckDBPyConnection, each: Field, sources: list[str]) -> None:
    """Make the table `map_of` a field: distinct typed values of all sources that are not clean, and their results."""
    columns = ", ".join(each.typed)
    odd = f"coalesce({columns}) IS NOT NULL AND NOT ({each.clean})"
    typed = " UNION ALL ".join(f"SELECT {columns} FROM {source} WHERE {odd}" for source in sources)
    kept = ", ".join(f"{column} AS of_{column}" for column in each.typed)
    function = f"standardise_{each.name}"
    results = f"SELECT {kept}, {function}({columns}) AS result FROM (SELECT DISTINCT * FROM ({typed}))"
    connection.create_function(
        function,
        partial(_parse_batch, each),
        None,  # as many texts as the field has typed columns
        _result_type(each),
        type=PythonUDFType.ARROW,
        null_handling=FunctionNullHandling.SPECIAL,
    )
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {map_of(each)} AS SELECT * EXCLUDE (result), unnest(result) FROM ({results})"
        )
    finally:
        connection.remove_function(function)


def _parse_batch(each: Field, *typed: pa.Array) -> pa.Array:
    rows = [each.parse(*values) for values in zip(*(column.to_pylist() for column in typed), strict=True)]
    columns = zip(*rows, strict=True)
    return pa.StructArray.from_arrays(
        [pa.array(column, kind) for column, kind in zip(columns, each.result.values(), strict=True)],
        names=list(each.result),
    )


_SQL_TYPES = {
    pa.string(): "VARCHAR",
    pa.int32(): "INTEGER",
    pa.bool_(): "BOOLEAN",
    _TEXTS: "VARCHAR[]",
}


def _result_type(each: Field) -> str:
    columns = ", ".join(f"{column} {_SQL_TYPES[kind]}" for column, kind in each.result.items())
    return f"STRUCT({columns})"


def map_of(each: Field) -> str:
    """The temporary table that `work_out` makes: ``of_<typed column>`` and the results; whoever made it drops it."""
    return f"standardised_{each.name}"


_TYPED = (
    *("full_name", "national_id", "previous_ids", "date_of_birth", "sex", "phone", "health_insurance_no"),
    *("province", "district", "commune", "address", "nationality"),
    *("injected_on", "deceased_on", "facility_id"),
)


def typed_columns(connection: DuckDBPyConnection, raw: str) -> str:
    """A relation of ``key`` and what was typed in a raw table, under the same names for doses and citizens.

    Columns: ``typed_<column>``, of which ``typed_national_id`` is the ``citizen_id`` of a citizen; NULL for a column
    that the table lacks.
    """
    found = {row[0] for row in connection.execute(f"DESCRIBE {quoted(raw)}").fetchall()}
    renamed = {"national_id": "citizen_id"} if "citizen_id" in found else {}
    sources = {column: renamed.get(column, column) for column in _TYPED}
    typed = (
        f"{source if source in found else 'NULL::VARCHAR'} AS typed_{column}" for column, source in sources.items()
    )
    return f"(SELECT key, {', '.join(typed)} FROM {quoted(raw)})"


def _standardised(source: str) -> str:
    """One row per row of a source: its typed values exchanged for their results."""
    results = ", ".join(result_of(each, column) for each in _FIELDS for column in each.result)
    joins = " ".join(join_of(each) for each in _FIELDS)
    return f"""
    WITH worked_out AS (SELECT key, {results}, nullif(trim(typed_facility_id), '') AS facility FROM {source} {joins}),
    split AS (
      SELECT *, string_split(name, ' ') AS words, string_split(name_ascii, ' ') AS words_ascii FROM worked_out
    )
    SELECT {_COLUMNS} FROM split LEFT JOIN {_neighbours()} ON of_province = province"""


def join_of(each: Field) -> str:
    """The join of a relation of typed columns with the results of a field, as SQL."""
    alike = " AND ".join(f"of_{typed} IS NOT DISTINCT FROM {typed}" for typed in each.typed)
    return f"LEFT JOIN {map_of(each)} ON {alike}"


def result_of(each: Field, column: str) -> str:
    """A result column, as SQL: what SQL knows of clean values, what Python worked out of the others."""
    return f"CASE WHEN {each.clean} THEN {each.known[column]} ELSE {column} END AS {column}" if each.known else column


def _neighbours() -> str:
    """A relation of each province, ``of_province``, and the list of its neighbours."""
    pairs = ", ".join(map(str, sorted(neighbouring_provinces())))
    listed = "SELECT of_province, list(neighbour ORDER BY neighbour) AS neighbours"
    return f"({listed} FROM (VALUES {pairs}) AS pairs(of_province, neighbour) GROUP BY of_province)"


_PREFIXES = ", ".join(f"'{prefix}'" for prefix in province_of_prefix())
_COLUMNS = f"""
    key, name, name_ascii, name_sound, name_doublet,
    if(len(words) = 1, '', words[1]) AS surname, array_to_string(words[2:-2], ' ') AS middle,
    words[-1] AS given,
    if(len(words) = 1, '', words_ascii[1]) AS surname_ascii,
    array_to_string(words_ascii[2:-2], ' ') AS middle_ascii, words_ascii[-1] AS given_ascii,
    id, id_kind, id_repair,
    CASE WHEN id_kind = 'cccd' THEN if(id[4] IN ('1', '3'), 'F', 'M') END AS id_sex,
    CASE WHEN id_kind = 'cccd'
         THEN 1900 + 100 * (id[4]::INTEGER // 2) + id[5:6]::INTEGER END AS id_birth_year,
    CASE WHEN id_kind = 'cccd' AND id[1:3] IN ({_PREFIXES}) THEN id[2:3] END AS id_province,
    list_concat(coalesce(former_ids, []), if(second_id IS NULL, [], [second_id])) AS former_ids,
    born, born_year, born_month_day, born_swapped, born_precision,
    coalesce(born_readings, []) AS born_readings, coalesce(born_solar, []) AS born_solar,
    sex, phone, insurance_no, province, district, commune, neighbours, province_2025, commune_2025,
    address, address_hamlet, coalesce(foreign_national, false) AS foreign_national,
    injected_on, deceased_on, facility
"""
