"""The spreadsheet of a unit: what a clerk sees, and that no spreadsheet can reinterpret it."""

import re
import uuid
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.cell.rich_text import CellRichText, TextBlock

from linkage.errors import UserError
from linkage.messages import LANGUAGES, say
from linkage.review.cases import Case, Dose
from linkage.review.sheet import Written, write_sheets
from linkage.review.sheet_layout import COLUMNS, Control, control_total
from linkage.review.views import View

Example = Callable[..., Case]
HOSTILE = (
    "=1+1",
    "@SUM(A1)",
    "-2+3",
    "+84912345678",
    "\tTab",
    "\rCR",
    "TRUE",
    "_x000D_ Lê",
    "00123",
    "1/2",
    "http://a.b",
)


def view(case: Case, number: int = 0, unit: str = "00001", **changed: Any) -> View:
    """A case as a reader sees it."""
    case_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{case.subject}:{number}"))
    return View(case_id, 1, case, unit, "open", 1, "ab" * 32, "vietnam@0123456789ab", **changed)


def write(folder: Path, views: Sequence[View], **changed: Any) -> list[Written]:
    """Sheets in Vietnamese by commune, unless said otherwise."""
    return write_sheets(views, folder, **{"language": "vi", "by": "commune", **changed})


def rows_of(path: Path, *, rich: bool = False) -> list[dict[str, Any]]:
    """The rows of the page of cases, by column."""
    sheet = openpyxl.load_workbook(path, rich_text=rich).worksheets[1]
    return [dict(zip(COLUMNS, row, strict=True)) for row in sheet.iter_rows(min_row=2, values_only=True)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_record_and_candidates_stand_one_above_the_other(example: Example, tmp_path: Path, language: str) -> None:
    [written] = write(tmp_path, [view(example())], language=language)
    record, first, second, end = rows_of(written.path)
    assert record["name"] == "NGUYEN THI HOA"
    assert record["phone"] == "+84912345678"
    assert record["number"] == "3184000123"
    assert first["number"].splitlines()[0] == "003184000123"
    assert "012345678" in first["number"]
    assert (first["birth_date"], first["home"]) == (
        "12/05/1984",
        "12 Phố Huế, Phường Phúc Xá, Quận Ba Đình, Thành phố Hà Nội",
    )
    assert second["number"] == "003184000124"
    assert [row["row"] for row in (first, second)] == [
        say("review_sheet.candidate", language, number=number) for number in (1, 2)
    ]
    assert record["reason"].startswith(say("review.because.close", language))
    assert len(record["doses"].splitlines()) == 4
    assert first["reason"]
    assert len({row["case_id"] for row in (record, first, second)}) == 1
    assert {row["model"] for row in (record, first, second)} == {"vietnam@0123456789ab"}
    assert f"{written.control.total:09}" in end["reason"]


def test_what_differs_is_red_bold_and_underlined(example: Example, tmp_path: Path) -> None:
    [written] = write(tmp_path, [view(example(record={"full_name": "Nguyễn Thị Hoa"}))])
    record, first, second, _ = rows_of(written.path, rich=True)
    assert (str(record["name"]), second["name"]) == ("Nguyễn Thị Hoa", "Nguyễn Thị Hoa")
    assert not isinstance(record["name"], CellRichText)
    assert isinstance(first["name"], CellRichText)
    [marked] = [part for part in first["name"] if isinstance(part, TextBlock) and part.font.b]
    assert (marked.text, marked.font.u, marked.font.color.rgb) == ("à", "single", "FFC00000")


def test_every_cell_is_text_and_none_a_formula(example: Example, tmp_path: Path) -> None:
    views = [
        view(example(record=dict.fromkeys(("full_name", "phone", "address"), text)), n)
        for n, text in enumerate(HOSTILE)
    ]
    [written] = write(tmp_path, views)
    with zipfile.ZipFile(written.path) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"xl/worksheets/sheet\d\.xml", name):
                content = archive.read(name).decode()
                assert not re.search(r"<f[ >]", content)
                values = re.findall(r"<c ([^>]*[^/])><v>", content)
                assert values
                assert all(value.endswith('t="s"') for value in values)
        assert "xl/calcChain.xml" not in archive.namelist()
        assert not any("hyperlink" in name.lower() for name in archive.namelist())
    book = openpyxl.load_workbook(written.path)
    *data, last = book.worksheets[1].iter_rows()
    cells = [cell for row in data for cell in row] + [cell for cell in last if cell.value]
    assert {cell.number_format for cell in cells} == {"@"}
    names = [row["name"] for row in rows_of(written.path) if row["row"] == "Bản ghi"]
    assert names == [re.sub("[\t\r]", " ", text) for text in HOSTILE]


