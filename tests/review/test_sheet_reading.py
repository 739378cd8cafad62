"""Answers that come back in sheets: whatever was done to the file, nothing is guessed and nothing is lost unnamed."""

import datetime as dt
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkage.errors import UserError
from linkage.messages import LANGUAGES, catalogue
from linkage.review import words
from linkage.review.cases import ASKED, OUTCOMES, Answer, Case, Outcome
from linkage.review.decisions import Said, read_decision
from linkage.review.sheet import write_sheets
from linkage.review.sheet_check import check_of, fit
from linkage.review.sheet_layout import COLUMNS
from linkage.review.sheet_reading import Staged, read_answers
from linkage.review.views import View

Example = Callable[..., Case]
HERS, SISTER = "003184000123", "003184000124"
AT = {column: place + 1 for place, column in enumerate(COLUMNS)}
"""Column → its place in a sheet, from 1."""


class Sent:
    """Three cases of two candidates that went out in one file, rows 2 to 10, and a copy to change."""

    def __init__(self, example: Example, folder: Path, language: str = "vi") -> None:
        self.ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))) for number in range(3)]
        views = [
            View(case_id, 1, example(f"S{number}"), "00001", "open", 1, "ab" * 32, "vietnam@0123")
            for number, case_id in enumerate(self.ids)
        ]
        [written] = write_sheets(views, folder, language=language, by="commune")
        self.path = written.path
        self.book = openpyxl.load_workbook(self.path)
        self.sheet = self.book.worksheets[1]

    def put(self, row: int, column: str, value: object) -> None:
        self.sheet.cell(row, AT[column]).value = value

    def read(self) -> Staged:
        self.book.save(self.path)
        return read_answers([self.path])


@pytest.fixture
def sent(example: Example, tmp_path: Path) -> Sent:
    return Sent(example, tmp_path)


def said(staged: Staged) -> dict[str, tuple[str, str | None]]:
    return {row.case_id: row.answer.said for row in staged.rows}


def reasons(staged: Staged) -> list[tuple[int, str]]:
    return [(each.row, each.reason.rpartition(".")[2]) for each in staged.unusable]


def notices(staged: Staged) -> list[str]:
    return [notice.key.rpartition(".")[2] for notice in staged.notices]


def test_a_file_that_nobody_filled_in_says_nothing(sent: Sent) -> None:
    staged = read_answers([sent.path])
    assert (staged.rows, staged.unusable, staged.missing, staged.notices) == ((), (), (), ())
    assert staged.undecided == 3
    assert staged.files[0].control is not None
    assert staged.files[0].control.cases == 3


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_answer_of_the_list_comes_back(example: Example, tmp_path: Path, language: str, outcome: Outcome) -> None:
    sent = Sent(example, tmp_path, language)
    number = 2 if outcome == "citizen" else None
    field = "number" if outcome == "send_back" else None
    sent.put(5, "decision", words.outcome(outcome, language, number=number, field=field))
    sent.put(5, "comment", " =sure, +84 ")
    staged = sent.read()
    [row] = staged.rows
    citizen = SISTER if number else None
    assert (row.row, row.case_id, row.answer) == (5, sent.ids[1], Answer(outcome, citizen, field, "=sure, +84"))
    assert staged.undecided == 2


def test_columns_moved_rows_sorted_and_rows_added_change_nothing(sent: Sent) -> None:
    sent.put(2, "decision", "1: công dân này")
    sent.put(8, "decision", "none of them")
    rows = [[cell.value for cell in row] for row in sent.sheet.iter_rows()]
    header, *data = [list(reversed(row)) for row in rows]
    sent.book.remove(sent.sheet)
    other = sent.book.create_sheet("Sheet1")
    for row in (["my own title"], [], header, *reversed(data), ["a note of mine"]):
        other.append(row)
    staged = sent.read()
    assert said(staged) == {sent.ids[0]: ("citizen", HERS), sent.ids[2]: ("none", None)}
    assert (staged.unusable, staged.missing, staged.notices, staged.undecided) == ((), (), (), 1)


def test_headers_in_another_language_and_a_column_for_eyes_that_was_deleted(sent: Sent) -> None:
    for column, place in AT.items():
        sent.sheet.cell(1, place).value = catalogue()[f"review_sheet.column.{column}"]["en"].upper()
    sent.put(2, "decision", "1")
    sent.sheet.delete_cols(AT["phone"])
    assert said(sent.read()) == {sent.ids[0]: ("citizen", HERS)}


