"""Headers as people write them, several files, several sheets."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.messages import catalogue, say
from linkage.tables import CITIZENS, DOSES, discover, load_column_map, read_table
from linkage.tables.headers import normalise, recognise

Read = Callable[..., Any]

SPOKEN = {
    "Mã mũi tiêm": "dose_id",
    "Họ và tên": "full_name",
    "Mã đối tượng": "subject_id",
    "Ngày tháng năm sinh": "date_of_birth",
    "Giới tính": "sex",
    "Số CMND/CCCD": "national_id",
    "Số thẻ BHYT": "health_insurance_no",
    "SĐT": "phone",
    "Tỉnh/Thành phố": "province",
    "Quận/Huyện": "district",
    "Phường/Xã": "commune",
    "Địa chỉ": "address",
    "Quốc tịch": "nationality",
    "Mũi số": "dose_number",
    "Loại vắc xin": "vaccine",
    "Số lô": "lot_number",
    "Ngày tiêm": "injected_on",
    "Cơ sở tiêm": "facility_id",
}


@given(
    st.sampled_from(sorted(SPOKEN)),
    st.sampled_from([str.upper, str.lower, str.title, str]),
    st.text(" _-.:*/()\n", max_size=4),
)
def test_accents_case_and_punctuation_do_not_count(header: str, case: Callable[[str], str], ornament: str) -> None:
    written = ornament + case(header).replace(" ", "_" + ornament) + ornament
    for spelling in (written, normalise(written)):
        assert recognise([spelling], DOSES, {}, "a.csv").positions == {SPOKEN[header]: 0}


def test_all_vietnamese_headers_at_once() -> None:
    header = recognise([*SPOKEN, "Ghi chú", ""], DOSES, {}, "a.csv")
    assert header.positions == {column: position for position, column in enumerate(SPOKEN.values())}
    assert header.unknown == ("Ghi chú",)


def test_the_same_header_means_what_the_table_needs() -> None:
    for schema, column in ((DOSES, "national_id"), (CITIZENS, "citizen_id")):
        assert recognise(["CMND/CCCD"], schema, {}, "a.csv").positions == {column: 0}
    assert recognise(["Số CMND cũ", "Ngày mất"], CITIZENS, {}, "a.csv").positions == {
        "previous_ids": 0,
        "deceased_on": 1,
    }


def test_a_missing_column_is_named_with_the_headers_found(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "a.csv"
    file.write_text("Họ tên;Ghi chú\nA;b\n")
    with pytest.raises(UserError) as caught:
        read(file)
    assert caught.value.facts == {"file": str(file), "column": "dose_id", "found": "Họ tên", "others": 1}


PERSON = ["D000000001", "Lê Thu Thảo", "1995-07-24", "003195012345", "0900000000", "ấp 3, xã Tân An"]


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.xlsx"])
def test_a_file_without_headers_shows_nobody(tmp_path: Path, read: Read, name: str) -> None:
    file = tmp_path / name
    if name == "a.csv":
        file.write_text(";".join(PERSON) + "\n")
    elif name == "a.parquet":
        pq.write_table(pa.table({cell: ["x"] for cell in PERSON}), file)
    else:
        book = openpyxl.Workbook()
        book.active.append(PERSON)
        book.save(file)
    with pytest.raises(UserError) as caught:
        read(file)
    assert caught.value.facts["others"] == len(PERSON)
    for language in ("en", "vi"):
        message = caught.value.in_language(language)
        assert not [cell for cell in PERSON if cell in message]


def test_only_what_looks_like_a_header_is_named(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "a.csv"
    odd = ["1995-07-24", "x" * 41, "Đợt 2", "a@b"]
    file.write_text(";".join(["dose_id", "full_name", "Ghi chú (nếu có)", *odd]) + "\n1;A;;;;;\n")
    assert read(file).report.notices == (
        ("unknown_columns", {"table": "doses", "names": "Ghi chú (nếu có)"}),
        ("unnamed_columns", {"table": "doses", "count": 4}),
    )


def test_a_notice_of_many_columns_stays_short(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "a.csv"
    more = [letter * length for letter in "xyz" for length in range(1, 31)]
    file.write_text(",".join(["dose_id", "full_name", *more]) + "\n")
    (_, names), (_, count), _ = read(file).report.notices
    assert names["names"] == ", ".join(more[:40])
    assert count["count"] == 50


def test_a_column_map_that_is_a_table_of_persons_shows_nobody(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("003195012345,Lê Thu Thảo\n")
    with pytest.raises(UserError) as caught:
        load_column_map(tmp_path / "m.csv")
    assert "Thảo" not in str(caught.value)


def test_a_column_map_goes_before_the_known_headers(tmp_path: Path, read: Read) -> None:
    (tmp_path / "map.csv").write_text("Tên KH,full_name\n\nSố phiếu,dose_id\n", encoding="utf-8-sig")
    (tmp_path / "map.toml").write_text('"Tên KH" = "full_name"\n"Số phiếu" = "dose_id"\n')
    file = tmp_path / "a.tsv"
    file.write_text("Số phiếu\tTên KH\tHọ tên\n7\tA\tB\n")
    for name in ("map.csv", "map.toml"):
        outcome = read(file, columns=load_column_map(tmp_path / name))
        assert outcome.rows[2]["full_name"] == "A"
        assert outcome.report.notices == (("unknown_columns", {"table": "doses", "names": "Họ tên"}),)


@pytest.mark.parametrize(
    ("name", "text", "key", "row"),
    [
        ("m.csv", "a,full_name\nb\n", "column_map_line", 2),
        ("m.csv", "a,full_name\nb,name\n", "column_map_unknown", 2),
        ("m.toml", 'a = "full_name"\nb = name\n', "column_map_line", 2),
        ("m.toml", 'a = "full_name"\n\nb = 3\n', "column_map_line", 3),
        ("m.toml", 'a = "full_name"\nb = "name"\n', "column_map_unknown", 2),
    ],
)
def test_a_faulty_column_map_is_refused(tmp_path: Path, name: str, text: str, key: str, row: int) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=name) as caught:
        load_column_map(tmp_path / name)
    assert (caught.value.key, caught.value.facts["row"]) == (key, row)


def test_an_absent_column_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no\.csv"):
        load_column_map(tmp_path / "no.csv")


def test_a_column_map_with_a_giant_cell_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("x" * 200_000 + ",full_name\n")
    with pytest.raises(UserError, match=r"m\.csv") as caught:
        load_column_map(tmp_path / "m.csv")
    assert caught.value.key == "column_map_unreadable"


def test_a_column_map_that_is_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.csv")
    with pytest.raises(UserError, match=r"m\.csv") as caught:
        load_column_map(tmp_path / "m.csv")
    assert caught.value.key == "not_a_regular_file"


def test_a_folder_is_read_in_order_and_each_file_once(tmp_path: Path, read: Read) -> None:
    (tmp_path / "b.csv").write_text("full_name,dose_id\nB,2\n")
    (tmp_path / "a.csv").write_text("dose_id;full_name;Ghi chú\n1;A;x\n")
    (tmp_path / "c.csv").symlink_to(tmp_path / "a.csv")
    os.link(tmp_path / "b.csv", tmp_path / "d.csv")
    (tmp_path / ".hidden.csv").write_text("x")
    (tmp_path / "notes.docx").write_text("x")
    (tmp_path / "inner").mkdir()
    assert discover(str(tmp_path)) == [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert discover(str(tmp_path / "[bc].csv")) == [tmp_path / "b.csv", tmp_path / "c.csv"]
    outcome = read(tmp_path)
    assert [row["dose_id"] for row in outcome.rows.values()] == ["2"]  # both stand in row 2 of their files
    assert [(Path(file.path).name, file.rows) for file in outcome.report.files] == [
        ("a.csv", 1),
        ("b.csv", 1),
    ]
    assert outcome.report.notices == (
        ("unknown_columns", {"table": "doses", "names": "Ghi chú"}),
        ("files_ignored", {"file": str(tmp_path), "names": ".hidden.csv, notes.docx"}),
    )


def test_a_name_with_glob_signs_is_a_name(tmp_path: Path, read: Read) -> None:
    file = tmp_path / "a[1]*'.parquet"
    pq.write_table(pa.table({"dose_id": ["1"], "full_name": ["A"]}), file)
    assert read(file).report.rows_usable == 1


@pytest.mark.parametrize(("top", "left"), [(0, 0), (1, 0), (0, 2), (4, 1)])
def test_titles_and_merged_headers(tmp_path: Path, read: Read, top: int, left: int) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    if top:
        sheet.cell(1, 1, "DANH SÁCH TIÊM CHỦNG")
    first, under = top + 1, top + 2
    for offset, header in enumerate(["Mã mũi tiêm", "Họ và tên", "Nơi cư trú", None], 1):
        sheet.cell(first, left + offset, header)
    sheet.merge_cells(start_row=first, end_row=under, start_column=left + 1, end_column=left + 1)
    sheet.merge_cells(start_row=first, end_row=first, start_column=left + 3, end_column=left + 4)
    sheet.cell(under, left + 3, "Tỉnh")
    sheet.cell(under, left + 4, "Huyện")
    for offset, value in enumerate([1, "A", "01", "001"], 1):
        sheet.cell(under + 1, left + offset, value)
        sheet.cell(under + 3, left + offset, f"{value}2")
    book.save(tmp_path / "a.xlsx")
    outcome = read(tmp_path / "a.xlsx")
    assert list(outcome.rows) == [under + 1, under + 3]
    row = outcome.rows[under + 1]
    assert [row[column] for column in ("dose_id", "full_name", "province", "district")] == [
        "1",
        "A",
        "01",
        "001",
    ]


def test_every_sheet_with_headers_is_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["dose_id", "full_name"])
    book.active.append(["1", "A"])
    second = book.create_sheet("Hai")
    second.append(["Họ tên", "Mã mũi tiêm"])
    second.append(["B", "1"])
    book.create_sheet("Ghi chú").append(["x"])
    book.save(tmp_path / "a.xlsx")
    with duckdb.connect() as connection:
        report = read_table(connection, DOSES, str(tmp_path / "a.xlsx"))
        bad = connection.execute("SELECT file, row, problem FROM doses_quarantine").fetchall()
    assert [file.sheet for file in report.files] == ["Sheet", "Hai"]
    assert bad == [(f"{tmp_path / 'a.xlsx'} [Hai]", 2, "duplicate_dose_id")]
    assert [key for key, _ in report.notices] == ["sheets_ignored"]


def test_notices_can_be_said() -> None:
    facts = {"table": "doses", "names": "x", "file": "a.csv", "count": 3}
    for key in (
        "unknown_columns",
        "unnamed_columns",
        "files_ignored",
        "sheets_ignored",
        "zeros_restored",
        "digits_joined",
        "no_rows",
    ):
        for language in catalogue()[key]:
            assert "{" not in say(key, language, **facts)