def test_only_decision_and_comment_of_a_record_can_be_written(example: Example, tmp_path: Path) -> None:
    [written] = write(tmp_path, [view(example())])
    book = openpyxl.load_workbook(written.path)
    sheet = book.worksheets[1]
    assert all(page.protection.sheet for page in book.worksheets[:2])
    unlocked = {cell.coordinate for row in sheet.iter_rows() for cell in row if not cell.protection.locked}
    letters = {openpyxl.utils.get_column_letter(COLUMNS.index(column) + 1) for column in ("decision", "comment")}
    assert unlocked == {f"{letter}2" for letter in letters}
    assert sheet.freeze_panes == "E2"
    assert sheet.print_title_rows == "$1:$1"
    assert (sheet.page_setup.orientation, sheet.sheet_properties.pageSetUpPr.fitToPage) == ("landscape", True)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_list_of_a_decision_names_each_candidate_of_its_case(
    example: Example, tmp_path: Path, language: str
) -> None:
    one = example()
    views = [view(one), view(example("S2", candidates=one.candidates[:1])), view(example("S3", candidates=()))]
    [written] = write(tmp_path, views, language=language)
    book = openpyxl.load_workbook(written.path)
    lists = {}
    for each in book.worksheets[1].data_validations.dataValidation:
        sheet, _, cells = each.formula1.replace("'", "").partition("!")
        lists[str(each.sqref)] = [cell.value for row in book[sheet][cells.replace("$", "")] for cell in row]
    decision = openpyxl.utils.get_column_letter(COLUMNS.index("decision") + 1)
    assert {cell: len(choices) for cell, choices in lists.items()} == {
        f"{decision}{row}": number for row, number in ((2, 11), (5, 10), (7, 9))
    }
    assert lists[f"{decision}2"][1] == f"2: {say('review.outcome.citizen', language)}"
    assert len(set(lists[f"{decision}2"])) == 11


def test_files_are_split_by_unit_and_at_the_most_a_person_can_hold(example: Example, tmp_path: Path) -> None:
    views = [view(example(f"S{n}"), n, unit=("00001", "00004")[n % 2]) for n in range(7)]
    written = write(tmp_path, views, most=2)
    assert sorted((each.path.name, each.control.unit, each.control.cases) for each in written) == [
        ("commune_00001_1.xlsx", "00001", 2),
        ("commune_00001_2.xlsx", "00001", 2),
        ("commune_00004_1.xlsx", "00004", 2),
        ("commune_00004_2.xlsx", "00004", 1),
    ]
    assert {row["case_id"] for each in written for row in rows_of(each.path)} == {*(v.case_id for v in views), None}
    for each in written:
        ids = {row["case_id"] for row in rows_of(each.path)} - {None}
        assert each.control.total == control_total(ids)
        texts = [cell.value for sheet in openpyxl.load_workbook(each.path).worksheets for row in sheet for cell in row]
        assert [Control.from_text(str(text)) for text in texts if str(text).startswith('{"control')] == [
            each.control
        ] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(each.path.name for each in written)


@pytest.mark.parametrize(("by", "unit"), [("reviewer", "Lan/../x"), ("facility", "F01")])
def test_a_file_is_named_after_its_unit_on_every_file_system(
    example: Example, tmp_path: Path, by: str, unit: str
) -> None:
    [written] = write(tmp_path, [view(example(), reviewer="Lan/../x")], by=by)
    assert written.control.unit == unit
    assert re.fullmatch(rf"{by}_[a-z0-9-]+_1\.xlsx", written.path.name)
    names = {
        write(tmp_path, [view(example(), reviewer=name)], by="reviewer")[0].path.name for name in ("lan", "Lan", "")
    }
    assert len(names) == 3


def test_the_same_cases_give_the_same_bytes(example: Example, tmp_path: Path) -> None:
    views = [view(example(f"S{n}", record={"full_name": text}), n) for n, text in enumerate(HOSTILE)]
    first, second = (write(tmp_path / name, views)[0] for name in ("one", "two"))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.control == second.control


def test_nothing_half_written_is_left(example: Example, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where a folder is to be")
    with pytest.raises(UserError):
        write(tmp_path / "out", [view(example())])
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_is_longer_than_a_cell_may_be_is_cut(example: Example, tmp_path: Path) -> None:
    doses = tuple(Dose(f"d{n}", True, "review", vaccine="x" * 9_000) for n in range(50))
    [written] = write(tmp_path, [view(example(record={"address": "a" * 10_000, "full_name": "\ud800"}, doses=doses))])
    record = rows_of(written.path)[0]
    assert len(record["home"]) < 2_000
    assert len(record["doses"]) < 3_000
