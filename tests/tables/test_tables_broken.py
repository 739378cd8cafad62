"""Files as they arrive: refused with one message, or their bad rows set aside and the rest read."""

import gzip
import io
import os
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.tables import CITIZENS, DOSES, LABELS, TRUTH, read_table

HEADER = b"dose_id,full_name,address\n"
Read = Callable[..., Any]


def workbook_bytes(*rows: tuple[object, ...]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def parquet_named(*names: str) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table([pa.array(["1"])] * len(names), names=names), stream)
    return stream.getvalue()


def parquet_bytes(**columns: Any) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    return stream.getvalue()


def zip_bytes() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("doses.csv", HEADER)
    return stream.getvalue()


GOOD_BOOK = workbook_bytes(("dose_id", "full_name"), ("1", "A"))
GOOD_PARQUET = parquet_bytes(dose_id=["1"], full_name=["A"])
OLD_BOOK_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def protected_bytes() -> bytes:
    """What a spreadsheet program writes for a password: a compound file with the stream EncryptedPackage."""
    free, end = 0xFFFFFFFF, 0xFFFFFFFE
    head = OLD_BOOK_MARK + bytes(16) + struct.pack("<5H", 0x3E, 3, 0xFFFE, 9, 6) + bytes(6)
    head += struct.pack("<10I", 0, 1, 1, 0, 4096, end, 0, end, 0, 0) + struct.pack("<108I", *[free] * 108)
    table = struct.pack("<128I", 0xFFFFFFFD, end, *[free] * 126)

    def entry(name: str, kind: int, child: int) -> bytes:
        text = (name + "\0").encode("utf-16-le")
        links = struct.pack("<HBB3I", len(text), kind, 1, free, free, child)
        return text.ljust(64, b"\0") + links + bytes(36) + struct.pack("<IQ", end, 0)

    return (
        head[:76]
        + struct.pack("<I", 0)
        + head[80:]
        + table
        + (entry("Root Entry", 5, 1) + entry("EncryptedPackage", 2, free) + bytes(256))
    )


REFUSED = {
    "empty": ("a.csv", b"", "empty_file"),
    "blank lines only": ("a.csv", b"\n\r\n \n", "empty_file"),
    "byte-order mark only": ("a.csv", b"\xef\xbb\xbf", "empty_file"),
    "empty gz": ("a.csv.gz", gzip.compress(b""), "empty_file"),
    "truncated gz": ("a.csv.gz", gzip.compress(os.urandom(9000).hex().encode())[:-2000], "damaged_gzip"),
    "gz cut in its rows": ("a.csv.gz", gzip.compress(HEADER + b"1,A,x\n" * 9000)[:-6], "damaged_gzip"),
    "text named gz": ("a.csv.gz", HEADER + b"1,A,x\n", "wrong_content"),
    "gz named csv": ("a.csv", gzip.compress(HEADER), "wrong_content"),
    "zip named csv": ("a.csv", zip_bytes(), "wrong_content"),
    "workbook named csv": ("a.csv", GOOD_BOOK, "wrong_content"),
    "csv named xlsx": ("a.xlsx", HEADER + b"1,A,x\n", "wrong_content"),
    "zip named xlsx": ("a.xlsx", zip_bytes(), "wrong_content"),
    "parquet named csv": ("a.csv", GOOD_PARQUET, "wrong_content"),
    "binary junk": ("a.csv", bytes(range(256)) * 20, "wrong_content"),
    "NUL in the headers": ("a.csv", b"dose_id,full\0name\n1,A\n", "wrong_content"),
    "UTF-16 without a mark": ("a.csv", "dose_id,full_name\n1,A\n".encode("utf-16-le"), "wrong_content"),
    "headers of another encoding": ("a.csv", b"dose_id,H\xe4 t\xean\n1,A\n", "header_not_utf8"),
    "open quote in the headers": ("a.csv", b'dose_id,"full_name\n1,A\n', "header_malformed"),
    "no headers": ("a.csv", b"1,A,x\n2,B,y\n", "missing_column"),
    "no dose_id": ("a.csv", b"full_name,address\nA,x\n", "missing_column"),
    "one column": ("a.csv", b"dose_id\n1\n", "missing_column"),
    "a column twice": ("a.csv", "dose_id,Họ tên,Họ và tên\n1,A,A\n".encode(), "same_column_twice"),
    "parquet cut short": ("a.parquet", GOOD_PARQUET[:-30], "damaged_file"),
    "parquet in name only": ("a.parquet", b"PAR1" + b"x" * 100, "damaged_file"),
    "parquet without a name": ("a.parquet", parquet_bytes(dose_id=[1]), "missing_column"),
    "a column twice in parquet": (
        "a.parquet",
        parquet_named("dose_id", "full_name", "full_name"),
        "same_column_twice",
    ),
    "a column twice in other case": (
        "a.parquet",
        parquet_named("Dose_ID", "dose_id", "full_name"),
        "same_column_twice",
    ),
    "reserved column in parquet": (
        "a.parquet",
        parquet_named("dose_id", "full_name", "File_Row_Number"),
        "reserved_column",
    ),
    "nested parquet": ("a.parquet", parquet_bytes(dose_id=[1], full_name=[["A"]]), "column_not_text"),
    "bytes in parquet": ("a.parquet", parquet_bytes(dose_id=[b"\xff"], full_name=["A"]), "column_not_text"),
    "workbook cut short": ("a.xlsx", GOOD_BOOK[:-400], "damaged_file"),
    "old workbook damaged": ("a.xls", OLD_BOOK_MARK + bytes(3000), "damaged_file"),
    "workbook with a password": ("a.xlsx", protected_bytes(), "workbook_protected"),
    "workbook without headers": ("a.xlsx", workbook_bytes(("x", "y"), (1, 2)), "missing_column"),
    "empty workbook": ("a.xlsx", workbook_bytes(), "empty_file"),
    "unknown kind": ("a.docx", b"text", "unsupported_file"),
}


