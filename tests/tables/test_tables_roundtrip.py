"""Any text written as CSV, Parquet or XLSX is read back as it was."""

import csv
import datetime as dt
import decimal
import gzip
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.tables import DOSES
from linkage.tables.reading import WHITE

Read = Callable[..., Any]

NASTY = st.one_of(
    st.sampled_from(["007", "=1+1", "+84900000000", "-1", "@x", 'a"b', '"', '""', "x,y;z\tw", "1e5", "TRUE", "null"]),
    st.sampled_from(["Nguyễn Thị Hương", "Đỗ Ðạt", "é\u0301", "2021-02-03", "x\ny", "x\r\ny", "x\ry", "\u2028", "N/A"]),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
)
COLUMNS = DOSES.columns[:12]
TABLES = st.lists(st.lists(NASTY, min_size=10, max_size=10), min_size=1, max_size=8)
LINE_END = re.compile(r"\r\n|\r|\n")
QUICK = settings(max_examples=15, deadline=None)


def expected(rows: list[list[str]]) -> list[dict[str, str | None]]:
    """What the table must hold: white space alone is nothing."""
    empty: dict[str, str | None] = dict.fromkeys(DOSES.columns)
    return [
        empty | {column: cell if cell.strip(WHITE) else None for column, cell in row.items()} for row in named(rows)
    ]


def named(rows: list[list[str]]) -> list[dict[str, str]]:
    """The rows as they are written."""
    return [dict(zip(COLUMNS, [f"D{number}", f"N{number}", *cells], strict=True)) for number, cells in enumerate(rows)]


def read_in_blocks(read: Read, text: str, size: int) -> Any:
    """What is read of a CSV file in blocks of so many bytes."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("linkage.tables.text.read_text.__defaults__", (size,))
        file = Path(folder) / "a.csv"
        file.write_bytes(text.encode())
        return read(file)


def read_back(read: Read, name: str, content: bytes) -> list[dict[str, str | None]]:
    """The usable rows of a file with this content, none of which may be set aside."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        outcome = read(file)
    assert outcome.problems == []
    return list(outcome.rows.values())


@QUICK
@given(
    rows=TABLES,
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC, csv.QUOTE_MINIMAL]),
    zipped=st.booleans(),
    size=st.sampled_from([1000, 1 << 24]),
)
def test_csv_round_trip(
    *,
    read: Read,
    rows: list[list[str]],
    delimiter: str,
    encoding: str,
    ending: str,
    quoting: Literal[0, 1, 2],
    zipped: bool,
    size: int,
) -> None:
    stream = io.StringIO(newline="")
    # before Python 3.13 a lone CR is quoted only when CR ends the lines
    writer = csv.writer(stream, delimiter=delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows(row.values() for row in named(rows))
    text = stream.getvalue()
    if "\r" not in "".join(cell for row in rows for cell in row):
        text = text.replace("\r\n", ending)
    content = text.encode(encoding)
    content = b"\xfe\xff" + content if encoding == "utf-16-be" else content
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("linkage.tables.text.read_text.__defaults__", (size,))
        found = read_back(read, "a.csv.gz" if zipped else "a.csv", gzip.compress(content) if zipped else content)
    assert found == expected(rows)


@QUICK
@given(rows=TABLES)
def test_parquet_round_trip(read: Read, rows: list[list[str]]) -> None:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(named(rows)), stream)
    assert read_back(read, "a.parquet", stream.getvalue()) == expected(rows)


@QUICK
@given(rows=TABLES)
def test_workbook_round_trip(read: Read, rows: list[list[str]]) -> None:
    rows = [
        ["".join(letter for letter in cell if letter.isprintable() or letter == "\n") for cell in row] for row in rows
    ]
    book = openpyxl.Workbook()
    for row in [dict(zip(COLUMNS, COLUMNS, strict=True)), *named(rows)]:
        book.active.append(["" for _ in row])
        for position, text in enumerate(row.values(), 1):
            cell = book.active.cell(book.active.max_row, position)
            cell.value, cell.data_type = text, "s"
    stream = io.BytesIO()
    book.save(stream)
    assert read_back(read, "a.xlsx", stream.getvalue()) == expected(rows)


