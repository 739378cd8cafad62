"""Workbooks that would take more memory than there is, or make their reader fall over."""

import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import python_calamine
from openpyxl.styles import Font

from linkage.errors import UserError
from linkage.tables.extent import check_extent

Read = Callable[..., Any]


def book(far: str | None = None, value: str | None = None) -> bytes:
    """Two sheets; the second may have a bold cell far away."""
    workbook = openpyxl.Workbook()
    workbook.active.append(["dose_id", "full_name"])
    workbook.active.append(["1", "A"])
    second = workbook.create_sheet("Đợt hai")
    second.append(["dose_id", "full_name"])
    second.append(["2", "B"])
    if far:
        second[far] = value
        second[far].font = Font(bold=True)
    stream = io.BytesIO()
    workbook.save(stream)
    return stream.getvalue()


def changed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The workbook with another text in its parts."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as target:
        for part in source.infolist():
            target.writestr(part.filename, source.read(part).replace(old, new))
    return stream.getvalue()


def refusal(read: Read, file: Path, content: bytes) -> UserError:
    file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        read(file)
    return caught.value


@pytest.mark.parametrize(
    ("far", "row", "column"), [("XFD1048576", 1048576, 16384), ("AG1048576", 1048576, 33), ("XFD9999", 9999, 16384)]
)
def test_a_stray_cell_far_away_is_refused(tmp_path: Path, read: Read, far: str, row: int, column: int) -> None:
    file = tmp_path / "a.xlsx"
    error = refusal(read, file, book(far, "x"))
    assert error.key == "sheet_too_large"
    assert error.facts == {"file": file, "sheet": "Đợt hai", "row": row, "column": column}


def test_a_stray_cell_is_found_under_any_prefix_and_spelling(tmp_path: Path, read: Read) -> None:
    content = book("XFD1048576", "x")
    for new in (b'r="xfd1048576"', b"r='XFD&#49;048576'"):
        error = refusal(read, tmp_path / "a.xlsx", changed(content, b'r="XFD1048576"', new))
        assert error.key == "sheet_too_large"


@pytest.mark.parametrize("far", ["XFD1048576", "J5000"])
def test_an_empty_cell_far_away_costs_nothing(tmp_path: Path, read: Read, far: str) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(book(far))
    assert read(file).report.rows_usable == 2


def test_cells_without_their_place_are_counted(tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    content = book()
    for place in (b"A1", b"B1", b"A2", b"B2"):
        content = changed(content, b'<c r="' + place + b'"', b"<c")
    content = changed(changed(content, b'<row r="1"', b"<row"), b'<row r="2"', b"<row")
    file = tmp_path / "a.xlsx"
    file.write_bytes(content)
    assert read(file).report.rows_usable == 2
    monkeypatch.setattr("linkage.tables.extent.MOST_CELLS", 3)
    assert refusal(read, file, content).facts == {"file": file, "sheet": "Sheet", "row": 2, "column": 2}


@pytest.mark.parametrize("place", [b"ZZZZZZ99999999999", b"A" * 9, b"7", b"", "Ạ1".encode(), b"A-1"])
def test_a_place_that_is_none_is_damage(tmp_path: Path, read: Read, place: bytes) -> None:
    content = changed(book("C3", "x"), b'r="C3"', b'r="' + place + b'"')
    assert refusal(read, tmp_path / "a.xlsx", content).key == "damaged_file"


def test_a_workbook_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("linkage.tables.extent.MOST_BYTES", 1000)
    assert refusal(read, tmp_path / "a.xlsx", book()).key == "workbook_too_large"


def test_damage_in_a_compressed_part_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(book())

    def broken(*_: object) -> bytes:
        raise zlib.error

    monkeypatch.setattr(zipfile.ZipExtFile, "read", broken)
    with pytest.raises(UserError, match=r"a\.xlsx") as caught:
        check_extent(file)
    assert caught.value.key == "damaged_file"


class PanicException(BaseException):
    """What the reader raises where it should never come."""


@pytest.mark.parametrize(("raised", "expected"), [(PanicException, UserError), (KeyboardInterrupt, KeyboardInterrupt)])
def test_a_panic_of_the_reader_is_damage(
    tmp_path: Path,
    read: Read,
    monkeypatch: pytest.MonkeyPatch,
    raised: type[BaseException],
    expected: type[BaseException],
) -> None:
    def panic(_: str) -> None:
        raise raised

    file = tmp_path / "a.xlsx"
    file.write_bytes(book())
    monkeypatch.setattr(python_calamine, "load_workbook", panic)
    with pytest.raises(expected) as caught:
        read(file)
    assert type(caught.value) is expected
