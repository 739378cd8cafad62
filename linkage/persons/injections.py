"""Injections: of each dose the day, vaccine, number, lot and facility, comparable. Each distinct value is read once."""

import re

import pyarrow as pa
from duckdb import DuckDBPyConnection

from linkage.persons.vaccines import read_vaccines
from linkage.standardise import INJECTED_ON, Field, join_of, map_of, read_day, result_of, work_out
from linkage.tables.sql import quoted
from linkage.vietnamese.digits import spreadsheet_text
from linkage.vietnamese.text import without_marks

__all__ = ["make_injections", "read_dose_number", "read_lot"]

HIGHEST_NUMBER = 30
"""A larger number in the box is no dose number."""

LONGEST_LOT = 40

Row = tuple[object, ...]


def make_injections(connection: DuckDBPyConnection, doses: str = "doses") -> None:
    """Make the table ``injections``, a row for each row of ``doses``.

    Columns: dose_id; day (DATE, null when the day is not known); vaccine (a code of vaccines.toml, the words typed when
    they name none that is known, null when blank); dose_number (of the series) and booster_number (of a booster, where
    boosters are counted apart: "mũi nhắc lại 1"), SMALLINT, at most one of them; lot (letters a–z and digits, O read as
    0 and I as 1; null when blank); facility (null when blank); recorded (TIMESTAMP as the clock there showed it;
    midnight without a time, null without a day).

    Args:
        connection: where ``doses`` is and the table will be, replaced if there is one; memory is its setting.
        doses: a relation with dose_id and, as typed, injected_on, vaccine, dose_number, lot_number, facility_id and
            recorded_at; one that it lacks is taken as blank.
    """
    source = _typed(connection, doses)
    for each in _VALUES:
        work_out(connection, each, [source])
    joins = " ".join(join_of(each) for each in _VALUES)
    connection.execute(f"""
        CREATE OR REPLACE TABLE injections AS
        SELECT dose_id, injected_on::DATE AS day, vaccine, dose_number::SMALLINT AS dose_number,
          booster_number::SMALLINT AS booster_number, lot, facility,
          recorded_on::DATE + coalesce(recorded_time, TIME '00:00') AS recorded
        FROM (SELECT dose_id, facility, recorded_time, {_RESULTS} FROM {source} {joins})""")
    for each in _VALUES:
        connection.execute(f"DROP TABLE {map_of(each)}")


def read_dose_number(text: str) -> tuple[int | None, int | None]:
    """The number in the series and the number of the booster that a cell names; at most one of the two is known.

    ``Mũi 2`` is (2, None); ``mũi nhắc lại 1`` is (None, 1), for some count boosters apart and it may be the third or
    the fourth dose. No number, several, or one too large: neither is known.
    """
    words = without_marks(spreadsheet_text(text[:LONGEST_LOT]))
    numbers = [_COUNTED.get(word) or (int(word) if word.isdecimal() else 0) for word in _WORDS.findall(words)]
    stated = [number for number in numbers if number]
    if len(stated) != 1 or stated[0] > HIGHEST_NUMBER:
        return None, None
    return (None, stated[0]) if _BOOSTER.search(words) else (stated[0], None)


def read_lot(text: str) -> str | None:
    """A lot number without the word before it, punctuation and what fingers confuse; None when it is blank."""
    words = _UNBROKEN.findall(without_marks(spreadsheet_text(text[: 2 * LONGEST_LOT])))
    if " ".join(words) in read_vaccines().blank:
        return None
    while len(words) > 1 and words[0] in _BEFORE_A_LOT:
        words = words[1:]
    lot = "".join(words).translate(_CONFUSED)[:LONGEST_LOT]
    return lot if lot.strip("0") else None


_WORDS = re.compile("[0-9]+|[a-z]+")
_UNBROKEN = re.compile(r"[^\W_]+")
_COUNTED = {
    **dict.fromkeys(("mot", "nhat", "i", "first", "dau"), 1),
    **dict.fromkeys(("hai", "nhi", "ii", "second"), 2),
    **dict.fromkeys(("ba", "iii", "third"), 3),
    **dict.fromkeys(("bon", "tu", "iv", "fourth"), 4),
    **dict.fromkeys(("nam", "v", "fifth"), 5),
}
_BOOSTER = re.compile("nhac|tang cuong|booster|bo sung|additional")
_BEFORE_A_LOT = frozenset(("so", "lo", "lot", "batch", "no", "number", "ma"))
_CONFUSED = str.maketrans("oi", "01")


def _vaccine(text: str) -> Row:
    return (read_vaccines().code_of(text),)


def _lot(text: str) -> Row:
    return (read_lot(text),)


_TEXT = pa.string()
_VALUES = (
    INJECTED_ON,
    Field("recorded_on", ("typed_recorded_on",), read_day, {"recorded_on": _TEXT}),
    Field("vaccine", ("typed_vaccine",), _vaccine, {"vaccine": _TEXT}),
    Field(
        "dose_number",
        ("typed_dose_number",),
        read_dose_number,
        {"dose_number": pa.int32(), "booster_number": pa.int32()},
    ),
    Field("lot", ("typed_lot_number",), _lot, {"lot": _TEXT}),
)
_RESULTS = ", ".join(result_of(each, column) for each in _VALUES for column in each.result)
_TYPED = ("injected_on", "vaccine", "dose_number", "lot_number", "facility_id", "recorded_at")
_TIME = "[T ]+([0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)[^0-9:]*.*$"


def _typed(connection: DuckDBPyConnection, doses: str) -> str:
    """A relation of dose_id and what was typed; the day and the time of the entry apart, for times are all distinct."""
    found = {row[0] for row in connection.execute(f"DESCRIBE {quoted(doses)}").fetchall()}
    typed = ", ".join(f"{column if column in found else 'NULL::VARCHAR'} AS typed_{column}" for column in _TYPED)
    return f"""(
        SELECT *, nullif(trim(typed_facility_id), '') AS facility,
          regexp_replace(typed_recorded_at, '{_TIME}', '') AS typed_recorded_on,
          TRY_CAST(regexp_extract(typed_recorded_at, '{_TIME}', 1) AS TIME) AS recorded_time
        FROM (SELECT dose_id, {typed} FROM {quoted(doses)}))"""