@QUICK
@given(lines=st.lists(st.text(',"ab \r\n', max_size=9), max_size=12), size=st.sampled_from([40, 1 << 24]))
def test_every_line_of_any_text_is_accounted_for(read: Read, lines: list[str], size: int) -> None:
    """Rows never vanish: what no row holds lies inside a quoted cell of a usable row or is blank."""
    text = "\n".join(["dose_id,full_name,sex,phone", *lines, ""])
    outcome = read_in_blocks(read, text, size)
    physical = LINE_END.split(text)[:-1]
    starts = {*outcome.rows, *(row for row, _ in outcome.problems)}
    within = {
        row + inside
        for row, cells in outcome.rows.items()
        for inside in range(1, 1 + sum(len(LINE_END.findall(cell or "")) for cell in cells.values()))
    }
    blank = {number for number, line in enumerate(physical, 1) if not line.strip(" ")}
    lost = {*range(2, len(physical) + 1)} - starts - within - blank
    # a quoted cell of a row that was set aside for want of an identifier or a name spans lines too
    spanned = {row for row, problem in outcome.problems if problem.startswith(("no_", "duplicate"))}
    assert not lost or min(lost) > min(spanned)
    assert not starts & within


ENDS = st.sampled_from(["\n", "\r", "\r\n", "\r\r\n"])


@QUICK
@given(top=st.text(" \r\n", max_size=9), ends=st.lists(ENDS, min_size=1, max_size=30), size=st.sampled_from([40, 1000]))
def test_rows_are_found_under_any_mixture_of_line_ends(read: Read, top: str, ends: list[str], size: int) -> None:
    lines = ["dose_id,full_name", *(f'D{number},"N\r{number}"' for number in range(1, len(ends)))]
    text = top + "\n"
    expected_rows = {}
    for line, end in zip(lines, ends, strict=True):
        expected_rows[len(LINE_END.split(text))] = line.partition(",")[0]
        text += line + end
    outcome = read_in_blocks(read, text, size)
    assert {row: cells["dose_id"] for row, cells in outcome.rows.items()} == dict([*expected_rows.items()][1:])
    assert all("\r" in cells["full_name"] for cells in outcome.rows.values())
    assert outcome.problems == []


def test_no_row_is_lost_after_ten_lines_of_another_end(read: Read) -> None:
    rows = [f"D{number},N" for number in range(40)]
    for first, second in (("\r", "\n"), ("\n", "\r"), ("\r\n", "\r")):
        text = "".join(
            line + (first if number < 10 else second) for number, line in enumerate(["dose_id,full_name", *rows])
        )
        for size in (25, 1 << 24):
            outcome = read_in_blocks(read, text, size)
            assert [row["dose_id"] for row in outcome.rows.values()] == [f"D{number}" for number in range(40)]
            assert outcome.report.notices == ()


def test_typed_values_become_what_a_person_would_type(read: Read) -> None:
    stream = io.BytesIO()
    moment = dt.datetime(2021, 8, 1, 8, 30)  # noqa: DTZ001 - a facility writes no zone
    midnight = moment.replace(hour=0, minute=0)
    table = {
        "dose_id": pa.array([1, 2**62], pa.int64()),
        "full_name": pa.array(["A", "B"]).dictionary_encode(),
        "date_of_birth": pa.array([dt.date(1956, 7, 14), None]),
        "national_id": pa.array([decimal.Decimal("79084001234.00"), decimal.Decimal("1.50")]),
        "phone": pa.array([84900000000.0, float("nan")]),
        "dose_number": pa.array([1.5, 2.0], pa.float32()),
        "injected_on": pa.array([midnight, moment], pa.timestamp("ns")),
        "recorded_at": pa.array([moment, midnight], pa.timestamp("us", "UTC")),
        "sex": pa.array([True, False]),
        "province": pa.array([1, 79], pa.uint8()),
        "vaccine": pa.nulls(2),
    }
    pq.write_table(pa.table(table), stream)
    first, second = read_back(read, "a.parquet", stream.getvalue())
    assert [first[column] for column in table] == [
        *("1", "A", "1956-07-14", "79084001234", "84900000000", "1.5"),
        *("2021-08-01", "2021-08-01 15:30:00", "TRUE", "1", None),
    ]
    assert [second[column] for column in table] == [
        *("4611686018427387904", "B", None, "1.5", None, "2"),
        *("2021-08-01 08:30:00", "2021-08-01", "FALSE", "79", None),
    ]


def test_workbook_values_become_what_a_person_would_type(read: Read) -> None:
    book = openpyxl.Workbook()
    moment = dt.datetime(2021, 8, 1, 8, 30)  # noqa: DTZ001 - a spreadsheet knows no zone
    book.active.append(["dose_id", "full_name", "national_id", "date_of_birth", "injected_on", "recorded_at", "sex"])
    book.active.append([1.0, True, 79084001234.0, dt.date(1956, 7, 14), moment.replace(hour=0, minute=0), moment, 1.25])
    stream = io.BytesIO()
    book.save(stream)
    (row,) = read_back(read, "a.xlsx", stream.getvalue())
    assert [text for text in row.values() if text] == [
        *("1", "TRUE", "1956-07-14", "1.25", "79084001234", "2021-08-01", "2021-08-01 08:30:00")
    ]