def test_cases_that_did_not_come_back_are_named(sent: Sent) -> None:
    sent.put(8, "decision", 1)
    sent.sheet.delete_rows(5, 3)
    staged = sent.read()
    assert [(each.cases, each.of) for each in staged.missing] == [((2,), 3)]
    assert "3" in staged.missing[0].in_language("vi")
    assert said(staged) == {sent.ids[2]: ("citizen", HERS)}


def test_a_file_without_rows_misses_them_all(sent: Sent) -> None:
    sent.sheet.delete_rows(2, 9)
    assert [each.cases for each in sent.read().missing] == [(1, 2, 3)]


def test_rows_of_citizens_and_a_control_total_that_are_gone_are_told(sent: Sent) -> None:
    sent.sheet.delete_rows(4)
    assert notices(sent.read()) == ["rows_lacking"]
    sent.sheet.delete_rows(10)
    sent.book.remove(sent.book.worksheets[0])
    sent.sheet = sent.book.worksheets[0]
    assert notices(sent.read()) == ["no_control"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("number", 3184000123),
        ("number", "3184000123"),
        ("number", "3.184E+09"),
        ("number", "3,184E+09"),
        ("phone", 84912345678),
        ("birth_date", dt.date(1984, 12, 5)),
        ("birth_date", "5/12/1984"),
        ("birth_date", "1984-12-05"),
        ("name", "NGUYEN  THI HOA "),
    ],
)
def test_what_a_spreadsheet_does_to_numbers_and_dates_is_tolerated(sent: Sent, column: str, value: object) -> None:
    sent.put(2, column, value)
    sent.put(2, "decision", "2: công dân này")
    staged = sent.read()
    assert said(staged) == {sent.ids[0]: ("citizen", SISTER)}
    same = value in ("3184000123", "NGUYEN  THI HOA ") or value == 3184000123
    assert notices(staged) == ([] if same else ["mangled"])
    for notice in staged.notices:
        assert catalogue()[f"review_sheet.column.{column}"]["vi"] in notice.in_language("vi")


def test_a_citizen_id_that_was_mangled_does_not_matter(sent: Sent) -> None:
    sent.put(4, "number", 3184000124)
    sent.put(2, "decision", "2")
    staged = sent.read()
    assert (said(staged), notices(staged)) == ({sent.ids[0]: ("citizen", SISTER)}, ["mangled"])


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [
        (2, "name", "Trần Văn An"),
        (2, "name", None),
        (2, "number", "003184000999"),
        (2, "birth_date", "06/12/1984"),
        (3, "name", "Nguyễn Thị Hoa"),
        (4, "home", "elsewhere"),
    ],
)
def test_a_row_that_is_not_what_was_sent_is_not_used(sent: Sent, row: int, column: str, value: object) -> None:
    sent.put(row, column, value)
    sent.put(2, "decision", "1: công dân này")
    sent.put(5, "decision", "1: công dân này")
    staged = sent.read()
    assert (said(staged), reasons(staged)) == ({sent.ids[1]: ("citizen", HERS)}, [(row, "changed")])
    for language in LANGUAGES:
        told = staged.unusable[0].in_language(language)
        assert catalogue()[f"review_sheet.column.{column}"][language] in told
        assert "Trần" not in told


def test_only_names_sorted_is_found_out(sent: Sent) -> None:
    names = [sent.sheet.cell(row, AT["name"]).value for row in range(2, 5)]
    for row, name in zip(range(2, 5), reversed(names), strict=True):
        sent.put(row, "name", name)
    sent.put(2, "decision", "1")
    assert [reason for _, reason in reasons(sent.read())] == ["changed", "changed"]


@pytest.mark.parametrize("column", ["case_id", "content"])
@pytest.mark.parametrize("value", [None, "7.9E+10", 12, "00000000-0000-0000-0000-000000000000", '{"file":1}'])
def test_a_decision_without_its_case_is_named(sent: Sent, column: str, value: object) -> None:
    sent.put(2, column, value)
    sent.put(2, "decision", "1: công dân này")
    assert reasons(sent.read()) == [(2, "no_case")]