@pytest.mark.parametrize(("name", "content", "key"), REFUSED.values(), ids=REFUSED.keys())
def test_an_unusable_file_is_refused_with_one_message(
    tmp_path: Path, read: Read, name: str, content: bytes, key: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(file)
    assert caught.value.key == key
    for language in ("en", "vi"):
        message = caught.value.in_language(language)
        assert name in message
        assert "\n" not in message
        assert "{" not in message


WHOLE = {
    "a.csv": HEADER + b'1,"Nguy\xe1\xbb\x85n ""x"" A","x\ny"\n' * 9,
    "b.csv": ("dose_id,full_name\n" + '1,"Nguyễn"\n' * 9).encode("utf-16"),
    "a.csv.gz": gzip.compress(HEADER + b"1,A,x\n" * 9),
    "a.parquet": parquet_bytes(dose_id=[str(number) for number in range(50)], full_name=["A"] * 50),
    "a.xlsx": workbook_bytes(("dose_id", "full_name"), *((number, "A") for number in range(20))),
}


@settings(max_examples=20, deadline=None)
@given(
    name=st.sampled_from(sorted(WHOLE)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=9),
)
def test_damage_anywhere_is_refused_or_accounted_for(read: Read, name: str, flips: list[tuple[float, int]]) -> None:
    content = bytearray(WHOLE[name])
    for place, byte in flips:
        content[int(place * len(content))] = byte
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_bytes(content)
        try:
            read(file)
        except UserError as refusal:
            assert name in str(refusal)  # noqa: PT017 - either outcome is right


def test_nothing_to_read_is_refused(tmp_path: Path, read: Read) -> None:
    (tmp_path / "notes.docx").write_text("x")
    for path, key in ((tmp_path, "nothing_to_read"), (tmp_path / "no.csv", "input_not_found")):
        with pytest.raises(UserError) as caught:
            read(path)
        assert caught.value.key == key
        assert str(path) in caught.value.in_language("vi")


def test_a_path_without_letters_is_not_the_current_folder(read: Read) -> None:
    with pytest.raises(UserError) as caught:
        read("")
    assert caught.value.key == "input_not_found"


def test_a_name_that_is_too_long_is_refused(read: Read) -> None:
    with pytest.raises(UserError) as caught:
        read("x" * 300 + ".csv")
    assert caught.value.key == "input_unreadable"


@pytest.mark.parametrize("folder", [False, True])
def test_a_name_that_is_no_text_is_refused_in_print(tmp_path: Path, read: Read, folder: bool) -> None:
    file = tmp_path / os.fsdecode(b"x\xff\n.csv")
    file.write_bytes(HEADER + b"1,A,x\n")
    with pytest.raises(UserError) as caught:
        read(tmp_path if folder else file)
    assert caught.value.key == "file_name_not_utf8"
    assert "x\ufffd\ufffd.csv" in caught.value.in_language("vi")
    with pytest.raises(UserError, match="\ufffd"):
        read(tmp_path / os.fsdecode(b"\xff.csv"))


def test_a_neighbour_whose_name_is_no_text_is_named_in_print(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.csv").write_bytes(HEADER + b"1,A,x\n")
    (tmp_path / os.fsdecode(b"x\xff.docx")).write_bytes(b"x")
    assert read(tmp_path).report.notices == (("files_ignored", {"file": str(tmp_path), "names": "x\ufffd.docx"}),)


def test_a_pipe_and_a_device_are_refused(tmp_path: Path, read: Read) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    for name in ("pipe.csv", "device.csv"):
        with pytest.raises(UserError, match=name) as caught:
            read(tmp_path / name)
        assert caught.value.key == "not_a_regular_file"


def test_a_file_that_says_it_is_empty_but_is_not(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "a.csv"
    file.symlink_to("/proc/cpuinfo")
    with pytest.raises(UserError) as caught:
        read(file)
    assert caught.value.key == "missing_column"


def test_a_file_that_may_not_be_opened_is_refused(tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "denied")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(UserError, match=r"a\.csv") as caught:
        read(file)
    assert caught.value.key == "input_unreadable"


GIANT = b"x" * 10_001
SET_ASIDE: dict[str, tuple[bytes, list[tuple[int, str]], list[int]]] = {
    "too few and too many cells": (
        b"1,A,x\n2,B\n3,C,x,y\n4,D,x\n",
        [(3, "ragged_row"), (4, "ragged_row")],
        [2, 5],
    ),
    "long key": (b"1,A,x\n" + b"2" * 201 + b",B,x\n" + b"3" * 200 + b",C,x\n", [(3, "long_key")], [2, 4]),
    "NUL": (b"1,A,x\n2,B\0,x\n3,C,x\n", [(3, "nul_character")], [2, 4]),
    "NUL in quotes": (b'1,A,x\n2,"B\0",x\n3,C,x\n', [(3, "nul_character")], [2, 4]),
    "giant cell": (b"1,A,x\n2,B," + GIANT + b"\n3,C,x\n", [(3, "giant_cell")], [2, 4]),
    "giant quoted cell": (b'1,A,x\n2,B,"' + GIANT + b'"\n3,C,x\n', [(3, "giant_cell")], [2, 4]),
    "giant cell over lines": (
        b'1,A,x\n2,B,"' + b"yz\n" * 4000 + b'"\n3,C,x\n',
        [(3, "giant_cell")],
        [2, 4004],
    ),
    "giant cell with an open quote": (b'1,A,x\n2,B,"' + GIANT + b"\n3,C,x\n", [(3, "giant_cell")], [2, 4]),
    "longest cell allowed": (b"1,A,x\n2,B," + GIANT[1:] + b"\n", [], [2, 3]),
    "another encoding in a row": (b"1,A,x\n2,H\xe4,x\n3,C,x\n", [(3, "bad_encoding")], [2, 4]),
    "open quote to the end": (b'1,A,x\n2,"B,x\n3,C,x\n4,D,x\n', [(3, "unclosed_quote")], [2, 4, 5]),
    "open quote, closed by another row": (
        b'1,A,x\n2,"B,x\n3,"C",x\n4,D,x\n',
        [(3, "unclosed_quote")],
        [2, 4, 5],
    ),
    "two open quotes that look like one cell": (
        b'1,A,x\n2,"B,x\n3,C,x\n4,B",x\n',
        [(3, "unclosed_quote")],
        [2, 4, 5],
    ),
    "open quote in the last line": (b'1,A,x\n2,B,"x', [(3, "unclosed_quote")], [2]),
    "quote nobody doubled": (b'1,"A "B" C",x\n2,B,5" pipe\n', [], [2, 3]),
    "a cell of two lines": (b'1,A,"x\ny"\n2,B,x\n3,C\n', [(5, "ragged_row")], [2, 4]),
    "blank lines": (b"\n1,A,x\n\r\n  \n2,B,x\n\n3,,x\n", [(8, "no_name")], [3, 6]),
    "no id": (b"1,A,x\n,B,x\n \xc2\xa0,C,x\n", [(3, "no_dose_id"), (4, "no_dose_id")], [2]),
    "no name": (b"1,A,x\n2,,x\n3, \xe3\x80\x80,x\n", [(3, "no_name"), (4, "no_name")], [2]),
    "the same id": (
        b"1,A,x\n 1 ,B,x\n2,C,x\n1,D,x\n",
        [(3, "duplicate_dose_id"), (5, "duplicate_dose_id")],
        [2, 4],
    ),
    "the same id, first without a name": (b"1,,x\n1,B,x\n", [(2, "no_name")], [3]),
    "only delimiters": (b"1,A,x\n,,\n", [(3, "no_dose_id")], [2]),
    "last line cut": (b"1,A,x\n2,B", [(3, "ragged_row")], [2]),
    "CRLF": (b"1,A,x\r\n2,B\r\n3,C,x", [(3, "ragged_row")], [2, 4]),
    "stray CR": (b"1,A,x\r\n2,B\rC,x\r\n3,C,x\r\n", [(3, "ragged_row"), (4, "ragged_row")], [2, 5]),
    "CR inside quotes": (b'1,A,x\r\n2,"B\rC",x\r\n3,C,x\r\n', [], [2, 3, 5]),
    "CR CR LF": (b"1,A,x\r\r\n2,B\r\r\n3,C,x\r\r\n", [(4, "ragged_row")], [2, 6]),
}


@pytest.mark.parametrize("small_blocks", [False, True])
@pytest.mark.parametrize(("body", "problems", "usable"), SET_ASIDE.values(), ids=SET_ASIDE.keys())
def test_bad_rows_are_set_aside_and_the_rest_is_read(
    *,
    tmp_path: Path,
    read: Read,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
    problems: list[tuple[int, str]],
    usable: list[int],
    small_blocks: bool,
) -> None:
    if small_blocks:
        longest = max(map(len, body.splitlines()))
        monkeypatch.setattr("linkage.tables.text.read_text.__defaults__", (max(40, longest + 1),))
        monkeypatch.setattr("linkage.tables.text.MOST_LINES", 2)
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER + body)
    outcome = read(file)
    assert outcome.problems == problems
    assert list(outcome.rows) == usable
    assert outcome.report.rows_read == len(problems) + len(usable)


def test_a_line_longer_than_a_block_costs_that_line_only(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkage.tables.text.read_text.__defaults__", (20_000,))
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER + b"1,A,x\n2,B," + "ế".encode() * 100_000 + b"\n3,C,x\n")
    outcome = read(file)
    assert outcome.problems == [(3, "giant_cell")]
    assert outcome.ids == ["2"]
    assert list(outcome.rows) == [2, 4]


def test_a_line_longer_than_a_block_that_ends_with_a_return(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkage.tables.text.read_text.__defaults__", (20_000,))
    file = tmp_path / "a.csv"
    for length in range(19_960, 20_030):
        file.write_bytes(HEADER + b"1," + b"A" * length + b",x\r2,B,x\r3,C,x\r")
        outcome = read(file)
        assert outcome.problems == [(2, "giant_cell")]
        assert list(outcome.rows) == [3, 4]


@pytest.mark.parametrize("size", [40, 1 << 24])
def test_blank_lines_before_the_headers_cost_nothing(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("linkage.tables.text.read_text.__defaults__", (size,))
    file = tmp_path / "a.csv"
    file.write_bytes(b"\r \n \r\n" * 300 + HEADER + b"1,A,x\n2,B\n")
    outcome = read(file)
    assert list(outcome.rows) == [902]
    assert outcome.problems == [(903, "ragged_row")]


def test_an_open_quote_costs_one_row_of_a_large_file(tmp_path: Path, read: Read) -> None:
    lines = [f"{number},Tên {number},x".encode() for number in range(50_000)]
    lines[20_000] = b'20000,"T\xc3\xaan,x'
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER + b"\n".join(lines))
    outcome = read(file)
    assert outcome.problems == [(20_002, "unclosed_quote")]
    assert outcome.report.rows_read == 50_000
    assert outcome.rows[50_001]["dose_id"] == "49999"


def test_broken_utf16_costs_the_row_it_stands_in(tmp_path: Path, read: Read) -> None:
    text = "dose_id,full_name\n1,A\n2,B\ud800C\n3,D\n".encode("utf-16-le", "surrogatepass")
    file = tmp_path / "a.csv"
    file.write_bytes(b"\xff\xfe" + text + b"4")
    outcome = read(file)
    assert outcome.problems == [(3, "bad_encoding"), (5, "bad_encoding")]
    assert list(outcome.rows) == [2, 4]


def test_headers_without_rows_are_a_notice(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(HEADER)
    outcome = read(file)
    assert outcome.report.rows_read == 0
    assert [key for key, _ in outcome.report.notices] == ["no_rows"]


def test_nested_and_repeated_columns_nobody_asked_for_are_left(tmp_path: Path, read: Read) -> None:
    people = pa.array([[{"x": 1, "y": [2]}]])
    names = ["more", "MORE", "dose_id", "rest", "full_name"]
    columns = [people, people, pa.array(["1"]), people, pa.array(["A"])]
    pq.write_table(pa.table(columns, names=names), tmp_path / "a.parquet")
    outcome = read(tmp_path / "a.parquet")
    assert (outcome.rows[1]["dose_id"], outcome.rows[1]["full_name"]) == ("1", "A")
    assert outcome.report.notices == (("unknown_columns", {"table": "doses", "names": "more, MORE, rest"}),)


@pytest.mark.parametrize(
    "written",
    [
        "003 190 000 071",
        "003.190.000.071",
        "003-190–000071",
        "'003190000071",
        "００３190000071",
        "3 190 000 071",
        "003\u00a0190000071",
    ],
)
def test_one_citizen_number_however_it_is_written(tmp_path: Path, read: Read, written: str) -> None:
    file = tmp_path / "c.csv"
    file.write_text(f"citizen_id,full_name\n{written},A\n003190000071,B\nAB-12 3,C\n003-1,D\n")
    outcome = read(file, CITIZENS)
    assert outcome.problems == [(3, "duplicate_citizen_id")]
    assert [row["citizen_id"] for row in outcome.rows.values()] == ["003190000071", "AB-12 3", "003-1"]
    assert outcome.report.notices[0] == ("digits_joined", {"table": "citizens", "count": 1})


def test_bad_rows_of_parquet_and_workbooks(tmp_path: Path, read: Read) -> None:
    table = {"dose_id": ["1", "2", "3", None, "1"], "full_name": ["A", "B\0", "x" * 10_001, "D", "E"]}
    (tmp_path / "a.parquet").write_bytes(parquet_bytes(**table))
    assert read(tmp_path / "a.parquet").problems == [
        (2, "nul_character"),
        (3, "giant_cell"),
        (4, "no_dose_id"),
        (5, "duplicate_dose_id"),
    ]
    rows = (("dose_id", "full_name"), ("1", "A"), (None, None), (None, "B"), ("3", "x" * 10_001), (1, "E"))
    (tmp_path / "a.xlsx").write_bytes(workbook_bytes(*rows))
    outcome = read(tmp_path / "a.xlsx")
    assert outcome.problems == [(4, "no_dose_id"), (5, "giant_cell"), (6, "duplicate_dose_id")]
    assert list(outcome.rows) == [2]


def test_of_citizens_with_one_number_the_fullest_row_stays(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "c.csv"
    file.write_text(
        "citizen_id,full_name,sex,phone\n"
        "003084001234,A,,\n3084001234,A,F,\n 003084001234,A,F,0900000000\n003084001234,A,M,0900000001\n"
        "005084001234,B,,\n"
    )
    outcome = read(file, CITIZENS)
    assert list(outcome.rows) == [4, 6]
    assert outcome.rows[4]["citizen_id"] == "003084001234"
    assert outcome.problems == [(row, "duplicate_citizen_id") for row in (2, 3, 5)]
    assert ("zeros_restored", {"table": "citizens", "count": 1}) in outcome.report.notices


def test_labels_and_truth_may_repeat_a_dose(tmp_path: Path, read: Read) -> None:
    labels = tmp_path / "l.csv"
    labels.write_text("dose_id,citizen_id,is_match\n1,003084001234,1\n1,003084001234,1\n2,,0\n,003084001234,1\n")
    outcome = read(labels, LABELS)
    assert list(outcome.rows) == [2, 3, 4]
    assert outcome.problems == [(5, "no_dose_id")]
    truth = tmp_path / "t.csv"
    truth.write_text("dose_id,citizen_id\n1,\n2,3084001234\n")
    assert [row["citizen_id"] for row in read(truth, TRUTH).rows.values()] == [None, "003084001234"]


def test_a_refused_file_leaves_the_earlier_tables_of_a_transaction(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(HEADER + b"1,A,x\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(HEADER + b"2,B,x\n" * 9000)[:-6])
    with duckdb.connect() as connection:
        read_table(connection, DOSES, str(tmp_path / "a.csv"))
        connection.begin()
        with pytest.raises(UserError):
            read_table(connection, DOSES, str(tmp_path))
        connection.rollback()
        assert connection.execute("SELECT dose_id FROM doses").fetchall() == [("1",)]