def test_the_code_of_another_case_is_found_out(sent: Sent) -> None:
    sent.put(2, "case_id", sent.ids[1])
    sent.put(2, "decision", "1: công dân này")
    assert reasons(sent.read()) == [(2, "no_case")]


@pytest.mark.parametrize("column", ["decision", "comment"])
def test_a_formula_is_no_answer(sent: Sent, column: str) -> None:
    sent.put(2, "decision", "1")
    sent.put(2, column, '=IF(1=1,"1","2")')
    sent.put(5, "decision", "1")
    staged = sent.read()
    assert (said(staged), reasons(staged)) == ({sent.ids[1]: ("citizen", HERS)}, [(2, "formula")])


def test_two_decisions_of_one_case_are_both_named_and_none_is_used(sent: Sent) -> None:
    sent.put(2, "decision", "1")
    sent.put(4, "decision", "x")
    staged = sent.read()
    assert (said(staged), reasons(staged)) == ({}, [(2, "contradiction"), (4, "contradiction")])
    assert "4" in staged.unusable[0].in_language("en").partition("row 2")[2]


def test_the_same_decision_twice_is_one(sent: Sent) -> None:
    sent.put(2, "decision", "2")
    sent.put(4, "decision", "X")
    sent.put(4, "comment", "also here")
    [row] = sent.read().rows
    assert (row.row, row.answer) == (2, Answer("citizen", SISTER, None, "also here"))


def test_one_case_in_two_files(sent: Sent, tmp_path: Path) -> None:
    sent.put(2, "decision", "1")
    sent.put(5, "decision", "2")
    sent.book.save(tmp_path / "one.xlsx")
    sent.put(2, "decision", "none")
    sent.book.save(tmp_path / "two.xlsx")
    staged = read_answers([tmp_path / "one.xlsx", tmp_path / "two.xlsx"])
    assert said(staged) == {sent.ids[1]: ("citizen", SISTER)}
    assert [(each.file.name, each.row) for each in staged.unusable] == [("one.xlsx", 2), ("two.xlsx", 2)]
    assert staged.unusable[0].facts["file"] == str(tmp_path / "two.xlsx")
    assert staged.missing == ()


def test_a_comment_without_a_decision_is_told(sent: Sent) -> None:
    sent.put(2, "comment", "không rõ")
    assert notices(sent.read()) == ["comment_alone"]


def test_a_giant_comment_is_not_taken(sent: Sent) -> None:
    sent.put(2, "decision", "1")
    sent.put(2, "comment", "a" * 20_000)
    assert reasons(sent.read()) == [(2, "giant_cell")]


def test_the_name_of_who_filled_it_in_comes_back(sent: Sent) -> None:
    cells = {str(row[0].value): row[1] for row in sent.book.worksheets[0].iter_rows()}
    cells[catalogue()["review_sheet.reviewer"]["vi"]].value = "lan "
    assert sent.read().files[0].reviewer == "lan"


@pytest.mark.parametrize(
    ("text", "row", "candidates", "meaning"),
    [
        ("1", 0, 2, Said("citizen", 1)),
        ("2.0", 0, 2, Said("citizen", 2)),
        ("２", 0, 2, Said("citizen", 2)),
        ("2 - this citizen", 0, 2, Said("citizen", 2)),
        ("CÔNG DÂN NÀY", 2, 2, Said("citizen", 2)),
        ("cong dan nay", 0, 1, Said("citizen", 1)),
        ("công dân này", 0, 2, "which_citizen"),
        ("✓", 1, 2, Said("citizen", 1)),
        ("x", 0, 1, "unreadable"),
        ("1", 2, 2, "another_row"),
        ("3: công dân này", 0, 2, "no_candidate"),
        ("0", 0, 2, "no_candidate"),
        ("9" * 5_000, 0, 2, "unreadable"),
        ("1, 2", 0, 12, "unreadable"),
        ("1 hoặc 2", 0, 12, "unreadable"),
        ("1: none of them", 0, 2, "unreadable"),
        ("maybe 1", 0, 2, "unreadable"),
        ("=1", 0, 2, "unreadable"),
        ("???", 0, 2, "unreadable"),
        ("none of them", 2, 2, Said("none")),
        ("cannot_tell", 0, 0, Said("cannot_tell")),
        ("send_back name", 0, 0, Said("send_back", field="name")),
        ("Trả lại cơ sở tiêm:  số CCCD/CMND", 0, 2, Said("send_back", field="number")),
        ("send back to the facility", 0, 2, "unreadable"),
    ],
)
def test_the_words_of_a_decision(text: str, row: int, candidates: int, meaning: Said | str) -> None:
    assert read_decision(text, row, candidates) == meaning


@given(st.text(max_size=20), st.integers(0, 3), st.integers(0, 3))
def test_no_text_is_taken_for_what_it_is_not(text: str, row: int, candidates: int) -> None:
    read = read_decision(text, min(row, candidates), candidates)
    if isinstance(read, Said):
        assert (read.outcome == "citizen") == (read.number in range(1, candidates + 1))
        assert (read.field in ASKED) == (read.outcome == "send_back")
    else:
        assert f"review_sheet.unusable.{read}" in catalogue()


@given(st.text(max_size=30), st.sampled_from(COLUMNS))
def test_a_cell_fits_itself_and_in_its_own_place_only(text: str, column: str) -> None:
    check = check_of("case", 1, column, text)
    assert fit(check, "case", 1, column, text) == "same"
    if not any(letter.isdigit() for letter in text) and text.strip().lower() not in {"true", "false"}:
        assert fit(check, "case", 2, column, text) == "changed"
        assert fit(check, "other", 1, column, text) == "changed"


@pytest.mark.parametrize(("text", "cell"), [("True", True), ("00123", 123), ("+84912345678", 84912345678)])
def test_a_cell_that_a_spreadsheet_reads_as_something_else_is_known_again(text: str, cell: Any) -> None:
    assert fit(check_of("case", 0, "phone", text), "case", 0, "phone", cell) == "mangled"
    assert fit(check_of("case", 0, "phone", text + "1"), "case", 0, "phone", cell) == "changed"


@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("a.csv", b"dose_id,full_name\n1,x\n", "review_sheet.none"),
        ("a.csv", b"decision,case_id,content,decision\n", "same_column_twice"),
        ("a.csv", b"decision,case_id,content\n\xff,a,b\n", "header_not_utf8"),
        ("a.csv", b"decision,case_id,content\n" + b"a" * 200_000, "review_sheet.bad_line"),
        ("a.csv", b"", "empty_file"),
        ("a.xlsx", b"PK\x03\x04 cut short", "damaged_file"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "review_sheet.kind"),
        ("a.parquet", b"PAR1....PAR1", "review_sheet.kind"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path: Path, name: str, content: bytes, key: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_answers([tmp_path / name])
    assert refused.value.key == key
    assert name in refused.value.in_language("vi")


def test_a_workbook_of_something_else_is_refused(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["dose_id", "full_name"])
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(UserError, match=r"a\.xlsx"):
        read_answers([tmp_path / "a.xlsx"])


def test_a_bomb_is_refused_before_it_is_unpacked(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linkage.review.sheet_rows.MOST_BYTES", 1 << 20)
    with zipfile.ZipFile(sent.path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/bomb.xml", b"<a>" + bytes(1 << 20))
    assert sent.path.stat().st_size < 1 << 17
    with pytest.raises(UserError) as refused:
        read_answers([sent.path])
    assert refused.value.key == "review_sheet.too_large"


@pytest.mark.parametrize(
    ("cell", "key"),
    [
        (
            '<table:table-cell table:formula="of:=1" office:value-type="float" office:value="1"/>',
            "review_sheet.formulas",
        ),
        (
            '<table:table-cell office:value-type="string" table:number-columns-repeated="999"/>',
            "review_sheet.too_large",
        ),
    ],
)
def test_hostile_open_document_tables_are_refused(tmp_path: Path, cell: str, key: str) -> None:
    content = (
        '<office:document-content xmlns:office="o" xmlns:table="t"><table:table-row'
        f' table:number-rows-repeated="1048576">{cell}</table:table-row></office:document-content>'
    )
    with zipfile.ZipFile(tmp_path / "a.ods", "w") as archive:
        archive.writestr("content.xml", content)
    with pytest.raises(UserError) as refused:
        read_answers([tmp_path / "a.ods"])
    assert refused.value.key == key
